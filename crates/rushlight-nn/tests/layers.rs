//! Every layer against PyTorch's: printed form, names and first values of the state, results, gradients, and what a
//! forward pass leaves behind. The records are made by golden/make_layers.py.

use rushlight_array::random::{TorchSeed, manual_seed};
use rushlight_array::{Array, DType};
use rushlight_autograd::Tensor;
use rushlight_nn::functional::{
    AvgPoolOptions, Conv2dOptions, ConvOptions, ConvTransposeOptions, EmbeddingBagMode, EmbeddingBagOptions,
    EmbeddingOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions, PadMode, Padding, Resize,
};
use rushlight_nn::*;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn records() -> Value {
    serde_json::from_str(include_str!("golden/layers.json")).expect("the golden file is JSON")
}

fn tensor(v: &Value) -> Tensor {
    let shape: Vec<usize> =
        v["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let data = v["data"].as_array().unwrap();
    let array = if v["dtype"] == "I64" {
        Array::from_vec(data.iter().map(|n| n.as_i64().unwrap()).collect::<Vec<i64>>(), shape.as_slice())
    } else {
        Array::from_vec(
            data.iter().map(|n| n.as_f64().unwrap() as f32).collect::<Vec<f32>>(),
            shape.as_slice(),
        )
    };
    Tensor::constant(array)
}

#[track_caller]
fn check(what: &str, actual: &Tensor, expected: &Value, tolerance: f64) {
    let expected = tensor(expected);
    assert_eq!(actual.shape(), expected.shape(), "{what}");
    assert_eq!(actual.dtype(), expected.dtype(), "{what}");
    let (a, e) = (actual.to(DType::F64), expected.to(DType::F64));
    assert!(a.allclose(&e, tolerance, tolerance), "{what}: is {actual}\nPyTorch has {expected}");
}

/// What golden/make_layers.py multiplies the outputs with before it sums them up.
fn weights(shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let values =
        (5..5 + count).map(|i| (((37 * i + 11) % 256) as f64 / 128.0 - 1.0) as f32).collect::<Vec<f32>>();
    Tensor::constant(Array::from_vec(values, shape))
}

/// Makes the layer from its seed and compares all that the record has.
fn compare<M: Module + std::fmt::Display>(
    record: &Value,
    make: impl FnOnce() -> M,
    call: impl Fn(&M, &[Tensor]) -> Vec<Tensor>,
) {
    manual_seed(TorchSeed(7));
    let layer = make();
    assert_eq!(layer.to_string(), record["repr"].as_str().unwrap());
    let state = layer.state_dict();
    let expected = record["state"].as_object().unwrap();
    let names: Vec<&str> = state.iter().map(|(name, _)| name.as_str()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    let mut wanted: Vec<&str> = expected.keys().map(String::as_str).collect();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted);
    for (name, value) in &state {
        check(name, value, &expected[name], 1e-6);
    }
    if record["train"] == false {
        layer.eval();
    }
    let inputs: Vec<Tensor> = record["inputs"].as_array().unwrap().iter().map(tensor).collect();
    let outputs = call(&layer, &inputs);
    for (i, (output, expected)) in outputs.iter().zip(record["outputs"].as_array().unwrap()).enumerate() {
        check(&format!("output {i}"), output, expected, 2e-5);
    }
    if let Some(grads) = record["grads"].as_object() {
        let mut total: Option<Tensor> = None;
        for output in outputs.iter().filter(|y| y.dtype().is_float()) {
            let part = (output * weights(&output.shape())).sum();
            total = Some(match total {
                Some(total) => total + part,
                None => part,
            });
        }
        total.expect("there is an output").backward();
        for (name, parameter) in layer.named_parameters() {
            match grads.get(&name) {
                Some(expected) => {
                    check(&format!("gradient of {name}"), &parameter.grad().expect(&name), expected, 1e-4)
                }
                None => assert!(parameter.grad().is_none(), "{name} has a gradient"),
            }
        }
    }
    for (name, expected) in record["after"].as_object().unwrap() {
        let state = layer.state_dict();
        let (_, value) = state.iter().find(|(known, _)| known == name).expect(name);
        check(&format!("{name} afterwards"), value, expected, 1e-5);
    }
}

fn one<M: Module + std::fmt::Display>(record: &Value, make: impl FnOnce() -> M) {
    compare(record, make, |layer, x| vec![layer.forward(&x[0])]);
}

fn pair(states: (Tensor, (Tensor, Tensor))) -> Vec<Tensor> {
    vec![states.0, states.1.0, states.1.1]
}

fn run(key: &str, r: &Value) {
    let rnn = RnnOptions::default();
    let stack = |y: (Tensor, Tensor)| vec![y.0, y.1];
    let attention = |y: (Tensor, Option<Tensor>)| vec![y.0, y.1.expect("the weights are needed")];
    let transformer = TransformerOptions { dim_feedforward: 6, dropout: 0.0, ..Default::default() };
    match key {
        "Linear" => one(r, || Linear::new(3, 2)),
        "Bilinear" => compare(r, || Bilinear::new(2, 3, 2), |m, x| vec![m.forward(&x[0], &x[1])]),
        "Conv1d" => one(r, || {
            Conv1d::with(
                4,
                6,
                3,
                ConvOptions { stride: [2], padding: 1.into(), groups: 2, ..Default::default() },
            )
        }),
        "Conv2d" => one(r, || Conv2d::new(2, 3, 3)),
        "Conv2d same" => one(r, || {
            let options = ConvOptions { padding: Padding::Same, dilation: [1, 2], ..Default::default() };
            Conv2d::without_bias(2, 3, [3, 2], options)
        }),
        "Conv2d circular" => one(r, || {
            let options = Conv2dOptions { padding: [1, 2].into(), ..Default::default() };
            Conv2d::with(2, 3, 3, options).padding_mode(PadMode::Circular)
        }),
        "Conv2d reflect" => one(r, || {
            let options = Conv2dOptions { stride: [2, 2], padding: 1.into(), ..Default::default() };
            Conv2d::with(2, 3, 3, options).padding_mode(PadMode::Reflect)
        }),
        "Conv3d" => one(r, || Conv3d::new(1, 2, 2)),
        "ConvTranspose1d" => one(r, || {
            ConvTranspose1d::with(2, 3, 3, ConvTransposeOptions { stride: [2], ..Default::default() })
        }),
        "ConvTranspose2d" => one(r, || {
            let options = ConvTransposeOptions {
                stride: [2, 2],
                padding: [1, 1],
                output_padding: [1, 1],
                groups: 2,
                dilation: [2, 2],
            };
            ConvTranspose2d::with(4, 2, 3, options)
        }),
        "ConvTranspose3d" => {
            one(r, || ConvTranspose3d::without_bias(1, 2, 2, ConvTransposeOptions::default()))
        }
        "MaxPool1d" => one(r, || MaxPool1d::new(2)),
        "MaxPool2d" => one(r, || {
            let options = MaxPoolOptions {
                stride: Some([2, 2]),
                padding: [1, 1],
                ceil_mode: true,
                ..Default::default()
            };
            MaxPool2d::with(3, options)
        }),
        "MaxPool3d" => one(r, || MaxPool3d::new([1, 2, 2])),
        "AvgPool1d" => one(r, || AvgPool1d::new(2)),
        "AvgPool2d" => one(r, || {
            let options = AvgPoolOptions { padding: [1, 1], count_include_pad: false, ..Default::default() };
            AvgPool2d::with(2, options)
        }),
        "AvgPool3d" => one(r, || AvgPool3d::new(2)),
        "AdaptiveAvgPool2d" => one(r, || AdaptiveAvgPool2d::new([2, 3])),
        "AdaptiveMaxPool1d" => one(r, || AdaptiveMaxPool1d::new(3)),
        "BatchNorm1d" | "BatchNorm1d eval" => one(r, || BatchNorm1d::new(3)),
        "BatchNorm2d" => {
            one(r, || BatchNorm2d::with(3, BatchNormOptions { momentum: None, ..Default::default() }))
        }
        "BatchNorm3d" => one(r, || {
            let options =
                BatchNormOptions { affine: false, track_running_stats: false, ..Default::default() };
            BatchNorm3d::with(2, options)
        }),
        "InstanceNorm1d" => {
            one(r, || InstanceNorm1d::with(3, InstanceNormOptions { affine: true, ..Default::default() }));
        }
        "InstanceNorm2d" => one(r, || InstanceNorm2d::new(3)),
        "InstanceNorm2d track" => one(r, || {
            InstanceNorm2d::with(3, InstanceNormOptions { track_running_stats: true, ..Default::default() })
        }),
        "LayerNorm" => one(r, || LayerNorm::new([3, 4])),
        "LayerNorm without bias" => {
            one(r, || LayerNorm::with([4], LayerNormOptions { bias: false, ..Default::default() }));
        }
        "RMSNorm" => one(r, || RMSNorm::new([4])),
        "GroupNorm" => one(r, || GroupNorm::new(2, 4)),
        "LocalResponseNorm" => one(r, || LocalResponseNorm::new(2)),
        "Embedding" => {
            one(r, || Embedding::with(6, 3, EmbeddingOptions { padding_idx: Some(-2), ..Default::default() }))
        }
        "EmbeddingBag" => compare(
            r,
            || {
                EmbeddingBag::with(
                    6,
                    3,
                    EmbeddingBagOptions { mode: EmbeddingBagMode::Sum, ..Default::default() },
                )
            },
            |m, x| vec![m.forward(&x[0], None)],
        ),
        "RNN" => {
            let nonlinearity = RnnNonlinearity::Relu;
            let options = RnnOptions { num_layers: 2, nonlinearity, batch_first: true, ..rnn };
            compare(r, || RNN::with(3, 4, options), |m, x| stack(m.forward(&x[0], None)));
        }
        "LSTM" => {
            let options = RnnOptions { num_layers: 2, bidirectional: true, ..rnn };
            compare(r, || LSTM::with(3, 4, options), |m, x| pair(m.forward(&x[0], None)));
        }
        "LSTM projected" => {
            let options = RnnOptions { proj_size: 2, batch_first: true, ..rnn };
            compare(r, || LSTM::with(3, 4, options), |m, x| pair(m.forward(&x[0], None)));
        }
        "LSTM states" => {
            let options = RnnOptions { bias: false, ..rnn };
            let states = |x: &[Tensor]| Some((x[1].clone(), x[2].clone()));
            compare(r, || LSTM::with(3, 4, options), |m, x| pair(m.forward(&x[0], states(x))));
        }
        "GRU" => {
            let options = RnnOptions { bidirectional: true, ..rnn };
            compare(r, || GRU::with(3, 4, options), |m, x| stack(m.forward(&x[0], None)));
        }
        "RNNCell" => compare(r, || RNNCell::new(3, 4, true), |m, x| vec![m.forward(&x[0], None)]),
        "LSTMCell" => compare(
            r,
            || LSTMCell::new(3, 4, true),
            |m, x| {
                let (h, c) = m.forward(&x[0], None);
                vec![h, c]
            },
        ),
        "GRUCell" => {
            compare(r, || GRUCell::new(3, 4, false), |m, x| vec![m.forward(&x[0], Some(x[1].clone()))]);
        }
        "MultiheadAttention" => {
            compare(r, || MultiheadAttention::new(4, 2), |m, x| attention(m.forward(&x[0], &x[1], &x[2])));
        }
        "MultiheadAttention apart" => {
            let options = MultiheadAttentionOptions {
                kdim: Some(3),
                vdim: Some(5),
                add_bias_kv: true,
                add_zero_attn: true,
                batch_first: true,
                ..Default::default()
            };
            let make = || MultiheadAttention::with(4, 2, options);
            compare(r, make, |m, x| attention(m.forward(&x[0], &x[1], &x[2])));
        }
        "TransformerEncoderLayer" => {
            one(r, || {
                TransformerEncoderLayer::with(4, 2, TransformerOptions { batch_first: true, ..transformer })
            });
        }
        "TransformerEncoderLayer first" => {
            let activation = TransformerActivation::Gelu;
            let options = TransformerOptions { activation, norm_first: true, bias: false, ..transformer };
            let mask = generate_square_subsequent_mask(3);
            compare(
                r,
                || TransformerEncoderLayer::with(4, 2, options),
                |m, x| {
                    vec![m.forward_with(&x[0], TransformerMasks { mask: Some(&mask), ..Default::default() })]
                },
            );
        }
        "TransformerDecoderLayer" => compare(
            r,
            || TransformerDecoderLayer::with(4, 2, transformer),
            |m, x| vec![m.forward(&x[0], &x[1])],
        ),
        "Flatten" => one(r, Flatten::default),
        "Unflatten" => one(r, || Unflatten::new(1, [3, 2])),
        "PixelShuffle" => one(r, || PixelShuffle::new(2)),
        "PixelUnshuffle" => one(r, || PixelUnshuffle::new(2)),
        "Upsample" => one(r, || {
            let options = InterpolateOptions {
                mode: InterpolateMode::Bilinear,
                align_corners: Some(true),
                ..Default::default()
            };
            Upsample::with(Resize::Scale(vec![2.0]), options)
        }),
        "ZeroPad2d" => one(r, || ZeroPad2d::new([1, 2, 0, 1])),
        "ConstantPad1d" => one(r, || ConstantPad1d::new([1, 2], 3.5)),
        "ReflectionPad1d" => one(r, || ReflectionPad1d::new([1, 2])),
        "PReLU" => one(r, || PReLU::new(3, 0.25)),
        "ReLU" => one(r, || ReLU),
        "ReLU6" => one(r, || ReLU6),
        "Tanh" => one(r, || Tanh),
        "Sigmoid" => one(r, || Sigmoid),
        "LogSigmoid" => one(r, || LogSigmoid),
        "SiLU" => one(r, || SiLU),
        "Mish" => one(r, || Mish),
        "SELU" => one(r, || SELU),
        "Hardsigmoid" => one(r, || Hardsigmoid),
        "Hardswish" => one(r, || Hardswish),
        "Softsign" => one(r, || Softsign),
        "Tanhshrink" => one(r, || Tanhshrink),
        "LeakyReLU" => one(r, LeakyReLU::default),
        "ELU" => one(r, ELU::default),
        "CELU" => one(r, CELU::default),
        "Softplus" => one(r, Softplus::default),
        "Hardtanh" => one(r, Hardtanh::default),
        "Hardshrink" => one(r, Hardshrink::default),
        "Softshrink" => one(r, Softshrink::default),
        "GELU" => one(r, GELU::new),
        "GELU tanh" => one(r, GELU::tanh),
        "Threshold" => one(r, || Threshold::new(0.1, 20.0)),
        "RReLU eval" => one(r, RReLU::default),
        "Softmax" => one(r, || Softmax::new(1)),
        "Softmin" => one(r, || Softmin::new(1)),
        "LogSoftmax" => one(r, || LogSoftmax::new(1)),
        "GLU" => one(r, || GLU::new(1)),
        "Dropout eval" => one(r, || Dropout::new(0.25)),
        "Dropout1d eval" => one(r, || Dropout1d::new(0.25)),
        "Dropout2d eval" => one(r, || Dropout2d::new(0.25)),
        "Dropout3d eval" => one(r, || Dropout3d::new(0.25)),
        "AlphaDropout eval" => one(r, || AlphaDropout::new(0.25)),
        key => panic!("no layer for the record {key}"),
    }
}

// One test for all: the default generator, from which layers draw, is the process's.
#[test]
fn layers_and_starting_values_are_pytorchs() {
    let records = records();
    let mut failures = Vec::new();
    for record in records["layers"].as_array().unwrap() {
        let key = record["key"].as_str().unwrap();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(key, record))) {
            let text = panic.downcast_ref::<String>().cloned();
            failures.push(format!("{key}: {}", text.unwrap_or_else(|| "it panicked".to_owned())));
        }
    }
    for (name, expected) in records["inits"].as_object().unwrap() {
        manual_seed(TorchSeed(7));
        let shape: &[usize] = if name == "dirac_" { &[4, 2, 3, 3] } else { &[5, 3] };
        let weight = Parameter::new(Array::zeros(shape, DType::F32));
        match name.as_str() {
            "trunc_normal_" => init::trunc_normal_(&weight, 0.5, 2.0, -1.0, 2.0),
            "trunc_normal_ far" => init::trunc_normal_(&weight, 0.0, 1.0, 0.6, 1.0),
            "eye_" => init::eye_(&weight),
            "orthogonal_" => init::orthogonal_(&weight, 1.0),
            "sparse_" => init::sparse_(&weight, 0.4, 0.01),
            "dirac_" => init::dirac_(&weight, 2),
            name => panic!("no function for {name}"),
        }
        let value = weight.detach();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(name, &value, expected, 1e-5))) {
            failures.push(panic.downcast_ref::<String>().cloned().unwrap_or_default());
        }
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
}
