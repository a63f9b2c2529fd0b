//! Arithmetic of three tensors in one pass.

use super::inplace::in_place;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::Operand;
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, Scalar};

/// a + weight (end - a).
#[derive(Debug)]
struct Lerp;

impl Op for Lerp {
    fn name(&self) -> &'static str {
        "lerp"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].lerp(inputs[1], inputs[2])
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad * (1.0 - saved.input(2)));
        give.to(1, || grad * saved.input(2));
        give.to(2, || grad * (saved.input(1) - saved.input(0)));
    }
    fn grad_fn(&self) -> String {
        "LerpBackward1".to_string()
    }
}

/// x + value a b.
#[derive(Debug)]
struct Addcmul(Scalar);

impl Op for Addcmul {
    fn name(&self) -> &'static str {
        "addcmul"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].addcmul(inputs[1], inputs[2], self.0)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let value = self.0.to_f64();
        give.to(0, || grad.clone());
        give.to(1, || grad * (saved.input(2) * value));
        give.to(2, || grad * (saved.input(1) * value));
    }
}

/// x + value a / b.
#[derive(Debug)]
struct Addcdiv(f64);

impl Op for Addcdiv {
    fn name(&self) -> &'static str {
        "addcdiv"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].addcdiv(inputs[1], inputs[2], self.0)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.clone());
        give.to(1, || grad * (self.0 / saved.input(2)));
        give.to(2, || {
            let b = saved.input(2);
            -(grad * (saved.input(1) * self.0 / &b / &b))
        });
    }
}

in_place! {
    lerp_<'a> = lerp(end: &Tensor, weight: impl Into<Operand<'a>>);
    addcmul_ = addcmul(a: &Tensor, b: &Tensor);
    addcmul_with_ = addcmul_with(a: &Tensor, b: &Tensor, value: impl Into<Scalar>);
    addcdiv_ = addcdiv(a: &Tensor, b: &Tensor);
    addcdiv_with_ = addcdiv_with(a: &Tensor, b: &Tensor, value: impl Into<Scalar>);
}

impl Tensor {
    /// The way from this tensor to `end`: x + weight (end - x). The weight is a tensor or a number.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let (x, y) = (tensor([1.0, 2.0]), tensor([3.0, 6.0]));
    /// assert_eq!(x.lerp(&y, 0.25).to_vec::<f32>(), [1.5, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or the dtypes are not one float type.
    #[track_caller]
    pub fn lerp<'a>(&self, end: &Tensor, weight: impl Into<Operand<'a>>) -> Tensor {
        Tensor::apply(Lerp, &[self, end, &weight.into().tensor(self)])
    }

    /// x + a b.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or all are bools.
    #[track_caller]
    pub fn addcmul(&self, a: &Tensor, b: &Tensor) -> Tensor {
        self.addcmul_with(a, b, 1)
    }

    /// x + value a b, in one pass. Beside integers the value is cut to one.
    ///
    /// # Panics
    /// As [`Tensor::addcmul`].
    #[track_caller]
    pub fn addcmul_with(&self, a: &Tensor, b: &Tensor, value: impl Into<Scalar>) -> Tensor {
        Tensor::apply(Addcmul(value.into()), &[self, a, b])
    }

    /// x + a / b.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or neither a nor b is a float.
    #[track_caller]
    pub fn addcdiv(&self, a: &Tensor, b: &Tensor) -> Tensor {
        self.addcdiv_with(a, b, 1.0)
    }

    /// x + value a / b, in one pass.
    ///
    /// # Panics
    /// As [`Tensor::addcdiv`].
    #[track_caller]
    pub fn addcdiv_with(&self, a: &Tensor, b: &Tensor, value: impl Into<Scalar>) -> Tensor {
        Tensor::apply(Addcdiv(value.into().to_f64()), &[self, a, b])
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Lerp", "lerp", "torch.lerp", |draw| match draw.coin() {
        true => three(draw, Domain::Any, |x| x[0].lerp(&x[1], &x[2])),
        false => three(draw, Domain::Any, |x| x[0].lerp(&x[1], 0.3) + &x[2]),
    })
    .rejects(|| {
        vec![
            Reject::new("lerp: not defined for int64", || {
                integers().lerp(&integers(), 0.5);
            }),
            Reject::new("lerp: the end is int64 beside float32; cast one with .to(DType::F32)", || {
                floats([3]).lerp(&integers(), 0.5);
            }),
        ]
    }),
    OpInfo::op("Addcmul", "addcmul", "torch.addcmul", |draw| match draw.coin() {
        true => three(draw, Domain::Any, |x| x[0].addcmul(&x[1], &x[2])),
        false => three(draw, Domain::Any, |x| x[0].addcmul_with(&x[1], &x[2], -1.7)),
    })
    .rejects(|| {
        vec![Reject::new("addcmul: not defined for bool", || {
            let mask = integers().gt(1);
            mask.addcmul(&mask, &mask);
        })]
    }),
    OpInfo::op("Addcdiv", "addcdiv", "torch.addcdiv", |draw| match draw.coin() {
        true => three(draw, Domain::NonZero, |x| x[0].addcdiv(&x[1], &x[2])),
        false => three(draw, Domain::NonZero, |x| x[0].addcdiv_with(&x[1], &x[2], -1.7)),
    })
    .rejects(|| {
        vec![Reject::new("addcdiv: not defined for a quotient of int64 and int64", || {
            floats([3]).addcdiv(&integers(), &integers());
        })]
    }),
];

/// A sample with three leaves that broadcast.
fn three(draw: &mut Draw<'_>, domain: Domain, call: impl Fn(&[Tensor]) -> Tensor + 'static) -> Sample {
    let (a, b) = draw.broadcast_pair();
    let shapes = if draw.coin() { [&a, &b, &a] } else { [&b, &a, &b] };
    Sample::new(shapes.map(|shape| draw.leaf(shape, domain)).into(), call)
}
