//! Wrong calls panic at the caller's line, and the message names the operation and both values.

mod delegate;

use delegate::Delegate;
use rushlight_array::random::Generator;
use rushlight_array::{Array, DType, HostBuffer, Index, Layout, set_num_threads};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::sync::Once;

thread_local! {
    /// File, line and message of this thread's last panic.
    static LAST: RefCell<Option<(String, u32, String)>> = const { RefCell::new(None) };
}

fn record(info: &PanicHookInfo<'_>) {
    let place = info.location().expect("a panic has a location");
    let payload = info.payload();
    let literal = payload.downcast_ref::<&str>().map(ToString::to_string);
    let message = literal.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    LAST.set(Some((place.file().to_string(), place.line(), message)));
}

/// Runs a wrong call that stands at `line` and compares the message.
#[track_caller]
fn expect_panic(line: u32, message: &str, call: impl FnOnce()) {
    static HOOK: Once = Once::new();
    // Failures of the assertions below are recorded, too, so they print themselves.
    HOOK.call_once(|| set_hook(Box::new(record)));
    assert!(
        catch_unwind(AssertUnwindSafe(call)).is_err(),
        "{}",
        shown(format!("no panic, expected: {message}"))
    );
    let (file, at, text) = LAST.take().expect("the hook recorded the panic");
    let style = text.chars().next().is_some_and(char::is_lowercase) && !text.ends_with('.');
    let right = text.contains(message) && file.ends_with("errors.rs") && at == line && style;
    assert!(
        right,
        "{}",
        shown(format!("got: {text}\n  at {file}:{at}\nexpected: {message}\n  at line {line}"))
    );
}

fn shown(text: String) -> String {
    eprintln!("{text}");
    text
}

/// `wrong!(call => "message")`; the call must begin on the macro's line.
macro_rules! wrong {
    ($call:expr => $message:expr) => {
        expect_panic(line!(), $message, || _ = $call)
    };
}

fn x() -> Array {
    Array::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
}

fn ints(values: &[i64]) -> Array {
    Array::from_vec(values.to_vec(), values.len())
}

#[test]
fn creation_names_the_values() {
    let g = Generator::new(0);
    wrong!(Array::from_vec(vec![1.0f32, 2.0], [3]) => "from_vec: 2 values do not fill shape [3], which holds 3");
    wrong!(Array::new(vec![vec![1, 2], vec![3]]) => "tensor: rows of length 2 and 1 at dim 1");
    wrong!(Array::arange(0, 5, 0) => "arange: step 0 does not lead from 0 to 5");
    wrong!(Array::arange(0, 5, -1) => "arange: step -1 does not lead from 0 to 5");
    wrong!(Array::arange(0.0, f64::INFINITY, 1.0) => "arange: step 1 does not lead from 0 to inf; it must be finite");
    wrong!(Array::uniform([2], 0.0, 1.0, DType::I64, &g) => "uniform: values of int64 cannot be drawn");
    wrong!(Array::normal([2], 0.0, 1.0, DType::Bool, &g) => "normal: values of bool cannot be drawn");
    wrong!(Array::uniform([2], 2.0, 1.0, DType::F32, &g) => "uniform: low 2.0 must not be above high 1.0");
    wrong!(Array::normal([2], 0.0, -1.0, DType::F64, &g) => "normal: std -1.0 must be at least 0");
    wrong!(Array::randint(5, 5, [2], &g) => "randint");
    wrong!(Array::bernoulli([2], 1.5, &g) => "1.5");
    wrong!(Array::zeros([1 << 40, 1 << 40], DType::U8) => "shape: [1099511627776, 1099511627776] holds more elements");
    wrong!(Array::zeros([1 << 61], DType::F32) => "full: shape [2305843009213693952] of float32 needs 2305843009213693952 x 4 bytes; a block may have at most");
    wrong!(Array::build([1usize << 60], |_: &mut [i64]| ()) => "build: shape [1152921504606846976] of int64 needs");
    wrong!(Array::uniform([1usize << 61], 0.0, 1.0, DType::BF16, &g) => "uniform: shape [2305843009213693952] of float32 needs");
    wrong!(Array::randint(0, 5, [1usize << 60], &g) => "randint: shape [1152921504606846976] of int64 needs");
    wrong!(Array::bernoulli([1usize << 63], 0.5, &g) => "bernoulli: shape [9223372036854775808] of bool needs");
    wrong!(HostBuffer::new(DType::F64, usize::MAX) => "host buffer: 18446744073709551615 elements of float64 are more than can be addressed");
    wrong!(set_num_threads(0) => "set_num_threads: 0 threads");
}

