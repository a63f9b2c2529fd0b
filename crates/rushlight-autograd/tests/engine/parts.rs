//! Gradients of slices meet in one tensor: those that overlap, those that do not, and that of the whole beside them.

use rushlight_array::DType;
use rushlight_autograd::{GradOptions, Tensor, grad_with, tensor_as};

#[test]
fn slices_meet_in_one_gradient() {
    type Call = fn(&Tensor) -> Tensor;
    let calls: [(&str, Call); 9] = [
        ("chunks", |x| {
            let [a, b, c] = x.chunk(3, 1).try_into().expect("three of six");
            (&a * &b * 2.0 + &c * &c).sum()
        }),
        ("some chunks", |x| x.chunk(3, 1)[1].exp().sum()),
        ("overlapping", |x| (x.narrow(1, 0, 4) * x.narrow(1, 1, 4) * x.narrow(1, 2, 4)).sum()),
        ("the same twice", |x| (x.narrow(0, 1, 1) * x.narrow(0, 1, 1)).sum()),
        ("steps", |x| (x.step(1, 0, 3, 2) * x.step(1, 1, 3, 2)).sum()),
        ("rows and columns", |x| (x.select(0, 1) * x.select(0, 0)).sum() + x.select(1, 2).exp().sum()),
        ("all of it, in another order", |x| {
            let (end, one, begin) = (x.narrow(1, 3, 3), x.select(1, 2), x.narrow(1, 0, 2));
            (end.exp().sum() + one.sin().sum()) * begin.narrow(1, 1, 1).sum() + begin.exp().sum()
        }),
        ("the whole first", |x| (x * x).sum() + x.chunk(2, 1)[0].exp().sum() + x.chunk(2, 1)[1].sin().sum()),
        ("the whole last", |x| {
            let parts = x.chunk(2, 1);
            (parts[0].exp() * parts[1].sin()).sum() + (x * x).sum() + x.diagonal().exp().sum()
        }),
    ];
    for dtype in [DType::F64, DType::F16] {
        let x = tensor_as([[0.5, -1.0, 2.0, 1.5, -0.25, 1.0], [1.0, 0.5, -2.0, 0.75, 3.0, -1.0]], dtype);
        for (name, call) in calls {
            let x = x.detach().requires_grad_();
            // A recorded backward pass writes each of them out.
            let options = GradOptions { create_graph: true, ..Default::default() };
            let recorded = grad_with(&[&call(&x)], &[&x], &options).remove(0);
            call(&x).backward();
            let parts = x.grad().expect("it was used");
            assert_eq!(parts.dtype(), dtype);
            let numbers = |x: &Tensor| x.to(DType::F64).to_vec::<f64>();
            assert_eq!(numbers(&parts), numbers(&recorded), "{name} {dtype:?}");
        }
    }
}
