//! Faults that were found and mended.

use rushlight_autograd::array::DType;
use rushlight_autograd::ops::linalg::{self, NormOrder};
use rushlight_autograd::ops::{
    CdistMode, CrossEntropyOptions, NormOptions, Reduction, cdist_with, cosine_similarity, cross_entropy,
    cross_entropy_with, linear, linear_relu, std_mean,
};
use rushlight_autograd::{
    GradOptions, Tensor, full, full_with, no_grad, ones, tensor, tensor_as, zeros, zeros_with,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn backward_from(y: &Tensor, grad: Tensor) {
    y.backward_with(&GradOptions { grad_outputs: vec![grad], ..GradOptions::default() });
}

#[test]
fn a_sum_in_place_that_fails_leaves_the_tensor_as_it_was() {
    let mut a = tensor([1.0, 2.0]);
    assert!(catch_unwind(AssertUnwindSafe(|| a += &tensor([5.0, 6.0, 7.0]))).is_err());
    assert_eq!(a.to_vec::<f32>(), [1.0, 2.0]);
    a += tensor([1.0, 1.0]);
    a -= &tensor([2.0]);
    assert_eq!(a.to_vec::<f32>(), [0.0, 1.0]);
}

#[test]
fn an_ignored_row_has_no_gradient_whatever_comes_in() {
    let x = zeros([3, 2]).requires_grad_();
    let options = CrossEntropyOptions { reduction: Reduction::None, ..CrossEntropyOptions::default() };
    let losses = cross_entropy_with(&x, &tensor([0, -100, 1]), &options);
    backward_from(&losses, tensor([1.0, f64::INFINITY, 1.0]));
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [-0.5, 0.5, 0.0, 0.0, 0.5, -0.5]);
}

#[test]
fn a_gradient_is_not_the_callers_own_cell() {
    let (x, buffer) = (tensor([2.0]).requires_grad_(), Tensor::new_leaf(tensor([1.0]).array(), false));
    backward_from(&(&x + 1.0), buffer.clone());
    no_grad(|| buffer.set(tensor([9.0])));
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1.0]);
}

#[test]
fn a_linear_layer_without_features_gives_its_bias() {
    for call in [linear, linear_relu] {
        let (w, b) = (zeros([3, 0]).requires_grad_(), ones(3).requires_grad_());
        for shape in [vec![0], vec![4, 0], vec![2, 2, 0]] {
            let y = call(&zeros(shape.as_slice()), &w, Some(&b));
            assert_eq!(y.to_vec::<f32>(), vec![1.0; y.numel()]);
            y.sum().backward();
        }
        assert_eq!(w.grad().unwrap().shape(), [3, 0]);
        assert_eq!(b.grad().unwrap().to_vec::<f32>(), [9.0; 3]);
    }
}

#[test]
fn cross_entropy_without_classes_is_that_of_nothing() {
    let x = zeros([2, 0]).requires_grad_();
    let loss = cross_entropy(&x, &tensor([-100, -100]));
    assert!(loss.item().is_nan());
    loss.backward();
    assert_eq!(x.grad().unwrap().shape(), [2, 0]);
}

fn half<const N: usize>(values: [f64; N]) -> Tensor {
    tensor_as(values, DType::F16)
}

#[test]
fn a_standard_deviation_of_halves_is_not_the_root_of_a_rounded_variance() {
    // 300 sqrt(2) = 424.26, and 424.25 is the nearest half; the variance 180000 is none.
    let x = half([300.0, -300.0]).requires_grad_();
    let y = x.std();
    y.backward();
    assert_eq!(y.item(), 424.25);
    let slope = std::f64::consts::FRAC_1_SQRT_2;
    assert!(x.grad().unwrap().to(DType::F32).allclose(&tensor([slope, -slope]), 1e-3, 0.0));
    assert_eq!(half([300.0, -300.0]).std_dim(0, true).item(), 424.25);
    assert_eq!(std_mean(&half([300.0, -300.0])).0.item(), 424.25);
    // The variance 1e-8 vanishes in f16.
    let small = half([1e-4, -1e-4]).std_with(0, 0.0, false).item();
    assert!((small - 1e-4).abs() < 1e-7, "{small}");
    let same = tensor([2.0, 2.0]).requires_grad_();
    same.std().backward();
    assert_eq!(same.grad().unwrap().to_vec::<f32>(), [0.0, 0.0]);
}

