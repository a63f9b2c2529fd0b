//! A guide for people who know PyTorch: what they write in Python, and the same in Rust.
//!
//! Each topic has two blocks, Python first. Every Rust block is compiled and run as a test, so the numbers in its
//! assertions are what comes out. The chapters follow the order of the usual texts:
//!
//! - [`tensors`]: creation, dtypes, shapes, indexing, arithmetic, broadcasting, reductions, products, changes in place;
//! - [`gradients`]: leaves, graphs, `backward`, `no_grad`, higher derivatives, operations of your own;
//! - [`modules`]: models as structs, layers, parameters, modes, losses;
//! - [`loading`]: data sets and loaders;
//! - [`training`]: the loop, accuracy, seeds;
//! - [`files`]: saving and loading.
//!
//! [`reference`](crate::reference) lists all operations with PyTorch's names.
//!
//! # The same program twice
//!
//! ```python
//! import torch
//! import torch.nn.functional as F
//!
//! x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
//! w = torch.tensor([[0.5], [-0.5]], requires_grad=True)
//! loss = F.mse_loss(x @ w, torch.zeros(2, 1))
//! loss.backward()
//! print(loss)     # tensor(0.2500, grad_fn=<MseLossBackward0>)
//! print(w.grad)   # tensor([[-2.], [-3.]])
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
//! let w = tensor([[0.5], [-0.5]]).requires_grad_();
//! let loss = F::mse_loss(&x.matmul(&w), &zeros([2, 1]));
//! loss.backward();
//! assert_eq!(loss.to_string(), "tensor(0.2500, grad_fn=<MseLossBackward0>)");
//! assert_eq!(w.grad().unwrap().to_vec::<f32>(), [-2.0, -3.0]);
//! ```
//!
//! # What is different everywhere
//!
//! **`&` lends.** An operator without `&` consumes its operand: after `x * 2.0` the tensor `x` is gone, after `&x * 2.0` it is
//! still there. Methods lend by themselves: `x.exp()`. A clone is a handle on the same tensor and costs nothing.
//!
//! **Values never change.** Views share memory, but nothing can be seen through them later: `y = x.view(..)` followed by a change
//! of `x` leaves `y` as it was. So there are no version counters, and no error about "a variable needed for gradient
//! computation modified by an inplace operation". Only *leaves* (parameters, buffers) are cells whose values are set.
//!
//! **Literals say the dtype.** `1.0` makes an `f32` tensor, though Rust calls it `f64`; `1` makes `i64`. A number beside
//! a tensor widens nothing: an `f32` tensor times `0.1` stays `f32`. Numbers in expressions are `f64` or `i64`.
//!
//! **Dims are written.** There is no `dim=None`: what works on all elements is the plain name, what works along dims ends in
//! `_dim`. Negative dims count from the back.
//!
//! **No complex numbers**, no named or sparse tensors.
//!
//! **Wrong calls panic** at your line with both values, as exceptions do: shapes, dtypes and indices are things that a program
//! knows. What depends on the world (files, data sets) returns a [`Result`](crate::Result) and is passed on with `?`.
//!
//! ```should_panic
//! use rushlight::prelude::*;
//!
//! // matmul: inner dimensions differ: [2, 3] x [2, 3] (3 != 2); ...
//! ones([2, 3]).matmul(&ones([2, 3]));
//! ```
//!
//! # Optional arguments
//!
//! Rust has no keyword arguments. The rule is the same for all operations:
//!
//! - Required arguments come in PyTorch's order. An optional *tensor* in their midst is an `Option`: `F::linear(&x, &w, None)`.
//! - A `dim` is always written, and its `keepdim` beside it: `x.sum_dim(1, false)`.
//! - The plain name has PyTorch's defaults for all else. The twin with `_with` takes the optional arguments: one or two of
//!   them in PyTorch's order, three or more as a struct with PyTorch's names and `..Default::default()`.
//! - A second operand is a tensor or a number: `x.gt(&y)`, `x.gt(0.0)`.
//! - Strings are enums: `reduction="sum"` is `Reduction::Sum`.
//! - Modules, optimisers and loaders, which are kept, take options by chained methods:
//!   `SGD::new(parameters, 0.1).momentum(0.9)`.
//!
//! ```python
//! F.mse_loss(x, y, reduction="sum")
//! F.smooth_l1_loss(x, y, reduction="none", beta=0.5)
//! F.cross_entropy(logits, labels, ignore_index=0, label_smoothing=0.1)
//! ```
//!
//! ```
//! use rushlight::nn::functional::{CrossEntropyOptions, Reduction};
//! use rushlight::prelude::*;
//!
//! let (x, y) = (tensor([1.0, 3.0]), tensor([0.0, 0.0]));
//! assert_eq!(F::mse_loss(&x, &y).item(), 5.0); // the mean of 1 and 9
//! assert_eq!(F::mse_loss_with(&x, &y, Reduction::Sum, None).item(), 10.0);
//! let losses = F::smooth_l1_loss_with(&x, &y, Reduction::None, 0.5);
//! assert_eq!(losses.to_vec::<f32>(), [0.75, 2.75]);
//!
//! let (logits, labels) = (zeros([2, 4]), tensor([0, 3]));
//! let options = CrossEntropyOptions { ignore_index: 0, label_smoothing: 0.1, ..Default::default() };
//! let loss = F::cross_entropy_with(&logits, &labels, &options);
//! assert!((loss.item() - 4f64.ln()).abs() < 1e-6);
//! ```
//!
//! # Where things are
//!
//! | Python | Rust |
//! | --- | --- |
//! | `import torch` | `use rushlight::prelude::*;` |
//! | `torch.tensor`, `torch.zeros`, `torch.cat` | `tensor`, `zeros`, `cat` |
//! | `torch.nn` | [`rushlight::nn`](crate::nn) |
//! | `torch.nn.functional as F` | `F`, from the prelude |
//! | `torch.optim` | [`rushlight::optim`](crate::optim) |
//! | `torch.optim.lr_scheduler` | [`rushlight::optim::lr_scheduler`](crate::optim::lr_scheduler) |
//! | `torch.nn.utils.clip_grad_norm_` | [`rushlight::nn::utils`](crate::nn::utils) |
//! | `torch.utils.data` | [`rushlight::data`](crate::data) |
//! | `torch.autograd.Function` | [`Op`](crate::autograd::Op) |
//! | `torch.autograd.gradcheck` | [`gradcheck`](crate::gradcheck) |
//! | `torch.manual_seed(123)` | `manual_seed(TorchSeed(123))` for PyTorch's numbers, `manual_seed(123)` for rushlight's |
//! | `torch.set_num_threads(2)` | [`set_num_threads(2)`](crate::set_num_threads); results are the same bits for all numbers |
//! | `torch.profiler` | [`profile`](crate::profile()), or `RUSHLIGHT_PROFILE=1` |
//! | `print(x)`, `f"{loss:.2f}"` | `println!("{x}")`, `format!("{loss:.2}")` |

pub mod files;
pub mod gradients;
pub mod loading;
pub mod modules;
pub mod tensors;
pub mod training;
