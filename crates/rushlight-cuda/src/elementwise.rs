//! Copies, fills and elementwise functions: `kernels/elementwise.cu`, and `activation.cu` and `special.cu`, whose functions
//! want operands that lie along one axis: others are copied first.
//!
//! Polygamma and the incomplete gamma functions are left to the host.

use crate::backend::{Cuda, address};
use crate::functions::{self, Function, Plan, variant, width};
use crate::gpu::KernelName;
use crate::launch::{Args, Grid, Numbers, View};
use crate::memory::Address;
use rushlight_array::backend::{Binary, Compare, Ternary, Unary};
use rushlight_array::{Array, Backend, Buffer, Cpu, DType, Device, Layout, Scalar, Storage};
use std::sync::Arc;

/// The kernels of this operation for elements of so many bytes.
fn by_size(operation: &'static str, dtype: DType) -> KernelName {
    let variant = match dtype.size() {
        1 => "1",
        2 => "2",
        4 => "4",
        _ => "8",
    };
    ("elementwise", operation, variant)
}

impl Cuda {
    /// The array in row-major order, in a block of its own.
    #[track_caller]
    pub(crate) fn copied(&self, x: &Array) -> Array {
        let (y, to) = self.empty(x.shape(), x.dtype());
        if x.numel() == 0 {
            return y;
        }
        if x.is_contiguous() {
            self.gpu.copy_bytes(to, address(x), x.numel() * x.dtype().size());
            return y;
        }
        let Some(view) = View::of(x.shape(), [x.layout().strides()]) else {
            // Nine axes or more that do not join are copied by the host, with its own memory in between.
            return self.copied_by_host(x);
        };
        let args = Args::new().pointer(address(x)).pointer(to).put(view).count(x.numel());
        self.gpu.launch(by_size("copy", x.dtype()), Grid::over(self.gpu, x.numel()), args);
        y
    }

    /// The host gets the whole block, since it cannot be made dense here.
    #[track_caller]
    fn copied_by_host(&self, x: &Array) -> Array {
        let (storage, layout) = x.clone().into_parts();
        let (dtype, len) = (storage.dtype(), storage.len());
        let whole = Array::from_parts(storage, Layout::contiguous(&[len][..]));
        let buffer = Buffer::Host(self.download(&whole));
        let storage = Storage::new(buffer, dtype, len, Device::cpu());
        Array::from_parts(Arc::new(storage), layout).contiguous().to_device(x.device())
    }

    /// A new array of one value.
    #[track_caller]
    pub(crate) fn filled(&self, shape: &[usize], dtype: DType, value: Scalar) -> Array {
        let (y, to) = self.empty(shape, dtype);
        if y.numel() == 0 {
            return y;
        }
        let bits = bits(dtype, value);
        if bits == 0 {
            self.gpu.zero(to, y.numel() * dtype.size());
            return y;
        }
        let items = y.numel() * dtype.size() / 16 + 1;
        let args = Args::new().pointer(to).put(bits).count(y.numel());
        self.gpu.launch(by_size("fill", dtype), Grid::over(self.gpu, items), args);
        y
    }

    #[track_caller]
    pub(crate) fn unary_function(&self, op: Unary, x: &Array) -> Array {
        let function = match functions::unary(op, x.dtype()) {
            Plan::Kernel(function) => function,
            Plan::Same => return x.clone(),
            Plan::Host => return self.on_host([x], |[x]| Cpu.unary(op, x)),
            Plan::Nan => return self.filled(x.shape(), x.dtype(), Scalar::Float(f64::NAN)),
        };
        let dtype = if matches!(op, Unary::Signbit | Unary::Not) { DType::Bool } else { x.dtype() };
        self.map(function, dtype, [x])
    }

    #[track_caller]
    pub(crate) fn binary_function(&self, op: Binary, a: &Array, b: &Array) -> Array {
        match functions::binary(for_dtype(op, a.dtype())) {
            Some(function) => self.map(function, a.dtype(), [a, b]),
            None => self.on_host([a, b], |[a, b]| Cpu.binary(op, a, b)),
        }
    }

    /// In the place of `a`, if nobody else holds its elements and they have no gaps.
    #[track_caller]
    pub(crate) fn assign(&self, op: Binary, a: &mut Array, b: &Array) {
        match functions::binary(for_dtype(op, a.dtype())) {
            Some(function) if is_alone(a) => self.map_to(address(a), function, [a, b]),
            _ => *a = self.binary_function(op, a, b),
        }
    }

    #[track_caller]
    pub(crate) fn comparison(&self, op: Compare, a: &Array, b: &Array) -> Array {
        let (function, turned) = functions::compare(op);
        self.map(function, DType::Bool, if turned { [b, a] } else { [a, b] })
    }

    #[track_caller]
    pub(crate) fn ternary_function(&self, op: Ternary, operands: [&Array; 3]) -> Array {
        let dtype = operands[0].dtype();
        self.map(functions::ternary(op, dtype), dtype, operands)
    }

    #[track_caller]
    pub(crate) fn selected(&self, condition: &Array, a: &Array, b: &Array) -> Array {
        let (y, to) = self.empty(a.shape(), a.dtype());
        let operands = Operands::of(self, [condition, a, b], width(a.dtype()), true);
        if let Some(args) = operands.args(to) {
            self.gpu.launch(by_size("select", a.dtype()), operands.grid(self), args);
        }
        y
    }