#[test]
fn norms_of_linalg_do_not_overflow_in_halves() {
    assert_eq!(linalg::norm(&half([300.0, 400.0])).item(), 500.0);
    assert_eq!(linalg::matrix_norm(&half([300.0, 400.0]).reshape([1, 2])).item(), 500.0);
}

#[test]
fn the_nuclear_norm_is_the_sum_of_the_singular_values() {
    let options = |dim: Option<Vec<isize>>, keepdim| NormOptions {
        p: NormOrder::Nuc,
        dim: dim.map(|dims| dims.as_slice().into()),
        keepdim,
        ..NormOptions::default()
    };
    assert!((tensor([[3.0, 0.0], [0.0, -4.0]]).norm_with(&options(None, false)).item() - 7.0).abs() < 1e-5);
    // A matrix of ones has the singular values 3, 0 and 0.
    let y = ones([2, 3, 3]).norm_with(&options(Some(vec![1, 2]), true));
    assert_eq!(y.shape(), [2, 1, 1]);
    assert!(y.allclose(&full([2, 1, 1], 3.0), 1e-5, 0.0));
    assert!(catch_unwind(|| ones([2, 3, 3]).norm_with(&options(None, false))).is_err());
}

#[test]
fn products_of_halves_are_scaled_and_added_before_they_are_rounded() {
    let x = full_with([1, 1, 1], 300.0, DType::F16);
    assert_eq!(x.baddbmm_with(&x, &x, 0, 0.1).item(), 9000.0);
    let (matrix, row) = (x.reshape([1, 1]), x.reshape([1]));
    assert_eq!(matrix.addbmm_with(&x, &x, 0, 0.1).item(), 9000.0);
    assert_eq!(matrix.addmm_with(&matrix, &matrix, 0, 0.1).item(), 9000.0);
    assert_eq!(matrix.addr_with(&row, &row, 0, 0.1).item(), 9000.0);
    assert_eq!(row.addmv_with(&matrix, &row, 0, 0.1).item(), 9000.0);
    // 90000 - 60000
    let low = full_with([1, 1], -60000.0, DType::F16);
    assert_eq!(low.addmm(&matrix, &matrix).item(), 30000.0);
}

#[test]
fn the_gradient_of_exact_distances_does_not_cancel() {
    // As `a w - w b` the products are near 2e6, where neighbours differ by an eighth.
    let a = tensor([[1000.1, 500.2]]).requires_grad_();
    let b = tensor([[1000.1003, 500.2004]]).requires_grad_();
    cdist_with(&a, &b, 2.0, CdistMode::NoMm).sum().backward();
    let difference = a.detach().to(DType::F64) - b.detach().to(DType::F64);
    let direction = (&difference / difference.norm()).to(DType::F32);
    assert!(a.grad().unwrap().allclose(&direction, 1e-5, 0.0));
    assert!(b.grad().unwrap().allclose(&-direction, 1e-5, 0.0));
}

#[test]
fn distances_without_features_have_a_graph_and_the_promoted_dtype() {
    for p in [0.0, 1.0, 2.0, f64::INFINITY] {
        let (a, b) = (zeros([2, 0]).requires_grad_(), zeros_with([3, 0], DType::F64));
        let d = cdist_with(&a, &b, p, CdistMode::default());
        assert_eq!((d.shape().to_vec(), d.dtype(), d.requires_grad()), (vec![2, 3], DType::F64, true));
        d.sum().backward();
        assert_eq!(a.grad().unwrap().shape(), [2, 0]);
    }
}

#[test]
fn a_vector_whose_length_overflows_has_the_cosine_0() {
    let (a, b) = (tensor([1e20, 0.0]).requires_grad_(), tensor([1.0, 0.0]).requires_grad_());
    let y = cosine_similarity(&a, &b, 0);
    y.backward();
    assert_eq!(y.item(), 0.0);
    assert_eq!(a.grad().unwrap().to_vec::<f32>(), [0.0, 0.0]);
    assert_eq!(b.grad().unwrap().to_vec::<f32>(), [0.0, 0.0]);
}

