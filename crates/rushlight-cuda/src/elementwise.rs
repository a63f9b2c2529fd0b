//! Copies, fills and elementwise functions: `kernels/elementwise.cu`.

use crate::backend::{Cuda, address};
use crate::gpu::KernelName;
use crate::launch::{Args, Grid, View};
use rushlight_array::{Array, Backend, Buffer, DType, Device, Layout, Scalar, Storage};
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
}

/// The bytes of a value in a dtype, as a number.
fn bits(dtype: DType, value: Scalar) -> i64 {
    let one = Array::full(&[][..], value, dtype, &Device::cpu());
    let mut bytes = [0; 8];
    bytes[..dtype.size()].copy_from_slice(one.storage().host().expect("an array of the host").as_bytes());
    i64::from_le_bytes(bytes)
}
