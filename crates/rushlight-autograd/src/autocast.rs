//! Mixed precision: within [`autocast`] operations choose the dtype that they are computed in.

use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Device, fail};
use smallvec::SmallVec;
use std::cell::Cell;
use std::marker::PhantomData;

/// The narrow dtypes of the CPU and of other devices, where it is on.
type Mode = [Option<DType>; 2];

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new([None; 2]) };
}

/// Runs `f` in mixed precision: PyTorch's `with torch.autocast(device.type, dtype=dtype):`.
///
/// On tensors of this kind of device, matrix products, convolutions and attention take their operands in the narrow
/// dtype; functions that lose too much there (exponentials, sums, norms, losses: PyTorch's lists for CUDA and for the
/// CPU) take theirs in f32; a few (`dot`, `bilinear`, `scatter_add`) in the widest among them. All other operations work
/// in what they are given, and so do all forms in place, as `addmm_`. f64 stays f64, and parameters stay as they are:
/// their gradients come back in their own dtype. The backward pass belongs outside.
///
/// [`DType::BF16`] has the range of f32. [`DType::F16`] does not, so small gradients vanish unless the loss is scaled:
/// see `GradScaler` of the optimisers (Micikevicius et al., "Mixed precision training", 2018).
///
/// ```
/// use rushlight_autograd::array::{DType, Device};
/// use rushlight_autograd::{autocast, tensor};
/// let x = tensor([[1.0, 2.0]]);
/// let w = tensor([[0.5], [0.25]]).requires_grad_();
/// let y = autocast(&Device::cpu(), DType::BF16, || x.matmul(&w));
/// assert_eq!(y.dtype(), DType::BF16);
/// y.sum().backward();
/// assert_eq!(w.grad().unwrap().dtype(), DType::F32);
/// ```
///
/// # Panics
/// If the dtype is neither f16 nor bf16.
#[track_caller]
pub fn autocast<R>(device: &Device, dtype: DType, f: impl FnOnce() -> R) -> R {
    if !matches!(dtype, DType::F16 | DType::BF16) {
        fail!("autocast: the dtype is {}; it must be float16 or bfloat16", dtype.name());
    }
    let mut mode = MODE.get();
    mode[kind(device)] = Some(dtype);
    let _guard = Guard::set(mode);
    f()
}

/// Runs `f` in the dtypes that it is given, also inside of [`autocast`]: PyTorch's `with torch.autocast(.., enabled=False):`.
pub fn no_autocast<R>(f: impl FnOnce() -> R) -> R {
    let _guard = Guard::set([None; 2]);
    f()
}

/// Whether operations on this kind of device choose their dtype on this thread: PyTorch's `torch.is_autocast_enabled`.
pub fn is_autocast_enabled(device: &Device) -> bool {
    MODE.get()[kind(device)].is_some()
}

fn kind(device: &Device) -> usize {
    usize::from(!device.is_cpu())
}

/// Puts the mode back when it is dropped, also while unwinding.
pub(crate) struct Guard {
    before: Mode,
    of_thread: PhantomData<*const ()>,
}

impl Guard {
    fn set(mode: Mode) -> Guard {
        Guard { before: MODE.replace(mode), of_thread: PhantomData }
    }

    /// Off, for a backward pass: its operations work in the dtypes of the forward pass.
    pub(crate) fn off() -> Guard {
        Guard::set([None; 2])
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        MODE.set(self.before);
    }
}

/// The dtypes that an operation wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wish {
    Narrow,
    Full,
    /// That of the first operand, for the others.
    First,
    /// The widest among the operands.
    Widest,
}

/// Operations that gain by narrow operands and lose little: PyTorch's list of the GPU. That of its CPU is shorter by `mv`,
/// `addmv` and `addr` (seen with 2.15); here programs are the same on both.
const NARROW: [&str; 13] = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "conv_relu",
    "conv_transpose",
    "convolution",
    "einsum",
    "linear",
    "matmul",
    "prelu",
    "scaled_dot_product_attention",
];

/// Operations whose operands meet in the widest dtype among them: PyTorch's list, without those that promote by
/// themselves.
const WIDEST: [&str; 8] =
    ["bilinear", "cross", "dot", "grid_sample", "index_put", "scatter_add", "tensordot", "vdot"];

