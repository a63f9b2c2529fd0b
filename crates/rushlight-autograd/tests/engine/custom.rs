//! Operations by users, and what `gradcheck` says of wrong ones.

use crate::{grad_of, leaf64, panic_of};
use rushlight_autograd::array::{Array, DType};
use rushlight_autograd::ops::linear;
use rushlight_autograd::{Gradients, Op, Saved, Saves, Tensor, gradcheck, gradgradcheck, tensor, tensor_as};

/// a * b + c, with a factor on one of its gradients: 1 is right.
#[derive(Debug)]
struct MulAdd {
    wrong: f64,
}

impl Op for MulAdd {
    fn name(&self) -> &'static str {
        "mul_add"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].mul(inputs[1]).add(inputs[2])
    }
    fn saves(&self) -> Saves {
        Saves::first(2)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad * saved.input(1));
        give.to(1, || grad * saved.input(0) * self.wrong);
        give.to(2, || grad.clone());
    }
}

/// The square root, with its result saved; `detached` spoils the second derivative alone.
#[derive(Debug)]
struct Root {
    detached: bool,
}

impl Op for Root {
    fn name(&self) -> &'static str {
        "root"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].sqrt()
    }
    fn saves(&self) -> Saves {
        Saves::OUTPUT
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let y = if self.detached { saved.output().detach() } else { saved.output() };
        give.to(0, || grad / (y * 2.0));
    }
}

/// x / max(x), with the place of the maximum kept in the operation itself.
#[derive(Debug)]
struct ByLargest {
    place: i64,
}

impl Op for ByLargest {
    fn name(&self) -> &'static str {
        "by_largest"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        self.place = inputs[0].argmax(0, false).item();
        inputs[0].div(&inputs[0].max())
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // y_i = x_i / x_p: dy_i/dx_i = 1 / x_p, and dy_i/dx_p = -x_i / x_p^2 on top.
        let x = saved.input(0);
        let largest = x.get(self.place as isize);
        let back = -(grad * &x).sum() / (&largest * &largest);
        let at = tensor([self.place]);
        give.to(0, || (grad / &largest).index_add(0, &at, &back.reshape([1])));
    }
    fn grad_fn(&self) -> String {
        "ByLargest!".to_string()
    }
}

fn three() -> Vec<Tensor> {
    vec![leaf64([0.5, -1.5]), leaf64([2.0, 0.75]), leaf64([1.0])]
}

#[test]
fn a_right_operation_passes_both_checks() {
    let f = |x: &[Tensor]| Tensor::apply(MulAdd { wrong: 1.0 }, &[&x[0], &x[1], &x[2]]);
    gradcheck(f, &three()).unwrap();
    gradgradcheck(f, &three()).unwrap();
    let f = |x: &[Tensor]| Tensor::apply(Root { detached: false }, &[&x[0]]);
    gradcheck(f, &[leaf64([0.5, 4.0])]).unwrap();
    gradgradcheck(f, &[leaf64([0.5, 4.0])]).unwrap();
}

#[test]
fn an_operation_may_keep_parts_in_itself() {
    let f = |x: &[Tensor]| Tensor::apply(ByLargest { place: -1 }, &[&x[0]]);
    gradcheck(f, &[leaf64([0.5, 4.0, -2.0])]).unwrap();
    gradgradcheck(f, &[leaf64([0.5, 4.0, -2.0])]).unwrap();
    assert_eq!(f(&[leaf64([1.0, 2.0])]).grad_fn().unwrap(), "ByLargest!");
}

#[test]
fn the_name_gives_pytorchs_form() {
    let x = three();
    let y = Tensor::apply(MulAdd { wrong: 1.0 }, &[&x[0], &x[1], &x[2]]);
    assert_eq!(y.grad_fn().unwrap(), "MulAddBackward0");
}

#[test]
fn gradcheck_finds_a_wrong_sign_and_a_missing_factor() {
    for wrong in [-1.0, 0.5, 0.99, 0.0] {
        let f = |x: &[Tensor]| Tensor::apply(MulAdd { wrong }, &[&x[0], &x[1], &x[2]]);
        let error = gradcheck(f, &three()).unwrap_err();
        assert_eq!((error.input, error.element), (1, Some(0)));
        assert!((error.analytical - wrong * error.numerical).abs() < 1e-6, "{error}");
        let text = error.to_string();
        assert!(text.starts_with("gradcheck: input 1, element 0: numerical "), "{text}");
    }
}

#[test]
fn gradcheck_finds_one_wrong_element_of_many() {
    // 40 elements are checked along random directions; the rule drops one of them.
    let keep: Vec<f64> = (0..40).map(|i| if i == 17 { 0.0 } else { 1.0 }).collect();
    let keep = Tensor::from_vec(keep, 40);
    let x = Tensor::from_vec((0..40).map(|i| f64::from(i) * 0.1).collect::<Vec<f64>>(), 40).requires_grad_();
    let f = |x: &[Tensor]| {
        let y = &x[0] * 2.0;
        if y.requires_grad() {
            let keep = keep.clone();
            y.register_hook(move |grad| Some(grad * &keep));
        }
        y
    };
    let error = gradcheck(f, &[x]).unwrap_err();
    assert_eq!((error.input, error.element), (0, None));
}

#[test]
fn gradgradcheck_finds_a_wrong_second_derivative() {
    let f = |x: &[Tensor]| Tensor::apply(Root { detached: true }, &[&x[0]]);
    let x = [leaf64([0.5, 4.0])];
    gradcheck(f, &x).unwrap();
    let error = gradgradcheck(f, &x).unwrap_err();
    assert_eq!(error.input, 0);
    assert_eq!(error.analytical, 0.0);
}