#[test]
fn reading_names_dtype_or_shape() {
    wrong!(x().to_vec::<i64>() => "to_vec: the array is float32, not int64; cast with .to(DType::I64) first");
    #[cfg(feature = "ndarray")]
    wrong!(x().to_ndarray::<f64>() => "to_vec: the array is float32, not float64");
    wrong!(x().item::<f32>() => "item: shape [2, 3] has 6 elements; only one can become a number");
    wrong!(x().as_slice::<f64>() => "a block of torch.float32 was read as torch.float64");
    wrong!(x().make_mut::<f64>().len() => "a block of torch.float32 was read as torch.float64");
}

#[test]
fn views_name_what_does_not_fit() {
    wrong!(x().reshape([4]) => "reshape: shape [4] does not hold the 6 elements of shape [2, 3]");
    wrong!(x().reshape([-1, -1]) => "reshape: shape [-1, -1] does not hold");
    wrong!(x().reshape([4, -1]) => "reshape: shape [4, -1] does not hold");
    wrong!(Array::zeros([0], DType::F32).reshape([0, -1]) => "reshape: shape [0, -1] does not hold the 0 elements");
    wrong!(x().reshape([1usize << 40; 2]) => "reshape: shape [1099511627776, 1099511627776] does not hold the 6 elements");
    wrong!(x().t().view([6]) => "view: shape [6] needs a copy of this array of shape [3, 2] and strides [1, 3]; use reshape");
    wrong!(x().view([5]) => "view: shape [5] does not hold the 6 elements of shape [2, 3]");
    wrong!(x().flatten(1, 0) => "flatten: start dim 1 lies behind end dim 0 in shape [2, 3]");
    wrong!(x().flatten(0, 2) => "flatten: dim 2 is out of range for shape [2, 3]; expected -2 to 1");
    wrong!(x().transpose(0, 2) => "transpose: dim 2 is out of range for shape [2, 3]; expected -2 to 1");
    wrong!(x().unsqueeze(0).t() => "t: expected at most 2 dims, but shape is [1, 2, 3]; use transpose or permute");
    wrong!(x().permute([0, 0]) => "permute: dims [0, 0] are not an order of the 2 dims of shape [2, 3]");
    wrong!(x().permute([0, 5]) => "permute: dim 5 is out of range for shape [2, 3]");
    wrong!(x().narrow(1, 2, 2) => "narrow: start 2, length 2, step 1 leave axis 1 of shape [2, 3]");
    wrong!(x().narrow(1, usize::MAX, 2) => "narrow: start 18446744073709551615, length 2");
    wrong!(x().select(1, 3) => "select: index 3 is out of range for dim 1 of shape [2, 3]");
    wrong!(x().select(0, -3) => "select: index -3 is out of range for dim 0 of shape [2, 3]");
    wrong!(x().unsqueeze(4) => "unsqueeze: dim 4 is out of range for shape [2, 3]; expected -3 to 2");
    wrong!(x().squeeze_dim(2) => "squeeze: dim 2 is out of range for shape [2, 3]");
    wrong!(x().expand([4, 3]) => "expand: shape [2, 3] does not expand to [4, 3]");
    wrong!(Array::new(1.0).expand([1usize << 40; 2]) => "holds more elements than can be counted");
    wrong!(x().expand([3]) => "expand: shape [2, 3] does not expand to [3]");
    wrong!(x().expand([-1, 2, 3]) => "expand: sizes [-1, 2, 3] for shape [2, 3]; -1 may only keep a dim that exists");
    wrong!(x().unfold(1, 4, 1) => "unfold: size 4, step 1 do not fit axis 1 of shape [2, 3]; size may be at most 3");
    wrong!(x().unfold(1, 2, 0) => "unfold: size 2, step 0 do not fit axis 1 of shape [2, 3]");
    wrong!(x().diagonal(0, 1, -1) => "diagonal: dims 1 and 1 of shape [2, 3] are the same; a diagonal needs two");
    wrong!(x().diagonal(0, 0, 2) => "diagonal: dim 2 is out of range for shape [2, 3]");
    wrong!(x().flip([0, -2]) => "flip: dim -2 of shape [2, 3] is named twice in [0, -2]");
    wrong!(x().squeeze_dim([0, 0]) => "squeeze: dim 0 of shape [2, 3] is named twice in [0, 0]");
    wrong!(x().as_strided([2, 2], &[3, 3], 0) => "reaches outside of a storage of 6 elements");
    wrong!(x().as_strided([2, 2], &[usize::MAX, 1], 1) => "reaches outside of a storage of 6 elements");
    wrong!(x().as_strided([1], &[1], usize::MAX) => "reaches outside of a storage of 6 elements");
    wrong!(x().as_strided([2], &[1, 1], 0) => "as_strided: 2 strides [1, 1] for shape [2]");
    wrong!(x().place(x().t().layout(), &x()) => "place: elements of shape [2, 3] and dtype float32 do not fit");
    wrong!(x().place(x().layout(), &x().cast(DType::F64)) => "place: elements of shape [2, 3] and dtype float64 do not fit");
    wrong!(x().place(&Layout::strided([2, 3], &[3, 1], 1), &x()) => "place: elements of shape [2, 3] and dtype float32 do not fit");
    wrong!(x().split(0, 1) => "split: pieces of size 0 along dim 1 of shape [2, 3]; use at least 1");
    wrong!(Array::new(1.0).narrow(0, 0, 1) => "narrow: a scalar has no dim 0; reshape it to [1] first");
}

