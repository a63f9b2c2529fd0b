//! The names of `grad_fn` are those that PyTorch prints.
//!
//! Each name below was printed once by PyTorch 2.15.0 for the same call with the same shapes, as
//! `type(y.grad_fn).__name__`. Known to differ, because one node does here what PyTorch does in another way:
//! `2.0 / x` (PyTorch multiplies the reciprocal), `var` and `std` (composed here), `cross_entropy` with
//! weights or more dims than two, `nll_loss`, `glu` and `prelu` (composed here), and the capitals of `Log1P`,
//! `Deg2Rad` and `Rad2Deg`.

use rushlight_autograd::array::DType;
use rushlight_autograd::ops::*;
use rushlight_autograd::{Tensor, tensor};

fn leaf<const R: usize, const C: usize>(values: [[f64; C]; R]) -> Tensor {
    tensor(values).requires_grad_()
}

fn row<const N: usize>(values: [f64; N]) -> Tensor {
    tensor(values).requires_grad_()
}

/// The calls whose names differ.
fn differing(cases: Vec<(&str, Tensor)>) -> Vec<String> {
    cases
        .into_iter()
        .filter(|(name, y)| y.grad_fn().as_deref() != Some(name))
        .map(|(name, y)| format!("{} should be {name}", y.grad_fn().unwrap_or_default()))
        .collect()
}