#[test]
fn gradcheck_finds_a_gradient_that_is_cut() {
    // Value x^3, gradient that of x alone.
    let f = |x: &[Tensor]| &x[0] * x[0].detach() * x[0].detach();
    assert!(gradcheck(f, &[leaf64([2.0])]).is_err());
    let f = |x: &[Tensor]| x[0].detach() * 3.0;
    assert!(gradcheck(f, &[leaf64([2.0])]).is_err());
    let f = |x: &[Tensor]| x[0].detach() * 0.0;
    gradcheck(f, &[leaf64([2.0])]).unwrap();
}

#[test]
fn gradcheck_reaches_leaves_that_a_closure_captures() {
    // As with a module: the closure ignores its argument and uses its own parameters.
    let (w, b) = (tensor_as([[0.5, -1.0], [2.0, 0.25]], DType::F64).requires_grad_(), leaf64([0.1, 0.2]));
    let x = tensor_as([[1.0, 2.0], [3.0, -1.0]], DType::F64);
    let parameters = [w.clone(), b.clone()];
    gradcheck(|_| linear(&x, &w, Some(&b)).tanh(), &parameters).unwrap();
    gradgradcheck(|_| linear(&x, &w, Some(&b)).tanh(), &parameters).unwrap();
    let wrong = |_: &[Tensor]| Tensor::apply(MulAdd { wrong: 2.0 }, &[&x, &w, &b]);
    assert_eq!(gradcheck(wrong, &parameters).unwrap_err().input, 0);
    // The parameters are what they were, and collected nothing.
    assert_eq!(w.to_vec::<f64>(), [0.5, -1.0, 2.0, 0.25]);
    assert!(w.grad().is_none() && b.grad().is_none());
}

#[test]
fn gradcheck_takes_computed_inputs() {
    let x = leaf64([1.0, 2.0]) * 2.0;
    gradcheck(|x| x[0].exp().sum(), &[x]).unwrap();
}

#[test]
fn gradcheck_puts_leaves_back_after_a_panic() {
    let w = leaf64([1.0]);
    let calls = std::cell::Cell::new(0);
    panic_of(|| {
        gradcheck(
            |x| {
                calls.set(calls.get() + 1);
                assert!(calls.get() < 2, "on purpose");
                x[0].exp()
            },
            std::slice::from_ref(&w),
        )
    });
    assert_eq!(w.to_vec::<f64>(), [1.0]);
}

#[test]
fn gradcheck_wants_double_precision_and_a_gradient() {
    let text = panic_of(|| gradcheck(|x| x[0].exp(), &[tensor(1.0).requires_grad_()]));
    assert!(text.contains("gradcheck: input 0 is float32; use float64"), "{text}");
    let text = panic_of(|| gradcheck(|x| x[0].exp(), &[tensor(1.0)]));
    assert!(text.contains("gradcheck: none of the 1 inputs requires a gradient"), "{text}");
}

#[test]
fn custom_operations_learn() {
    let x = three();
    Tensor::apply(MulAdd { wrong: 1.0 }, &[&x[0], &x[1], &x[2]]).sum().backward();
    assert_eq!(x[0].grad().unwrap().to_vec::<f64>(), [2.0, 0.75]);
    // c was broadcast to two places.
    assert_eq!(x[2].grad().unwrap().to_vec::<f64>(), [2.0]);
    let y = tensor([4.0]).requires_grad_();
    Tensor::apply(Root { detached: false }, &[&y]).backward();
    assert_eq!(grad_of(&y), [0.25]);
}

/// The product of all inputs, of which it saves all and the result.
#[derive(Debug)]
struct Product;

impl Op for Product {
    fn name(&self) -> &'static str {
        "product"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[1..].iter().fold(inputs[0].clone(), |product, x| product.mul(x))
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        for i in 0..saved.len() {
            give.to(i, || grad * saved.output() / saved.input(i));
        }
    }
}

#[test]
fn an_operation_may_save_forty_inputs() {
    // 1 but for the last two, 2 and 4: the product is 8, and each slope 8 over its input.
    let mut x: Vec<Tensor> = (0..38).map(|_| leaf64([1.0])).collect();
    x.extend([leaf64([2.0]), leaf64([4.0])]);
    Tensor::apply(Product, &x.iter().collect::<Vec<_>>()).backward();
    let slopes: Vec<f64> = x.iter().map(|x| x.grad().unwrap().item()).collect();
    assert_eq!(slopes[..38], [8.0; 38]);
    assert_eq!(slopes[38..], [4.0, 2.0]);
    let x: Vec<Tensor> = (0..40).map(|i| leaf64([f64::from(i)])).collect();
    (Tensor::cat(&x.iter().collect::<Vec<_>>(), 0).square()).sum().backward();
    assert_eq!(x[39].grad().unwrap().item(), 78.0);
}

#[test]
fn saves_first_takes_at_most_31() {
    assert!(panic_of(|| Saves::first(32)).contains("Saves::first: at most 31 inputs"));
}

/// exp(x), which the recorder gets as a by-product instead of as the output.
#[derive(Debug)]
struct ByProduct(Option<Array>);

impl Op for ByProduct {
    fn name(&self) -> &'static str {
        "by_product"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let y = inputs[0].exp();
        self.0 = Some(y.clone());
        y.scale(2.0)
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn by_product(&mut self) -> Option<Array> {
        self.0.take()
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        assert!(saved.input(0).item() == 0.0 && saved.output().item() == 2.0);
        give.to(0, || grad * saved.by_product() * 2.0);
    }
}

#[test]
fn backward_frees_by_products() {
    let x = leaf64([0.0]);
    let y = Tensor::apply(ByProduct(None), &[&x]);
    y.backward();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [2.0]);
    assert!(
        panic_of(|| y.backward()).starts_with("by_product: trying to backward through the graph a second")
    );
}