#[test]
fn elementwise_functions_name_shapes_dtypes_and_devices() {
    let (y, flags) = (Array::new([1.0, 2.0]), Array::new([true, false, true]));
    let far = x().to_device(&Delegate::default().device());
    wrong!(x().add(&y) => "add: shapes [2, 3] and [2] do not broadcast: axis 1 is 3 and 2, and neither is 1");
    wrong!(y.mul(&x()) => "mul: shapes [2] and [2, 3] do not broadcast: axis 1 is 2 and 3, and neither is 1");
    wrong!(x().sub(&y) => "sub: shapes [2, 3] and [2]");
    wrong!(x().div(&y) => "div: shapes [2, 3] and [2]");
    wrong!(x().pow(&y) => "pow: shapes [2, 3] and [2]");
    wrong!(x().maximum(&y) => "maximum: shapes [2, 3] and [2]");
    wrong!(x().lt(&y) => "lt: shapes [2, 3] and [2]");
    wrong!(x().logical_or(&y) => "logical_or: shapes [2, 3] and [2]");
    wrong!(x().allclose(&y, 0.0, 0.0) => "allclose: shapes [2, 3] and [2]");
    wrong!(flags.sub(&flags) => "sub: not defined for two bools; use logical_xor");
    wrong!(flags.neg() => "neg: not defined for bool; cast with .to(DType::I64) first");
    wrong!(flags.clamp(0.0, 1.0) => "clamp: not defined for bool");
    wrong!(y.where_(&x(), &x()) => "where: the condition is float32, not bool");
    wrong!(flags.where_(&x(), &y) => "where: shapes [2, 3] and [2] do not broadcast");
    wrong!(flags.where_(&y, &y) => "where: shapes [3] and [2] do not broadcast");
    wrong!(x().add(&far) => "add: expected all tensors to be on the same device, but found cpu and delegate; move one");
    wrong!(x().matmul(&far) => "matmul: expected all tensors to be on the same device, but found cpu and delegate");
    wrong!(flags.where_(&far, &far) => "where: expected all tensors to be on the same device");
    wrong!(far.scatter(0, &far.cast(DType::I64), &x()) => "scatter: expected all tensors to be on the same device, but found delegate and cpu");
}

