//! Products on tensor cores: `kernels/gemm_80.cu`, for GPUs of compute capability 8.0 and newer.

use crate::backend::Cuda;
use crate::launch::Grid;
use crate::matmul::{A_ALONG, B_ALONG, BUSY, PART, Product, blocks, cut, tiles};
use rushlight_array::{Array, DType};
use std::sync::atomic::{AtomicBool, Ordering};

/// How products of f32 matrices are computed on GPUs; see [`set_float32_matmul_precision`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Precision {
    /// In f32 throughout.
    #[default]
    Highest,
    /// With factors rounded to tf32, which has the 10 bits of f16 behind the point and the range of f32, and sums in f32:
    /// several times as fast, with relative errors of about 0.0005 of the terms.
    High,
}

static HIGH: AtomicBool = AtomicBool::new(false);

/// Whether products of f32 matrices may use tensor cores, on all GPUs that have them for tf32 (compute capability 8.0, Ampere,
/// and newer): PyTorch's `torch.set_float32_matmul_precision`, with its default, [`Precision::Highest`].
///
/// It holds for products that are asked for afterwards, on any thread: `matmul`, linear layers, and what is made of them.
/// PyTorch's `"medium"` is not there: cast to bf16 instead.
///
/// ```
/// use rushlight_cuda::Precision;
///
/// assert_eq!(rushlight_cuda::float32_matmul_precision(), Precision::Highest);
/// rushlight_cuda::set_float32_matmul_precision(Precision::High);
/// assert_eq!(rushlight_cuda::float32_matmul_precision(), Precision::High);
/// ```
pub fn set_float32_matmul_precision(precision: Precision) {
    HIGH.store(precision == Precision::High, Ordering::Relaxed);
}

/// What [`set_float32_matmul_precision`] chose: PyTorch's `torch.get_float32_matmul_precision`.
pub fn float32_matmul_precision() -> Precision {
    if HIGH.load(Ordering::Relaxed) { Precision::High } else { Precision::Highest }
}

/// The names of the kernels by how the operands lie.
const LARGE: [&str; 4] = ["large_nn", "large_nt", "large_tn", "large_tt"];
const SMALL: [&str; 4] = ["small_nn", "small_nt", "small_tn", "small_tt"];

impl Cuda {
    /// Whether there are tensor cores for all that the kernels do.
    pub(crate) fn has_tensor_cores(&self) -> bool {
        self.gpu.capability >= 80
    }

    /// Computes a product of f16, bf16, or f32 if tf32 will do, if the GPU can. Whether it did.
    #[track_caller]
    pub(crate) fn multiply_on_tensor_cores(&self, p: &Product<'_>) -> bool {
        let (dtype, adds) = match p.dtype() {
            DType::F16 => ("f16", ("gemm_80", "add_parts", "f16")),
            DType::BF16 => ("bf16", ("gemm_80", "add_parts", "bf16")),
            DType::F32 if float32_matmul_precision() == Precision::High => {
                ("tf32", ("matmul", "add_parts", "f32"))
            }
            _ => return false,
        };
        if !self.has_tensor_cores() {
            return false;
        }
        let parts = (p.k / PART).clamp(1, 4);
        let many = tiles(p.m, p.n, p.batch, 128).saturating_mul(parts) >= BUSY * 3 / 4;
        let (names, side, threads, shared) = if many && p.m > 64 && p.n > 64 {
            (LARGE, 128, 256, 48 << 10)
        } else {
            (SMALL, 64, 128, 32 << 10)
        };
        let count = tiles(p.m, p.n, p.batch, side);
        let cut = cut(count, p.k);
        let flags = p.flags(2);
        let layout = usize::from(flags & A_ALONG == 0) * 2 + usize::from(flags & B_ALONG != 0);
        let grid = Grid::of(blocks(count.saturating_mul(cut.parts)), threads).with_shared(shared);
        self.in_parts(p, cut, flags, adds, DType::F32, |args| {
            self.gpu.launch(("gemm_80", names[layout], dtype), grid, args);
        });
        true
    }

    /// Products of f16 or bf16 matrices, whose sums are rounded once.
    #[track_caller]
    pub(crate) fn narrow_products(&self, a: &Array, b: &Array) -> Array {
        if self.has_tensor_cores() {
            return self.products(a, b);
        }
        self.products(&a.cast(DType::F32), &b.cast(DType::F32)).cast(a.dtype())
    }

    /// A linear layer of f16 or bf16.
    #[track_caller]
    pub(crate) fn narrow_linear_layer(
        &self,
        x: &Array,
        weight: &Array,
        bias: Option<&Array>,
        relu: bool,
    ) -> Array {
        if self.has_tensor_cores() {
            return self.linear_layer(x, weight, bias, relu);
        }
        let [wide, weight] = [x, weight].map(|x| x.cast(DType::F32));
        let bias = bias.map(|bias| bias.cast(DType::F32));
        self.linear_layer(&wide, &weight, bias.as_ref(), relu).cast(x.dtype())
    }
}
