//! The rows of activation functions.

use super::super::unary::one;
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use rushlight_array::axis;

/// A row for a method of `Activate`, whose rows but for the first count as composed.
macro_rules! activation {
    ($name:ident, $domain:ident, |$x:ident| $call:expr) => {
        OpInfo::composed(stringify!($name), concat!("torch.nn.functional.", stringify!($name)), |draw| {
            one(draw, Domain::$domain, |x| {
                let $x = &x[0];
                $call
            })
        })
    };
}

pub(in crate::ops) const TABLE: &[OpInfo] = &[
    OpInfo::op("Relu", "relu", "torch.relu", |draw| one(draw, Domain::NonZero, |x| x[0].relu())),
    OpInfo::op("GeluOp", "gelu", "torch.nn.functional.gelu", |draw| match draw.coin() {
        true => one(draw, Domain::Any, |x| x[0].gelu()),
        false => one(draw, Domain::Any, |x| x[0].gelu_tanh()),
    })
    .rejects(|| {
        vec![Reject::new("gelu: the dtype is int64, not a float", || {
            integers().gelu();
        })]
    }),
    OpInfo::op("Activate", "silu", "torch.nn.functional.silu", |draw| {
        one(draw, Domain::Any, |x| x[0].silu())
    })
    .rejects(|| {
        vec![Reject::new("silu: the dtype is int64, not a float", || {
            integers().silu();
        })]
    }),
    activation!(relu6, NonZero, |x| (x * 2.7 + 0.3).relu6()),
    OpInfo::composed("leaky_relu", "torch.nn.functional.leaky_relu", |draw| match draw.coin() {
        true => one(draw, Domain::NonZero, |x| x[0].leaky_relu()),
        false => one(draw, Domain::NonZero, |x| x[0].leaky_relu_with(0.1)),
    }),
    OpInfo::composed("prelu", "torch.nn.functional.prelu", |draw| {
        let shape = draw.shape(0, 3);
        let channels = if shape.len() > 1 && draw.coin() { shape[1] } else { 1 };
        let weight = draw.leaf(&[channels], Domain::Any);
        Sample::new(vec![draw.leaf(&shape, Domain::NonZero), weight], |x| x[0].prelu(&x[1]))
    })
    .rejects(|| {
        vec![
            Reject::new(
                "prelu: the weight has 2 elements for an input of shape [4, 3]; it must have 1 or 3",
                || {
                    floats([4, 3]).prelu(&floats([2]));
                },
            ),
            Reject::new("prelu: the weight has the shape [1, 3]; it must have at most one dim", || {
                floats([4, 3]).prelu(&floats([1, 3]));
            }),
            Reject::new("prelu: the dtypes are float32 and int64 of the weight", || {
                floats([4, 3]).prelu(&integers());
            }),
        ]
    }),
    activation!(mish, Any, |x| x.mish()),
    OpInfo::composed("softplus", "torch.nn.functional.softplus", |draw| match draw.coin() {
        true => one(draw, Domain::Any, |x| x[0].softplus()),
        false => one(draw, Domain::NonZero, |x| x[0].softplus_with(3.0, 0.5)),
    }),
    OpInfo::composed("elu", "torch.nn.functional.elu", |draw| match draw.coin() {
        true => one(draw, Domain::NonZero, |x| x[0].elu()),
        false => one(draw, Domain::NonZero, |x| x[0].elu_with(0.8)),
    }),
    OpInfo::composed("celu", "torch.nn.functional.celu", |draw| match draw.coin() {
        true => one(draw, Domain::NonZero, |x| x[0].celu()),
        false => one(draw, Domain::NonZero, |x| x[0].celu_with(0.8)),
    })
    .rejects(|| {
        vec![Reject::new("celu: alpha is 0", || {
            floats([2]).celu_with(0.0);
        })]
    }),
    activation!(selu, NonZero, |x| x.selu()),
    OpInfo::composed("glu", "torch.nn.functional.glu", |draw| {
        let mut shape = draw.shape(1, 3).to_vec();
        let dim = draw.dim(&shape);
        let along = axis("glu", dim, &shape);
        shape[along] *= 2;
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].glu(dim))
    })
    .rejects(|| {
        vec![
            Reject::new("glu: dim -1 of shape [4, 3] has the odd size 3", || {
                floats([4, 3]).glu(-1);
            }),
            Reject::new("glu: dim 2 is out of range for shape [4, 3]; expected -2 to 1", || {
                floats([4, 3]).glu(2);
            }),
            Reject::new("glu: a tensor without dims", || {
                floats([]).glu(0);
            }),
        ]
    }),
    activation!(hardsigmoid, NonZero, |x| (x * 2.0 + 0.3).hardsigmoid()),
    activation!(hardswish, NonZero, |x| (x * 2.0 + 0.3).hardswish()),
    OpInfo::composed("hardtanh", "torch.nn.functional.hardtanh", |draw| match draw.coin() {
        true => one(draw, Domain::Unit, |x| (&x[0] * 3.0).hardtanh()),
        false => one(draw, Domain::NonZero, |x| x[0].hardtanh_with(-2.5, 0.0)),
    })
    .rejects(|| {
        vec![
            Reject::new("hardtanh: min_val is 0.5 and max_val -0.5; the first must not be greater", || {
                floats([2]).hardtanh_with(0.5, -0.5);
            }),
            Reject::new("hardtanh: not defined for bool", || {
                integers().gt(1).hardtanh();
            }),
        ]
    }),
    activation!(logsigmoid, Any, |x| x.logsigmoid()),
    activation!(softsign, NonZero, |x| x.softsign()),
    activation!(tanhshrink, Any, |x| x.tanhshrink()),
    activation!(threshold, NonZero, |x| x.threshold(0.0, 3.0)),
    OpInfo::composed("hardshrink", "torch.nn.functional.hardshrink", |draw| match draw.coin() {
        true => one(draw, Domain::Unit, |x| (&x[0] * 0.7 + 0.55).hardshrink()),
        false => one(draw, Domain::NonZero, |x| x[0].hardshrink_with(0.1)),
    }),
    OpInfo::composed("softshrink", "torch.nn.functional.softshrink", |draw| match draw.coin() {
        true => one(draw, Domain::Unit, |x| (&x[0] * 0.7 + 0.55).softshrink()),
        false => one(draw, Domain::NonZero, |x| x[0].softshrink_with(0.1)),
    })
    .rejects(|| {
        vec![Reject::new("softshrink: lambd is -0.5; it must not be negative", || {
            floats([2]).softshrink_with(-0.5);
        })]
    }),
];