#[test]
fn elementwise_names_are_pytorchs() {
    let x = leaf([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let large = x.gt(2.0);
    let cases = vec![
        ("AddBackward0", &x + &x),
        ("AddBackward0", &x + 1.0),
        ("AddBackward0", 1.0 + &x),
        ("SubBackward0", &x - &x),
        ("SubBackward0", &x - 1.0),
        ("RsubBackward1", 1.0 - &x),
        ("MulBackward0", &x * &x),
        ("MulBackward0", &x * 2.0),
        ("MulBackward0", 2.0 * &x),
        ("DivBackward0", &x / &x),
        ("DivBackward0", &x / 2.0),
        ("NegBackward0", -&x),
        ("PowBackward0", x.pow(2)),
        ("PowBackward0", x.square()),
        ("PowBackward1", x.pow(&x)),
        ("MaximumBackward0", x.maximum(&x)),
        ("MinimumBackward0", x.minimum(&x)),
        ("ExpBackward0", x.exp()),
        ("LogBackward0", x.log()),
        ("SqrtBackward0", x.sqrt()),
        ("ReciprocalBackward0", x.reciprocal()),
        ("SinBackward0", x.sin()),
        ("CosBackward0", x.cos()),
        ("TanhBackward0", x.tanh()),
        ("SigmoidBackward0", x.sigmoid()),
        ("ReluBackward0", x.relu()),
        ("AbsBackward0", x.abs()),
        ("SignBackward0", x.sign()),
        ("FloorBackward0", x.floor()),
        ("LeakyReluBackward0", x.leaky_relu_with(0.1)),
        ("ClampBackward1", x.clamp(0.0, 1.0)),
        ("AcosBackward0", x.acos()),
        ("AcoshBackward0", x.acosh()),
        ("AsinBackward0", x.asin()),
        ("AsinhBackward0", x.asinh()),
        ("AtanBackward0", x.atan()),
        ("AtanhBackward0", x.atanh()),
        ("CeilBackward0", x.ceil()),
        ("CoshBackward0", x.cosh()),
        ("DigammaBackward0", x.digamma()),
        ("ErfBackward0", x.erf()),
        ("ErfcBackward0", x.erfc()),
        ("ErfinvBackward0", x.erfinv()),
        ("Exp2Backward0", x.exp2()),
        ("Expm1Backward0", x.expm1()),
        ("FracBackward0", x.frac()),
        ("I0Backward0", x.i0()),
        ("LgammaBackward0", x.lgamma()),
        ("Log10Backward0", x.log10()),
        ("Log2Backward0", x.log2()),
        ("LogitBackward0", x.logit()),
        ("RoundBackward0", x.round()),
        ("RsqrtBackward0", x.rsqrt()),
        ("SincBackward0", x.sinc()),
        ("SinhBackward0", x.sinh()),
        ("TanBackward0", x.tan()),
        ("TruncBackward0", x.trunc()),
        ("NanToNumBackward0", x.nan_to_num()),
        ("AngleBackward0", x.angle()),
        ("GeluBackward0", x.gelu()),
        ("SiluBackward0", x.silu()),
        ("MishBackward0", x.mish()),
        ("SoftplusBackward0", x.softplus()),
        ("EluBackward0", x.elu()),
        ("EluBackward0", x.selu()),
        ("HardsigmoidBackward0", x.hardsigmoid()),
        ("HardswishBackward0", x.hardswish()),
        ("HardtanhBackward0", x.hardtanh()),
        ("HardtanhBackward0", x.relu6()),
        ("LogSigmoidBackward0", x.logsigmoid()),
        ("DivBackward0", x.softsign()),
        ("SubBackward0", x.tanhshrink()),
        ("HardshrinkBackward0", x.hardshrink()),
        ("SoftshrinkBackward0", x.softshrink()),
        ("PolygammaBackward0", x.polygamma(1)),
        ("FrexpBackward0", x.frexp().0),
        ("ThresholdBackward0", x.threshold(0.0, 1.0)),
        ("SoftmaxBackward0", x.softmin(0)),
        ("ClampBackward0", x.clamp(&x, &x)),
        ("ClampMinBackward0", x.clamp_min(0.0)),
        ("ClampMinBackward1", x.clamp_min(&x)),
        ("ClampMaxBackward0", x.clamp_max(0)),
        ("ClampMaxBackward1", x.clamp_max(&x)),
        ("FmaxBackward0", x.fmax(&x)),
        ("FminBackward0", x.fmin(&x)),
        ("RemainderBackward1", x.remainder(&x)),
        ("FmodBackward1", x.fmod(&x)),
        ("DivBackward2", x.div_with(&x, RoundingMode::Floor)),
        ("Atan2Backward0", x.atan2(&x)),
        ("HypotBackward0", x.hypot(&x)),
        ("CopysignBackward0", x.copysign(&x)),
        ("XlogyBackward0", x.xlogy(&x)),
        ("LogaddexpBackward0", x.logaddexp(&x)),
        ("Logaddexp2Backward0", x.logaddexp2(&x)),
        ("IgammaBackward0", x.detach().igamma(&x)),
        ("IgammacBackward0", x.detach().igammac(&x)),
        ("LerpBackward1", x.lerp(&x, &x)),
        ("AddcmulBackward0", x.addcmul(&x, &x)),
        ("AddcdivBackward0", x.addcdiv(&x, &x)),
        ("AddBackward0", x.add_with(&x, 2)),
        ("SubBackward0", x.sub_with(&x, 2)),
        ("FillBackward0", x.fill(2)),
        ("WhereBackward0", where_(&large, &x, &x)),
        ("MaskedFillBackward0", x.masked_fill(&large, 0.0)),
    ];
    assert_eq!(differing(cases), [""; 0]);
}

#[test]
fn reduction_names_are_pytorchs() {
    let x = leaf([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let cases = vec![
        ("SumBackward0", x.sum()),
        ("SumBackward1", x.sum_dim(1, false)),
        ("MeanBackward0", x.mean()),
        ("MeanBackward1", x.mean_dim(1, false)),
        ("ProdBackward0", x.prod()),
        ("MaxBackward1", x.max()),
        ("MinBackward1", x.min()),
        ("MaxBackward0", x.max_dim(0, false).0),
        ("MaxBackward0", x.max_dim(0, true).0),
        ("MinBackward0", x.min_dim(1, false).0),
        ("AmaxBackward0", x.amax(1, false)),
        ("AminBackward0", x.amin([0, 1], false)),
        ("SoftmaxBackward0", x.softmax(1)),
        ("LogSoftmaxBackward0", x.log_softmax(1)),
        ("LogsumexpBackward0", x.logsumexp(1, false)),
        ("LogsumexpBackward0", x.logsumexp(1, true)),
    ];
    assert_eq!(differing(cases), [""; 0]);
}

#[test]
fn layout_names_are_pytorchs() {
    let x = leaf([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let v = row([1.0, 2.0, 3.0]);
    let cases = vec![
        ("ViewBackward0", x.reshape([3, 2])),
        ("UnsafeViewBackward0", x.t().reshape([6])),
        ("ViewBackward0", x.view([6])),
        ("ViewBackward0", x.flatten(0, -1)),
        ("UnsafeViewBackward0", x.t().flatten(0, -1)),
        ("UnsqueezeBackward0", x.unsqueeze(0)),
        ("SqueezeBackward0", x.squeeze()),
        ("SqueezeBackward1", x.squeeze_dim(0)),
        ("TBackward0", x.t()),
        ("TransposeBackward0", x.transpose(0, 1)),
        ("PermuteBackward0", x.permute([1, 0])),
        ("ExpandBackward0", v.expand([2, 3])),
        ("SliceBackward0", x.narrow(1, 0, 2)),
        ("SelectBackward0", x.select(0, 1)),
        ("SelectBackward0", x.get(0)),
        ("SliceBackward0", x.get((.., 1..))),
        ("IndexBackward0", x.get(&x.gt(2.0))),
        ("IndexBackward0", x.get(&tensor([0, 1]))),
        ("UnfoldBackward0", v.unfold(0, 2, 1)),
        ("SplitBackward0", x.split(1, 0).remove(0)),
        ("CloneBackward0", x.t().contiguous()),
        ("CloneBackward0", x.copy()),
        ("SqueezeBackward2", x.squeeze_dim([0, 1])),
        ("PermuteBackward0", x.T()),
        ("TransposeBackward0", x.mT()),
        ("TransposeBackward0", x.H()),
        ("PermuteBackward0", x.movedim(0, 1)),
        ("ViewBackward0", x.unflatten(1, [3, 1])),
        ("ViewBackward0", x.ravel()),
        ("SplitBackward0", x.chunk(2, 0).remove(0)),
        ("SplitWithSizesBackward0", x.split([1, 2], 1).remove(0)),
        ("SliceBackward0", x.tensor_split(2, 0).remove(0)),
        ("UnbindBackward0", x.unbind(0).remove(0)),
        ("ExpandBackward0", v.broadcast_to([2, 3])),
        ("AsStridedBackward0", x.as_strided([2], &[1])),
        ("AsStridedScatterBackward0", x.as_strided_scatter(&row([1.0, 2.0, 3.0]), [3], &[1])),
        ("SelectScatterBackward0", x.select_scatter(&v, 0, 0)),
        ("SliceScatterBackward0", x.slice_scatter(&x, 0)),
        ("DiagonalBackward0", x.diagonal()),
        ("DiagEmbedBackward0", v.diag()),
        ("FlipBackward0", x.flip(0)),
        ("RollBackward0", x.roll_dim(1, 0)),
        ("TrilBackward0", x.tril()),
        ("TriuBackward0", x.triu()),
        ("ConstantPadNdBackward0", pad(&x, [1, 1])),
        ("ToCopyBackward0", x.to(DType::F64)),
    ];
    assert_eq!(differing(cases), [""; 0]);
    // Nothing to merge: PyTorch returns the tensor itself.
    assert!(v.flatten(0, -1).is(&v));
}

#[test]
fn product_names_are_pytorchs() {
    let x = leaf([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let w = leaf([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]);
    let (v, b) = (row([1.0, 2.0, 3.0]), row([1.0, 2.0]));
    let x3 = tensor([[[1.0, 1.0, 1.0]; 2]; 2]).requires_grad_();
    let cases = vec![
        ("DotBackward0", v.matmul(&v)),
        ("MvBackward0", x.matmul(&v)),
        ("SqueezeBackward4", b.matmul(&x)),
        ("MmBackward0", x.matmul(&w.t())),
        ("UnsafeViewBackward0", x3.matmul(&w.t())),
        ("UnsafeViewBackward0", x3.matmul(&x3.detach().transpose(1, 2))),
        ("UnsafeViewBackward0", x3.matmul(&v)),
        ("AddmmBackward0", linear(&x, &w, Some(&b))),
        ("MmBackward0", linear(&x, &w, None)),
        ("UnsafeViewBackward0", linear(&x3, &w, Some(&b))),
        ("UnsafeViewBackward0", linear(&x3, &w, None)),
        ("UnsafeViewBackward0", linear(&v, &w, Some(&b))),
        ("SqueezeBackward4", linear(&v, &w, None)),
    ];
    assert_eq!(differing(cases), [""; 0]);
}

#[test]
fn index_and_loss_names_are_pytorchs() {
    let x = leaf([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let w = leaf([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]);
    let (p, b) = (row([0.5, 0.25]), row([1.0, 2.0]));
    let (index, yes, classes) = (tensor([[0, 1, 0]]), tensor([1.0, 0.0]), tensor([0, 1]));
    let each = CrossEntropyOptions { reduction: Reduction::None, ..CrossEntropyOptions::default() };
    let cases = vec![
        ("CatBackward0", cat(&[&x, &x], 0)),
        ("StackBackward0", stack(&[&x, &x], 0)),
        ("IndexSelectBackward0", x.index_select(0, &tensor([0]))),
        ("IndexAddBackward0", x.index_add(0, &tensor([0, 1]), &w)),
        ("GatherBackward0", x.gather(0, &index)),
        ("ScatterBackward0", x.scatter(0, &index, &w)),
        ("ScatterAddBackward0", x.scatter_add(0, &index, &w)),
        ("MaskedSelectBackward0", x.masked_select(&x.gt(2.0))),
        ("MseLossBackward0", mse_loss(&x, &w)),
        ("BinaryCrossEntropyBackward0", binary_cross_entropy(&p, &yes)),
        ("BinaryCrossEntropyWithLogitsBackward0", binary_cross_entropy_with_logits(&b, &yes)),
        ("NllLossBackward0", cross_entropy(&x, &classes)),
        ("NllLossBackward0", cross_entropy_with(&x, &classes, &each)),
        ("NllLossBackward0", cross_entropy(&p, &tensor(0))),
    ];
    assert_eq!(differing(cases), [""; 0]);
}