#[test]
fn reductions_name_dims_and_dtypes() {
    let whole = x().cast(DType::I64);
    let empty = Array::zeros([2, 0], DType::F32);
    wrong!(x().sum_dim(2, false) => "sum: dim 2 is out of range for shape [2, 3]; expected -2 to 1");
    wrong!(x().sum_dim([1, -1], false) => "sum: dim -1 appears twice in [1, -1]");
    wrong!(x().mean_dim(-3, true) => "mean: dim -3 is out of range for shape [2, 3]");
    wrong!(whole.mean() => "mean: the dtype is int64, not a float; cast with .to(DType::F32) first");
    wrong!(empty.max() => "max: axis 1 of shape [2, 0] is empty and has no extreme value");
    wrong!(empty.amin(1, false) => "amin: axis 1 of shape [2, 0] is empty and has no extreme value");
    wrong!(empty.argmax(1, false) => "argmax: axis 1 of shape [2, 0] is empty and has no position");
    wrong!(x().argmin(2, false) => "argmin: dim 2 is out of range for shape [2, 3]");
    wrong!(whole.softmax(0) => "softmax: the dtype is int64, not a float");
    wrong!(x().log_softmax(2) => "log_softmax: dim 2 is out of range for shape [2, 3]");
    wrong!(x().sum_to(&[4].into()) => "sum_to: shape [4] does not broadcast to [2, 3]");
    wrong!(x().sum_to(&[1, 2, 3].into()) => "sum_to: shape [1, 2, 3] does not broadcast to [2, 3]");
}

#[test]
fn matmul_names_both_shapes() {
    let batch = Array::zeros([5, 3, 2], DType::F32);
    wrong!(x().matmul(&x()) => "matmul: inner dimensions differ: [2, 3] x [2, 3] (3 != 2); the last axis of the left must equal the second-last of the right");
    wrong!(x().matmul(&Array::new([1.0])) => "matmul: inner dimensions differ: [2, 3] x [1] (3 != 1); the last axis of the left must equal the only axis of the right");
    wrong!(x().matmul(&Array::new(1.0)) => "matmul: shapes [2, 3] x []; both operands need at least one dim");
    wrong!(x().matmul(&x().t().cast(DType::F64)) => "matmul: dtypes differ: float32 x float64; cast one with .to(DType::F32)");
    wrong!(x().cast(DType::Bool).matmul(&x().t().cast(DType::Bool)) => "matmul: not defined for bool");
    wrong!(Array::zeros([4, 2, 3], DType::F32).matmul(&batch) => "matmul: shapes [4] and [5] do not broadcast");
}

