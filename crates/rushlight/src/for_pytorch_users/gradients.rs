//! Gradients: leaves, graphs, `backward`, `no_grad`, higher derivatives, operations of your own.
//!
//! # The example of the texts
//!
//! Logistic regression of one point. Operations on what requires a gradient are recorded; `backward` leaves the gradients
//! in the leaves.
//!
//! ```python
//! y = torch.tensor([1.0])
//! x1 = torch.tensor([1.1])
//! w1 = torch.tensor([2.2], requires_grad=True)
//! b = torch.tensor([0.0], requires_grad=True)
//!
//! z = x1 * w1 + b
//! a = torch.sigmoid(z)
//! loss = F.binary_cross_entropy(a, y)
//!
//! loss.backward()
//! print(w1.grad)    # tensor([-0.0898])
//! print(b.grad)     # tensor([-0.0817])
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let y = tensor([1.0]);
//! let x1 = tensor([1.1]);
//! let w1 = tensor([2.2]).requires_grad_();
//! let b = tensor([0.0]).requires_grad_();
//!
//! let z = &x1 * &w1 + &b;
//! let a = z.sigmoid();
//! let loss = F::binary_cross_entropy(&a, &y);
//!
//! loss.backward();
//! assert_eq!(w1.grad().unwrap().to_string(), "tensor([-0.0898])");
//! assert_eq!(b.grad().unwrap().to_string(), "tensor([-0.0817])");
//! ```
//!
//! `grad()` is an `Option`: `None` before the first backward pass, as in PyTorch.
//!
//! # Gradients without `backward`
//!
//! ```python
//! from torch.autograd import grad
//! grad(loss, w1, retain_graph=True)
//! grad(loss, b)
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let w = tensor([3.0]).requires_grad_();
//! let b = tensor([1.0]).requires_grad_();
//! let loss = &w * &w + &b;
//! let retain = GradOptions { retain_graph: true, ..Default::default() };
//! assert_eq!(grad_with(&[&loss], &[&w], &retain)[0].item(), 6.0);
//! assert_eq!(grad(&[&loss], &[&b])[0].item(), 1.0);
//! assert!(w.grad().is_none()); // the leaves' own gradients stay as they were
//! ```
//!
//! # Gradients add up
//!
//! ```python
//! w = torch.tensor(2.0, requires_grad=True)
//! (w * 3).backward()
//! (w * 3).backward()
//! print(w.grad)     # tensor(6.)
//! w.grad = None
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let w = tensor(2.0).requires_grad_();
//! (&w * 3.0).backward();
//! (&w * 3.0).backward();
//! assert_eq!(w.grad().unwrap().item(), 6.0);
//! w.zero_grad();
//! assert!(w.grad().is_none());
//! ```
//!
//! A graph is freed by its backward pass; a second one through it panics, unless the first had `retain_graph`.
//!
//! # Not recording
//!
//! ```python
//! with torch.no_grad():
//!     y = w * 2
//! y.requires_grad            # False
//! (w * 2).detach().requires_grad
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let w = tensor([1.0]).requires_grad_();
//! let y = no_grad(|| &w * 2.0);
//! assert!(!y.requires_grad());
//! assert!(!(&w * 2.0).detach().requires_grad());
//! ```
//!
//! # What a tensor knows of its history
//!
//! ```python
//! y = (w * 2).sum()
//! y.requires_grad, y.is_leaf, y.grad_fn      # True, False, <SumBackward0 ...>
//! h = w * 2
//! h.retain_grad()
//! h.sum().backward()
//! h.grad
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let w = tensor([1.0, 2.0]).requires_grad_();
//! let y = (&w * 2.0).sum();
//! assert!(y.requires_grad() && !y.is_leaf());
//! assert_eq!(y.grad_fn().unwrap(), "SumBackward0");
//! let h = &w * 2.0;
//! h.retain_grad();
//! h.sum().backward();
//! assert_eq!(h.grad().unwrap().to_vec::<f32>(), [1.0, 1.0]);
//! ```
//!
//! # Gradients of gradients
//!
//! ```python
//! x = torch.tensor(2.0, requires_grad=True)
//! dy, = torch.autograd.grad(x * x * x, x, create_graph=True)    # 3 x^2
//! d2y, = torch.autograd.grad(dy, x)                             # 6 x
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let x = tensor(2.0).requires_grad_();
//! let options = GradOptions { create_graph: true, ..Default::default() };
//! let dy = grad_with(&[&(&x * &x * &x)], &[&x], &options).remove(0);
//! assert_eq!(dy.item(), 12.0);
//! assert_eq!(grad(&[&dy], &[&x])[0].item(), 12.0);
//! ```
//!
//! # Changing leaves
//!
//! A step of gradient descent by hand. What the graph saved cannot be spoilt by it.
//!
//! ```python
//! with torch.no_grad():
//!     w -= 0.1 * w.grad
//!     w.copy_(torch.tensor([5.0]))
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let mut w = tensor([1.0]).requires_grad_();
//! (&w * &w).backward();
//! let step = w.grad().unwrap() * 0.1;
//! no_grad(|| w -= step);
//! assert!((w.item() - 0.8).abs() < 1e-6);
//! no_grad(|| w.set(tensor([5.0])));
//! assert_eq!(w.item(), 5.0);
//! ```
//!
//! # Hooks
//!
//! ```python
//! handle = w.register_hook(lambda g: g * 0.5)
//! handle.remove()
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let w = tensor([1.0]).requires_grad_();
//! let handle = w.register_hook(|g| Some(g * 0.5));
//! (&w * 4.0).backward();
//! assert_eq!(w.grad().unwrap().item(), 2.0);
//! handle.remove();
//! ```
//!
//! # Operations of your own
//!
//! `torch.autograd.Function` is the trait [`Op`](crate::autograd::Op), which the built-in operations use, too. Its backward
//! rule is written with tensors, so it can be differentiated again.
//!
//! ```python
//! class Cube(torch.autograd.Function):
//!     @staticmethod
//!     def forward(ctx, x):
//!         ctx.save_for_backward(x)
//!         return x ** 3
//!
//!     @staticmethod
//!     def backward(ctx, grad):
//!         x, = ctx.saved_tensors
//!         return grad * 3 * x ** 2
//!
//! torch.autograd.gradcheck(Cube.apply, (x,))
//! ```
//!
//! ```
//! use rushlight::array::Array;
//! use rushlight::autograd::{Gradients, Op, Saved, Saves};
//! use rushlight::prelude::*;
//! use rushlight::{gradcheck, tensor_as};
//!
//! #[derive(Debug)]
//! struct Cube;
//!
//! impl Op for Cube {
//!     fn name(&self) -> &'static str {
//!         "cube"
//!     }
//!     fn forward(&mut self, inputs: &[&Array]) -> Array {
//!         inputs[0].mul(inputs[0]).mul(inputs[0])
//!     }
//!     fn saves(&self) -> Saves {
//!         Saves::INPUTS
//!     }
//!     fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
//!         let x = saved.input(0);
//!         give.to(0, || grad * 3.0 * &x * &x);
//!     }
//! }
//!
//! let x = tensor_as([1.0, -2.0], DType::F64).requires_grad_();
//! gradcheck(|x| Tensor::apply(Cube, &[&x[0]]), &[x]).unwrap();
//! ```
