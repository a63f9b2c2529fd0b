//! Tensors: creation, dtypes, shapes, indexing, arithmetic, broadcasting, reductions, products, changes in place.
//!
//! # Creation
//!
//! ```python
//! torch.tensor(1)
//! torch.tensor([[1, 2, 3], [4, 5, 6]])
//! torch.tensor([1.0, 2.5])
//! torch.zeros(2, 3); torch.ones(3); torch.full((2,), 7); torch.eye(2)
//! torch.arange(0, 10, 3); torch.linspace(0, 1, 5)
//! torch.zeros_like(x)
//! torch.tensor([1.0, 2.0], dtype=torch.float64)
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//! use rushlight::{eye, full, linspace, tensor_as};
//!
//! assert_eq!(tensor(1).to_string(), "tensor(1)");
//! let x = tensor([[1, 2, 3], [4, 5, 6]]);
//! assert_eq!(x.to_string(), "tensor([[1, 2, 3],\n        [4, 5, 6]])");
//! assert_eq!(tensor([1.0, 2.5]).to_string(), "tensor([1.0000, 2.5000])");
//! assert_eq!(zeros([2, 3]).shape(), [2, 3]);
//! assert_eq!(ones(3).to_vec::<f32>(), [1.0, 1.0, 1.0]);
//! assert_eq!(full(2, 7).to_vec::<i64>(), [7, 7]);
//! assert_eq!(eye(2).to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
//! assert_eq!(arange(0, 10, 3).to_vec::<i64>(), [0, 3, 6, 9]);
//! assert_eq!(linspace(0.0, 1.0, 5).to_vec::<f32>(), [0.0, 0.25, 0.5, 0.75, 1.0]);
//! assert_eq!(x.zeros_like().dtype(), DType::I64);
//! assert_eq!(tensor_as([1.0, 2.0], DType::F64).dtype(), DType::F64);
//! ```
//!
//! A shape is an array, `[2, 3]`, or one number; a scalar's is `()`. `Vec`s and slices make tensors, too.
//!
//! Random tensors come from the default generator. Its seed may be PyTorch's, and then the numbers are:
//!
//! ```python
//! torch.manual_seed(123)
//! print(torch.rand(2, 3))
//! # tensor([[0.2961, 0.5166, 0.2517],
//! #         [0.6886, 0.0740, 0.8665]])
//! ```
//!
//! ```standalone_crate
//! use rushlight::prelude::*;
//!
//! manual_seed(TorchSeed(123));
//! let x = rand([2, 3]);
//! assert_eq!(x.to_string(), "tensor([[0.2961, 0.5166, 0.2517],\n        [0.6886, 0.0740, 0.8665]])");
//! ```
//!
//! # To and from Rust, and NumPy's place
//!
//! ```python
//! x = torch.from_numpy(array).reshape(2, 2)
//! x.tolist()
//! x.sum().item()
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let x = Tensor::from_vec(vec![1.0f32, 2.0, 3.0, 4.0], [2, 2]);
//! assert_eq!(x.to_vec::<f32>(), [1.0, 2.0, 3.0, 4.0]); // row by row
//! assert_eq!(x.sum().item(), 10.0); // always an f64
//! assert_eq!(x.sum().item_as::<f32>(), 10.0);
//! ```
//!
//! `to_vec` asks for the dtype that is there: `x.to(DType::F64).to_vec::<f64>()` casts first.
//!
//! # Dtypes
//!
//! ```python
//! torch.tensor([1, 2, 3]).dtype                      # torch.int64
//! torch.tensor([1.0, 2.0]).dtype                     # torch.float32
//! torch.tensor([1, 2, 3]).to(torch.float32)
//! torch.tensor([1.7, -1.7]).long()
//! torch.tensor([1, 2]) + torch.tensor([0.5, 0.5])    # float32
//! torch.tensor([1, 2]) / 2                           # float32
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! assert_eq!(tensor([1, 2, 3]).dtype().to_string(), "torch.int64");
//! assert_eq!(tensor([1.0, 2.0]).dtype(), DType::F32);
//! assert_eq!(tensor([1, 2, 3]).to(DType::F32).to_vec::<f32>(), [1.0, 2.0, 3.0]);
//! assert_eq!(tensor([1.7, -1.7]).to(DType::I64).to_vec::<i64>(), [1, -1]);
//! assert_eq!((tensor([1, 2]) + tensor([0.5, 0.5])).to_vec::<f32>(), [1.5, 2.5]);
//! assert_eq!((tensor([1, 2]) / 2).to_vec::<f32>(), [0.5, 1.0]);
//! ```
//!
//! `torch.float32` is `DType::F32`, `torch.int64` is `DType::I64`, and so on: F64 F32 F16 BF16 I64 I32 I16 I8 U8 Bool.
//! Promotion is PyTorch's.
//!
//! # Shapes
//!
//! ```python
//! x = torch.tensor([[1, 2, 3], [4, 5, 6]])
//! x.shape; x.size(0); x.ndim; x.numel(); len(x)
//! x.reshape(3, 2); x.view(-1); x.T
//! x.unsqueeze(0).shape; x.unsqueeze(0).squeeze().shape
//! x.transpose(0, 1); x.expand(2, 2, 3)
//! torch.cat([x, x], dim=0); torch.stack([x, x])
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let x = tensor([[1, 2, 3], [4, 5, 6]]);
//! assert_eq!((x.shape().to_vec(), x.size(0), x.dim(), x.numel(), x.len()), (vec![2, 3], 2, 2, 6, 2));
//! assert_eq!(x.reshape([3, 2]).to_string(), "tensor([[1, 2],\n        [3, 4],\n        [5, 6]])");
//! assert_eq!(x.view(-1).shape(), [6]);
//! assert_eq!(x.t().to_vec::<i64>(), [1, 4, 2, 5, 3, 6]);
//! assert_eq!(x.unsqueeze(0).shape(), [1, 2, 3]);
//! assert_eq!(x.unsqueeze(0).squeeze().shape(), [2, 3]);
//! assert!(x.transpose(0, 1).equal(&x.t()));
//! assert_eq!(x.expand([2, 2, 3]).shape(), [2, 2, 3]);
//! assert_eq!(cat(&[&x, &x], 0).shape(), [4, 3]);
//! assert_eq!(stack(&[&x, &x], 0).shape(), [2, 2, 3]);
//! ```
//!
//! Views are views here as well: `t`, `expand`, `narrow` and, where it can, `reshape` copy nothing.
//!
//! # Indexing
//!
//! ```python
//! x = torch.arange(0, 12, 1).reshape(3, 4)
//! x[1]
//! x[:, -1]
//! x[1:, :2]
//! x[0, 2].item()
//! x[torch.tensor([2, 0])]
//! x[x > 8]
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let x = arange(0, 12, 1).reshape([3, 4]);
//! assert_eq!(x.get(1).to_vec::<i64>(), [4, 5, 6, 7]);
//! assert_eq!(x.get((.., -1)).to_vec::<i64>(), [3, 7, 11]);
//! assert_eq!(x.get((1.., ..2)).to_vec::<i64>(), [4, 5, 8, 9]);
//! assert_eq!(x.get((0, 2)).item(), 2.0);
//! assert_eq!(x.get(&tensor([2, 0])).shape(), [2, 4]);
//! assert_eq!(x.get(&x.gt(8)).to_vec::<i64>(), [9, 10, 11]);
//! ```
//!
//! `get` takes what stands between Python's brackets; several indices are a tuple. There is no `x[1] = 0`, as values do not
//! change; choose instead:
//!
//! ```python
//! x[x < 0] = 0
//! y = torch.where(x > 1, x, -x)
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//! use rushlight::where_;
//!
//! let x = tensor([-1.0, 0.5, 2.0]);
//! assert_eq!(x.masked_fill(&x.lt(0.0), 0.0).to_vec::<f32>(), [0.0, 0.5, 2.0]);
//! assert_eq!(where_(&x.gt(1.0), &x, &-&x).to_vec::<f32>(), [1.0, -0.5, 2.0]);
//! ```
//!
//! # Arithmetic and functions
//!
//! ```python
//! a, b = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
//! a + b; a + 2.0; a * 3.0; 1.0 - a; -a
//! a.exp().log(); a.sqrt(); torch.sigmoid(torch.tensor(0.0))
//! a > 1.5; (a > 1.5) & (a < 2.5)
//! torch.maximum(a, b)
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let (a, b) = (tensor([1.0, 2.0, 3.0]), tensor([4.0, 5.0, 6.0]));
//! assert_eq!((&a + &b).to_vec::<f32>(), [5.0, 7.0, 9.0]);
//! assert_eq!((&a + 2.0).to_vec::<f32>(), [3.0, 4.0, 5.0]);
//! assert_eq!((&a * 3.0).to_vec::<f32>(), [3.0, 6.0, 9.0]);
//! assert_eq!((1.0 - &a).to_vec::<f32>(), [0.0, -1.0, -2.0]);
//! assert_eq!((-&a).to_vec::<f32>(), [-1.0, -2.0, -3.0]);
//! assert!(a.exp().log().allclose(&a, 1e-6, 1e-6));
//! assert_eq!(tensor([4.0, 9.0]).sqrt().to_vec::<f32>(), [2.0, 3.0]);
//! assert_eq!(tensor(0.0).sigmoid().item(), 0.5);
//! assert_eq!(a.gt(1.5).to_vec::<bool>(), [false, true, true]);
//! assert_eq!(a.gt(1.5).logical_and(&a.lt(2.5)).to_vec::<bool>(), [false, true, false]);
//! assert!(a.maximum(&b).equal(&b));
//! ```
//!
//! Comparisons are methods (`gt`, `le`, `eq`, ...), because Rust's operators for them give one bool.
//!
//! # Broadcasting
//!
//! ```python
//! a = torch.tensor([1.0, 2.0, 3.0])
//! a.unsqueeze(1) + a        # (3, 1) + (3) -> (3, 3)
//! torch.ones(2, 3) + torch.ones(2)   # RuntimeError
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let a = tensor([1.0, 2.0, 3.0]);
//! let sums = a.unsqueeze(1) + &a;
//! assert_eq!(sums.to_vec::<f32>(), [2.0, 3.0, 4.0, 3.0, 4.0, 5.0, 4.0, 5.0, 6.0]);
//! ```
//!
//! ```should_panic
//! use rushlight::prelude::*;
//!
//! // add: shapes [2, 3] and [2] do not broadcast: axis 1 is 3 and 2, and neither is 1
//! let _ = ones([2, 3]) + ones(2);
//! ```
//!
//! # Reductions
//!
//! ```python
//! x = torch.tensor([[1.0, 5.0], [3.0, 2.0]])
//! x.sum(); x.sum(dim=0); x.mean(dim=1, keepdim=True); x.sum(dim=(0, 1))
//! x.max(); values, places = x.max(dim=1); x.amax(dim=1)
//! x.std(); x.prod(); (x > 2).all(); (x > 2).any()
//! torch.softmax(x, dim=1); torch.logsumexp(x, dim=1)
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let x = tensor([[1.0, 5.0], [3.0, 2.0]]);
//! assert_eq!(x.sum().item(), 11.0);
//! assert_eq!(x.sum_dim(0, false).to_vec::<f32>(), [4.0, 7.0]);
//! assert_eq!(x.mean_dim(1, true).shape(), [2, 1]);
//! assert_eq!(x.sum_dim([0, 1], false).item(), 11.0);
//! assert_eq!(x.max().item(), 5.0);
//! let (values, places) = x.max_dim(1, false);
//! assert_eq!((values.to_vec::<f32>(), places.to_vec::<i64>()), (vec![5.0, 3.0], vec![1, 0]));
//! assert_eq!(x.amax(1, false).to_vec::<f32>(), [5.0, 3.0]);
//! assert!((tensor([1.0, 3.0]).std().item() - 2f64.sqrt()).abs() < 1e-6);
//! assert_eq!(x.prod().item(), 30.0);
//! assert!(!x.gt(2.0).all().item_as::<bool>());
//! assert!(x.gt(2.0).any().item_as::<bool>());
//! assert!(x.softmax(1).sum_dim(1, false).allclose(&ones(2), 1e-6, 0.0));
//! assert!((tensor([0.0, 0.0]).logsumexp(0, false).item() - 2f64.ln()).abs() < 1e-6);
//! ```
//!
//! # Products
//!
//! ```python
//! x = torch.tensor([[1, 2, 3], [4, 5, 6]])
//! x @ x.T
//! torch.rand(8, 2, 3) @ torch.rand(8, 3, 4)    # batches
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let x = tensor([[1, 2, 3], [4, 5, 6]]);
//! assert_eq!(x.matmul(&x.t()).to_vec::<i64>(), [14, 32, 32, 77]);
//! assert_eq!(rand([8, 2, 3]).matmul(&rand([8, 3, 4])).shape(), [8, 2, 4]);
//! ```
//!
//! # Changes in place
//!
//! ```python
//! x = torch.tensor([1.0, 2.0])
//! y = x.view(2)
//! x += 1.0
//! print(y)          # tensor([2., 3.]): it shares memory with x
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let mut x = tensor([1.0, 2.0]);
//! let y = x.view(2);
//! x += 1.0;
//! assert_eq!(x.to_vec::<f32>(), [2.0, 3.0]);
//! assert_eq!(y.to_vec::<f32>(), [1.0, 2.0]); // a view keeps what it saw
//! ```
//!
//! `+=` and the methods whose names end in `_` give the variable a new value: copy on write, and without a copy where nobody else
//! holds the old one. They save memory, not meaning. What *is* shared and can change is a leaf:
//!
//! ```python
//! w = torch.tensor([1.0, 2.0], requires_grad=True)
//! other = w
//! with torch.no_grad():
//!     w -= 0.5
//! print(other)      # tensor([0.5000, 1.5000], requires_grad=True)
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let mut w = tensor([1.0, 2.0]).requires_grad_();
//! let other = w.clone();
//! no_grad(|| w -= 0.5);
//! assert_eq!(other.to_string(), "tensor([0.5000, 1.5000], requires_grad=True)");
//! ```
//!
//! # Devices
//!
//! ```python
//! device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
//! x = torch.ones(2).to(device)
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let here = device("cpu")?;
//! let x = ones(2).to(&here);
//! assert_eq!(x.device().to_string(), "cpu");
//! # Ok::<(), rushlight::Error>(())
//! ```