#[test]
fn indexing_names_index_and_shape() {
    let (index, mask) = (ints(&[0, 5]), Array::new([true, false, true, false]));
    wrong!(x().get(2) => "index: 2 is out of range for dim 0 of shape [2, 3]; expected -2 to 1");
    wrong!(x().get((0, 0, 0)) => "index: 3 indices for shape [2, 3]; it has only 2 dims");
    wrong!(x().get(Index::step(0, 2, 0)) => "index: step 0 in dim 0; use at least 1");
    wrong!(x().get(&index) => "index: 5 is out of range for dim 0 of shape [2, 3]; expected -2 to 1");
    wrong!(x().get(&ints(&[-9])) => "index: -9 is out of range for dim 0 of shape [2, 3]");
    wrong!(x().get((&index, &index)) => "index: 5 is out of range for dim 0 of shape [2, 3]; expected -2 to 1");
    wrong!(x().get((&ints(&[0, 1]), &ints(&[0, 1, 2]))) => "index: shapes [2] and [3] do not broadcast");
    wrong!(x().get(&mask) => "index: a mask of shape [4] at dim 0 of shape [2, 3]; it must have the sizes");
    wrong!(x().get((.., &mask)) => "index: a mask of shape [4] at dim 1 of shape [2, 3]");
    wrong!(x().get(&x()) => "index: an index array of float32; it must hold integers or bools; cast with .to(DType::I64)");
    wrong!(x().index_select(0, &index) => "index_select: index 5 is out of range for dim 0 of shape [2, 3]; expected 0 to 1");
    wrong!(x().index_select(0, &ints(&[-1])) => "index_select: index -1 is out of range for dim 0 of shape [2, 3]");
    wrong!(x().index_select(0, &index.unsqueeze(0)) => "index_select: the index has shape [1, 2]; it must have one dim");
    wrong!(x().gather(1, &index) => "gather: index shape [2] does not fit shape [2, 3]; it must have the same rank");
    wrong!(x().gather(0, &index.unsqueeze(0)) => "gather: index 5 is out of range for dim 0 of shape [2, 3]");
    wrong!(x().masked_select(&x()) => "masked_select: the mask is float32, not bool; compare it");
    wrong!(x().masked_select(&mask) => "masked_select: shapes [2, 3] and [4] do not broadcast");
}

#[test]
fn placing_and_joining_name_both_shapes() {
    let (index, y) = (ints(&[0, 1]), x().cast(DType::F64));
    let pair = index.unsqueeze(0);
    wrong!(x().scatter(0, &pair, &y) => "scatter: the source is float64, the array float32; cast the source");
    wrong!(x().scatter(0, &index, &x()) => "scatter: index shape [2] does not fit shape [2, 3]");
    wrong!(x().scatter_add(1, &pair, &x().narrow(1, 0, 1)) => "scatter_add: source shape [2, 1] is smaller than index shape [1, 2]");
    wrong!(x().scatter(0, &ints(&[2]).unsqueeze(0), &x()) => "scatter: index 2 is out of range for dim 0 of shape [2, 3]; expected 0 to 1");
    wrong!(x().index_add(0, &ints(&[0]), &x()) => "index_add: source shape [2, 3] for index shape [1] along dim 0 of shape [2, 3]; expected [1, 3]");
    wrong!(x().index_add(1, &index, &x()) => "index_add: source shape [2, 3] for index shape [2] along dim 1");
    wrong!(Array::cat(&[], 0) => "cat: an empty list of tensors");
    wrong!(Array::cat(&[&x(), &x().t()], 0) => "cat: shapes [2, 3] and [3, 2] (tensor 1) differ outside of dim 0");
    wrong!(Array::cat(&[&x(), &Array::new(1.0)], 0) => "cat: tensor 1 is a scalar, which has no dim to join along");
    wrong!(Array::cat(&[&x()], 2) => "cat: dim 2 is out of range for shape [2, 3]");
    wrong!(Array::stack(&[], 0) => "stack: an empty list of tensors");
    wrong!(Array::stack(&[&x(), &x().t()], 0) => "stack: shapes [2, 3] and [3, 2] (tensor 1) differ; all must be equal");
    wrong!(Array::stack(&[&x()], 3) => "stack: dim 3 is out of range for shape [2, 3]; expected -3 to 2");
}

#[test]
fn numbers_at_the_end_of_their_range_are_told_in_words() {
    wrong!(Array::new([i64::MAX]).bincount(None, 0) => "bincount: 9223372036854775807 counters would be needed");
    wrong!(Array::randperm(1 << 62, &Generator::new(0)) => "randperm: ");
    // Past the end means all, however far.
    assert_eq!(*x().get(..=usize::MAX).shape(), [2, 3]);
    assert!(Array::zeros([0, 1 << 40, 1 << 40], DType::F32).is_contiguous());
}