#[test]
fn integers_are_clamped_to_exact_bounds() {
    // 2^53 + 1 is no f64.
    let odd = 9_007_199_254_740_993_i64;
    assert_eq!(tensor([0]).clamp_min(odd).to_vec::<i64>(), [odd]);
    assert_eq!(tensor([i64::MAX]).clamp_max(odd).to_vec::<i64>(), [odd]);
    assert_eq!(tensor([0, i64::MAX]).clamp(odd, odd + 2).to_vec::<i64>(), [odd, odd + 2]);
}

#[test]
fn more_ties_than_a_half_can_count_share_the_gradient() {
    let infinite = NormOptions { p: f64::INFINITY.into(), ..NormOptions::default() };
    let calls: [&dyn Fn(&Tensor) -> Tensor; 4] =
        [&|x| x.max(), &|x| x.amax(0, false), &|x| x.median(), &|x| (x + 1.0).norm_with(&infinite)];
    for call in calls {
        let x = zeros_with([70_000], DType::F16).requires_grad_();
        call(&x).backward();
        // 1 / 70000 is 1.4286e-5; PyTorch's half is 240 / 2^24.
        assert_eq!(x.grad().unwrap().get(0).item(), 240.0 / 16_777_216.0);
    }
}

#[test]
fn infinite_inputs_have_no_part_in_the_gradient_of_prelus_weight() {
    let (x, w) = (tensor([f64::INFINITY, -2.0]).requires_grad_(), tensor([0.5]).requires_grad_());
    x.prelu(&w).sum().backward();
    assert_eq!(w.grad().unwrap().to_vec::<f32>(), [-2.0]);
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1.0, 0.5]);
}

#[test]
fn what_a_dtype_has_no_place_for_is_refused_as_in_pytorch() {
    let refused = |call: &dyn Fn() -> Tensor| catch_unwind(AssertUnwindSafe(call)).is_err();
    let of = |dtype| zeros_with([1], dtype);
    let mask = tensor([true]);
    for (dtype, low, high) in
        [(DType::U8, 0, 257), (DType::U8, -1, 2), (DType::Bool, 0, 3), (DType::F16, 0, 65_506)]
    {
        assert!(refused(&|| of(dtype).randint_like(low, high)), "{dtype:?} {low}..{high}");
    }
    assert_eq!(of(DType::U8).randint_like(255, 256).item(), 255.0);
    assert_eq!(of(DType::Bool).randint_like(1, 2).item(), 1.0);
    // Whole tensors of halves overflow, some of their elements do not.
    assert_eq!(full_with([1], 1e5, DType::F16).item(), f64::INFINITY);
    assert_eq!(of(DType::F16).fill(1e5).item(), f64::INFINITY);
    assert!(refused(&|| of(DType::F16).masked_fill(&mask, 1e5)));
    assert!(refused(&|| of(DType::BF16).masked_fill(&mask, 1e39)));
    assert_eq!(of(DType::BF16).fill(1e39).item(), f64::INFINITY);
    for dtype in [DType::F32, DType::I64, DType::I8] {
        assert!(refused(&|| full_with([1], 1e39, dtype)));
        assert!(refused(&|| of(dtype).fill(-1e39)));
        assert!(refused(&|| of(dtype).masked_fill(&mask, 1e39)));
    }
    // Both ends of i64, as numbers with a point; 2^63 itself is too much.
    assert!(refused(&|| full_with([1], 9_223_372_036_854_775_808.0, DType::I64)));
    assert!(refused(&|| of(DType::I64).masked_fill(&mask, -9.3e18)));
    assert_eq!(full_with([1], -9_223_372_036_854_775_808.0, DType::I64).to_vec::<i64>(), [i64::MIN]);
    assert_eq!(of(DType::I64).masked_fill(&mask, i64::MAX).to_vec::<i64>(), [i64::MAX]);
    // A fraction is cut at the upper end only; a negative integer wraps in u8, a float does not.
    assert_eq!(full_with([1], 255.9, DType::U8).item(), 255.0);
    assert_eq!(full_with([1], -1, DType::U8).item(), 255.0);
    assert!(refused(&|| full_with([1], -1.0, DType::U8)));
    assert!(refused(&|| full_with([1], -128.5, DType::I8)));
    assert!(refused(&|| of(DType::I64).fill(f64::NAN)));
    assert!(full_with([1], f64::NAN, DType::F16).item().is_nan());
}