    /// A new array of what the function makes of the operands' elements.
    #[track_caller]
    pub(crate) fn map<const N: usize>(
        &self,
        function: Function,
        dtype: DType,
        operands: [&Array; N],
    ) -> Array {
        let (y, to) = self.empty(operands[N - 1].shape(), dtype);
        self.map_to(to, function, operands);
        y
    }

    /// The last operand has the shape of the result, and the dtype that the kernel is for.
    #[track_caller]
    fn map_to<const N: usize>(&self, to: Address, function: Function, operands: [&Array; N]) {
        let dtype = operands[N - 1].dtype();
        let kernel = (function.file, function.name, variant(dtype));
        let operands = Operands::of(self, operands, function.width(dtype), function.takes_any());
        if let Some(args) = operands.args(to) {
            self.gpu.launch(kernel, operands.grid(self), args.put(Numbers(function.numbers)));
        }
    }
}

fn for_dtype(op: Binary, dtype: DType) -> Binary {
    if dtype == DType::Bool { functions::of_bools(op) } else { op }
}

/// Whether the array is the only one that holds its elements, and these have no gaps.
pub(crate) fn is_alone(a: &mut Array) -> bool {
    let (storage, layout) = a.clone().into_parts();
    // This handle and that of the array, which nobody can copy meanwhile.
    layout.is_contiguous() && Arc::strong_count(&storage) == 2 && Arc::weak_count(&storage) == 0
}

/// What a loop of `rl_map.h` reads.
pub(crate) struct Operands<const N: usize> {
    arrays: [Array; N],
    view: View<N>,
    packing: i64,
    width: usize,
}

impl<const N: usize> Operands<N> {
    /// The operands, or copies of them that the kernel can read: only where `any` is true do they lie anyhow. The kernel
    /// takes up to `width` elements at once. All have the shape of the last one, or none.
    #[track_caller]
    pub(crate) fn of(cuda: &Cuda, operands: [&Array; N], width: usize, any: bool) -> Self {
        let shape = operands[N - 1].shape();
        let strides = |x: &Array| match x.rank() {
            0 => vec![0; shape.len()],
            _ => x.layout().strides().to_vec(),
        };
        let all = operands.map(strides);
        let view = View::of(shape, all.each_ref().map(Vec::as_slice));
        let (arrays, view) = match view {
            Some(view) if any || view.rank <= 1 => (operands.map(Array::clone), view),
            _ => {
                let arrays = operands.map(|x| if is_single(x) { x.clone() } else { cuda.dense(x) });
                let all = arrays.each_ref().map(strides);
                let view = View::of(shape, all.each_ref().map(Vec::as_slice));
                (arrays, view.expect("arrays without gaps lie along one axis"))
            }
        };
        let packing = packing(&view, arrays.each_ref(), width);
        Operands { arrays, view, packing, width }
    }

    fn count(&self) -> usize {
        self.arrays[N - 1].numel()
    }

    /// The first arguments of such a kernel; none if there is nothing to do.
    pub(crate) fn args(&self, to: Address) -> Option<Args> {
        let count = self.count();
        let args = self.arrays.iter().fold(Args::new(), |args, x| args.pointer(address(x)));
        (count > 0).then(|| args.pointer(to).put(self.view).put(self.packing).count(count))
    }

    pub(crate) fn grid(&self, cuda: &Cuda) -> Grid {
        let count = self.count();
        Grid::over(cuda.gpu, if self.packing == 0 { count } else { count / self.width + self.width })
    }
}

/// Whether all elements are one.
fn is_single(x: &Array) -> bool {
    x.shape().iter().zip(x.layout().strides()).all(|(&size, &step)| size == 1 || step == 0)
}

/// `Packing` of `rl_map.h`: along the last axis each operand must lie in a row or be one element, its rows begin at
/// addresses that fit packs, and a pack must not reach over the end of a row.
fn packing<const N: usize>(view: &View<N>, arrays: [&Array; N], width: usize) -> i64 {
    let rank = view.rank as usize;
    if width == 1 || rank == 0 || (rank > 1 && view.shape[rank - 1] % width as i64 != 0) {
        return 0;
    }
    let mut packing = 1;
    for (k, (array, strides)) in arrays.into_iter().zip(&view.strides).enumerate() {
        match strides[rank - 1] {
            0 => {}
            1 => {
                let pack = (width * array.dtype().size()).min(16) as Address;
                let rows = strides[..rank - 1].iter().all(|step| step % width as i64 == 0);
                if !rows || !address(array).is_multiple_of(pack) {
                    return 0;
                }
                packing |= 2 << k;
            }
            _ => return 0,
        }
    }
    packing
}

/// The bytes of a value in a dtype, as a number.
fn bits(dtype: DType, value: Scalar) -> i64 {
    let one = Array::full(&[][..], value, dtype, &Device::cpu());
    let mut bytes = [0; 8];
    bytes[..dtype.size()].copy_from_slice(one.storage().host().expect("an array of the host").as_bytes());
    i64::from_le_bytes(bytes)
}