/// Operations that the GPU computes in f32: PyTorch's list, by the names of the operations that its functions are made of.
const FULL: [&str; 51] = [
    "cosine_embedding_loss",
    "cosine_similarity",
    "group_norm",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "pdist",
    "poisson_nll_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "acos",
    "asin",
    "binary_cross_entropy_with_logits",
    "cdist",
    "cosh",
    "cross_entropy",
    "cumprod",
    "cumsum",
    "erfinv",
    "exp",
    "expm1",
    "huber_loss",
    "l1_loss",
    "layer_norm",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_softmax",
    "logcumsumexp",
    "logsumexp",
    "mse_loss",
    "nll_loss",
    "pow",
    "prod",
    "reciprocal",
    "renorm",
    "rms_norm",
    "rsqrt",
    "sinh",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "sum",
    "tan",
    "norm",
    "linalg_vector_norm",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "ctc_loss",
    "dist",
    "kl_div",
];

/// Operations that the CPU computes in f32: PyTorch's list.
const FULL_ON_CPU: [&str; 13] = [
    "grid_sample",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cdist",
    "cross_entropy",
    "ctc_loss",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "prod",
    "smooth_l1_loss",
    "kl_div",
];

fn wish(name: &str, on_cpu: bool) -> Option<Wish> {
    let full: &[&str] = if on_cpu { &FULL_ON_CPU } else { &FULL };
    if NARROW.contains(&name) {
        Some(Wish::Narrow)
    } else if full.contains(&name) {
        Some(Wish::Full)
    } else if name == "layer_norm" {
        Some(Wish::First)
    } else if WIDEST.contains(&name) && !(on_cpu && name == "tensordot") {
        // On PyTorch's CPU `tensordot` is the matrix product that it is made of.
        Some(Wish::Widest)
    } else {
        None
    }
}

/// Whether there is anything to ask [`wanted`].
#[inline]
pub(crate) fn is_on() -> bool {
    MODE.get() != [None; 2]
}

/// The dtypes among which operands are cast.
pub(crate) fn can_be_cast(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F16 | DType::BF16)
}

/// The dtype for the operands of an operation, if there is a choice.
fn chosen(name: &str, device: &Device, dtypes: &[DType]) -> Option<DType> {
    let narrow = MODE.get()[kind(device)]?;
    let wish = wish(name, device.is_cpu())?;
    // Beside f64 nothing is made narrow: such operands belong together.
    if dtypes.contains(&DType::F64) {
        return None;
    }
    match wish {
        Wish::Narrow => Some(narrow),
        Wish::Full => Some(DType::F32),
        Wish::First => dtypes.first().copied(),
        Wish::Widest => dtypes.iter().copied().filter(|&dtype| can_be_cast(dtype)).reduce(DType::promote),
    }
}

/// The dtype that the operands of an operation are to be cast to, if any has another.
#[cold]
pub(crate) fn wanted(name: &str, operands: &mut dyn Iterator<Item = &Array>) -> Option<DType> {
    let first = operands.next()?;
    let mut dtypes: SmallVec<[DType; 3]> = SmallVec::new();
    dtypes.push(first.dtype());
    dtypes.extend(operands.map(Array::dtype));
    let dtype = chosen(name, first.device(), &dtypes)?;
    dtypes.iter().any(|&other| can_be_cast(other) && other != dtype).then_some(dtype)
}

/// The dtype of a function that is made of several operations. Until it is dropped nothing else is cast: as in PyTorch
/// the choice is made once, for the whole function.
pub(crate) struct Choice {
    dtype: Option<DType>,
    _guard: Option<Guard>,
}

impl Choice {
    /// For a function by its name, from its operands, of which the first counts for the device.
    pub(crate) fn of(name: &str, operands: &[&Tensor]) -> Choice {
        let mut dtype = None;
        if is_on() {
            let dtypes: SmallVec<[DType; 3]> = operands.iter().map(|x| x.dtype()).collect();
            dtype = chosen(name, &operands[0].device(), &dtypes);
        }
        Choice { dtype, _guard: dtype.map(|_| Guard::off()) }
    }

    /// An operand in that dtype.
    pub(crate) fn cast(&self, x: &Tensor) -> Tensor {
        match self.dtype {
            Some(dtype) if can_be_cast(x.dtype()) => x.to(dtype),
            _ => x.clone(),
        }
    }
}

/// Whether two operands get one dtype before an operation of the lists sees them, for functions that compare them first.
pub(crate) fn joins(a: &Tensor, b: &Tensor) -> bool {
    is_autocast_enabled(&a.device()) && can_be_cast(a.dtype()) && can_be_cast(b.dtype())
}
