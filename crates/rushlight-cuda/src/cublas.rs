//! NVIDIA's library of matrix products, cuBLAS, where it is installed: for large products. It is looked for when the first
//! of them is asked for, and what it is not there for, the kernels of this crate compute.

use crate::backend::{Cuda, address};
use crate::driver;
use crate::gemm::{Precision, float32_matmul_precision};
use crate::gpu::{Gpu, Handle};
use crate::graph;
use crate::matmul::Product;
use crate::memory::{Address, Block};
use libloading::Library;
use rushlight_array::DType;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_longlong, c_void};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The library that is used if this variable names one.
const PATH: &str = "RUSHLIGHT_CUBLAS_PATH";
/// 0 in this variable turns cuBLAS off.
const SWITCH: &str = "RUSHLIGHT_CUBLAS";

/// Products of at least so many multiply-adds are cuBLAS's: those of 512 x 512 matrices. For smaller ones its choice among
/// its kernels takes as long as the product, and they would cut a step's graph into pieces.
const LARGE: usize = 1 << 27;
/// Another number in this variable takes the place of [`LARGE`].
const FROM: &str = "RUSHLIGHT_CUBLAS_FROM";

static NUMBER: OnceLock<usize> = OnceLock::new();

fn large() -> usize {
    *NUMBER.get_or_init(|| std::env::var(FROM).ok().and_then(|text| text.parse().ok()).unwrap_or(LARGE))
}
/// So many calls are worth it for a batch that lies along two axes.
const CALLS: i64 = 64;

const TRANSPOSED: c_int = 1;
const AS_IT_LIES: c_int = 0;
/// `CUBLAS_TF32_TENSOR_OP_MATH`.
const TF32: c_int = 3;
/// `CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION`: parts of sums stay in f32.
const FULL_SUMS: c_int = 16;
/// `CUDA_R_16F`, `CUDA_R_16BF`, `CUDA_R_32F`.
const F16: c_int = 2;
const BF16: c_int = 14;
const F32: c_int = 0;
/// `CUBLAS_COMPUTE_32F`.
const IN_F32: c_int = 68;
/// `CUBLAS_GEMM_DEFAULT`.
const ANY_ALGORITHM: c_int = -1;

type Raw = *mut c_void;
/// A product whose numbers are all of one type.
type Gemm<T> = unsafe extern "C" fn(
    Raw,
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    *const T,
    Address,
    c_int,
    c_longlong,
    Address,
    c_int,
    c_longlong,
    *const T,
    Address,
    c_int,
    c_longlong,
    c_int,
) -> c_int;
/// A product of numbers of types that are named.
type GemmEx = unsafe extern "C" fn(
    Raw,
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    *const c_void,
    Address,
    c_int,
    c_int,
    c_longlong,
    Address,
    c_int,
    c_int,
    c_longlong,
    *const c_void,
    Address,
    c_int,
    c_int,
    c_longlong,
    c_int,
    c_int,
    c_int,
) -> c_int;

/// The functions that are used.
struct Table {
    path: PathBuf,
    create: unsafe extern "C" fn(*mut Raw) -> c_int,
    destroy: unsafe extern "C" fn(Raw) -> c_int,
    version: unsafe extern "C" fn(Raw, *mut c_int) -> c_int,
    set_stream: unsafe extern "C" fn(Raw, Raw) -> c_int,
    set_math_mode: unsafe extern "C" fn(Raw, c_int) -> c_int,
    set_workspace: unsafe extern "C" fn(Raw, Address, usize) -> c_int,
    f32: Gemm<f32>,
    f64: Gemm<f64>,
    narrow: GemmEx,
}

impl Table {
    fn open(path: &Path) -> Option<Table> {
        // What it depends on lies beside it, and is found if it is loaded already.
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
            && !folder.as_os_str().is_empty()
            && name.contains("cublas.so")
        {
            // SAFETY: a library of NVIDIA's, which any program may load.
            if let Ok(light) = unsafe { Library::new(folder.join(name.replace("cublas.so", "cublasLt.so"))) }
            {
                std::mem::forget(light);
            }
        }
        // SAFETY: as above, or the one that the user names in its place.
        let library = unsafe { Library::new(path) }.ok()?;
        macro_rules! find {
            ($name:literal) => {
                // SAFETY: the type is that of cuBLAS's function of this name, and the library is never closed.
                *unsafe { library.get(concat!($name, "\0").as_bytes()) }.ok()?
            };
        }
        let table = Table {
            path: path.to_owned(),
            create: find!("cublasCreate_v2"),
            destroy: find!("cublasDestroy_v2"),
            version: find!("cublasGetVersion_v2"),
            set_stream: find!("cublasSetStream_v2"),
            set_math_mode: find!("cublasSetMathMode"),
            set_workspace: find!("cublasSetWorkspace_v2"),
            f32: find!("cublasSgemmStridedBatched"),
            f64: find!("cublasDgemmStridedBatched"),
            narrow: find!("cublasGemmStridedBatchedEx"),
        };
        std::mem::forget(library);
        Some(table)
    }
}

static TABLE: OnceLock<Option<Table>> = OnceLock::new();

fn table() -> Option<&'static Table> {
    TABLE.get_or_init(find).as_ref()
}

fn find() -> Option<Table> {
    if std::env::var_os(SWITCH).is_some_and(|value| value == "0") {
        return None;
    }
    if let Some(path) = std::env::var_os(PATH) {
        return Table::open(Path::new(&path));
    }
    // An emulated driver's memory is not that of a GPU.
    if driver::is_replaced() {
        return None;
    }
    candidates().iter().find_map(|path| Table::open(path))
}

/// Where cuBLAS may be: with the system's libraries, NVIDIA's toolkit, or Python's packages; the newest first.
fn candidates() -> Vec<PathBuf> {
    const NAMES: [&str; 3] = ["libcublas.so.13", "libcublas.so.12", "libcublas.so.11"];
    let mut folders = vec![PathBuf::new(), PathBuf::from("/usr/local/cuda/lib64")];
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let home = variable("HOME").map(|home| home.join(".local"));
    let roots = [
        variable("VIRTUAL_ENV"),
        variable("CONDA_PREFIX"),
        home,
        Some("/usr/local".into()),
        Some("/usr".into()),
    ];
    for root in roots.into_iter().flatten() {
        let Ok(entries) = fs::read_dir(root.join("lib")) else { continue };
        let mut pythons: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        pythons.retain(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3"))
        });
        pythons.sort();
        for python in pythons {
            for packages in ["site-packages", "dist-packages"] {
                for library in ["nvidia/cu13/lib", "nvidia/cublas/lib"] {
                    folders.push(python.join(packages).join(library));
                }
            }
        }
    }
    folders.iter().flat_map(|folder| NAMES.map(|name| folder.join(name))).collect()
}

/// Takes this library for cuBLAS, as `RUSHLIGHT_CUBLAS_PATH` does. Whether it could.
pub(crate) fn use_library(path: &Path, from: usize) -> bool {
    let table = Table::open(path);
    table.is_some() && NUMBER.set(from).is_ok() && TABLE.set(table).is_ok()
}

/// cuBLAS's state for a GPU.
struct State {
    handle: Handle<c_void>,
    mode: c_int,
    /// Its scratch memory, so that it takes none of its own, which a recorded graph could not.
    _workspace: Block,
}

/// By the numbers of the GPUs; `None` where it could not be started.
static STATES: Mutex<BTreeMap<usize, Option<State>>> = Mutex::new(BTreeMap::new());

fn start(table: &Table, gpu: &'static Gpu) -> Option<State> {
    gpu.enter();
    let mut handle = std::ptr::null_mut();
    // SAFETY: the context is current, and cuBLAS writes a handle.
    if unsafe { (table.create)(&raw mut handle) } != 0 {
        return None;
    }
    // As much as PyTorch gives it.
    let bytes = if gpu.capability >= 90 { 32 << 20 } else { 8 << 20 };
    let workspace = gpu.block(bytes);
    // SAFETY: the handle is the one that was just made, the stream lives as long as the program, the block as long as the
    // handle.
    let codes = unsafe {
        [
            (table.set_stream)(handle, gpu.stream.0.cast()),
            (table.set_workspace)(handle, workspace.address, bytes),
            (table.set_math_mode)(handle, FULL_SUMS),
        ]
    };
    if codes != [0; 3] {
        // SAFETY: nobody else has the handle.
        unsafe { (table.destroy)(handle) };
        return None;
    }
    Some(State { handle: Handle(handle), mode: FULL_SUMS, _workspace: workspace })
}

/// The path and version of cuBLAS, if it is used: `/usr/local/cuda/lib64/libcublas.so.12 (version 120103)`. Else the
/// crate's own kernels compute all products.
pub(crate) fn description(gpu: &'static Gpu) -> Option<String> {
    let table = table()?;
    let mut states = STATES.lock().unwrap_or_else(PoisonError::into_inner);
    let state = states.entry(gpu.ordinal).or_insert_with(|| start(table, gpu)).as_ref()?;
    let mut version = 0;
    // SAFETY: the handle is this GPU's, and cuBLAS writes a number.
    unsafe { (table.version)(state.handle.0, &raw mut version) };
    Some(format!("{} (version {version})", table.path.display()))
}

/// An operand as cuBLAS, which counts along columns, wants it.
#[derive(Clone, Copy)]
struct Side {
    operation: c_int,
    leading: c_int,
}

/// `unit` and `other`: extent and stride of the axis without gaps, and of the other one.
fn leading(unit: (usize, i64), other: (usize, i64)) -> Option<c_int> {
    if unit.1 != 1 && unit.0 > 1 {
        return None;
    }
    let stride = if other.0 == 1 { unit.0 as i64 } else { other.1 };
    if stride < unit.0 as i64 { None } else { c_int::try_from(stride).ok() }
}

/// Rows and columns with their strides; one without gaps along a row is a transposed one for cuBLAS, and is turned back by
/// computing the transposed product.
fn side(row: (usize, i64), column: (usize, i64)) -> Option<Side> {
    let as_it_lies = leading(column, row).map(|leading| Side { operation: AS_IT_LIES, leading });
    as_it_lies.or_else(|| leading(row, column).map(|leading| Side { operation: TRANSPOSED, leading }))
}

/// A batch with one stride for each array, and the calls that are needed: their number and strides.
struct Batch {
    count: c_int,
    strides: [i64; 3],
    calls: i64,
    steps: [i64; 3],
}

fn batch(p: &Product<'_>) -> Option<Batch> {
    let axis = |axis: usize| p.view.strides.map(|strides| strides[axis]);
    let (sizes, one) = (p.view.shape, [0; 3]);
    let (inner, calls) = match p.view.rank {
        0 => ((1, one), (1, one)),
        1 => ((sizes[0], axis(0)), (1, one)),
        2 if sizes[0] <= sizes[1] => ((sizes[1], axis(1)), (sizes[0], axis(0))),
        2 => ((sizes[0], axis(0)), (sizes[1], axis(1))),
        _ => return None,
    };
    let forward = inner.1.iter().all(|&stride| stride >= 0);
    if !forward || calls.0 > CALLS {
        return None;
    }
    Some(Batch { count: c_int::try_from(inner.0).ok()?, strides: inner.1, calls: calls.0, steps: calls.1 })
}

impl Cuda {
    /// Computes a large product, if cuBLAS is there and the operands lie as it wants them. Whether it did.
    #[track_caller]
    pub(crate) fn multiply_by_cublas(&self, p: &Product<'_>) -> bool {
        let work = p.m.saturating_mul(p.n).saturating_mul(p.k).saturating_mul(p.batch);
        if work < large() || p.dtype() == DType::I64 {
            return false;
        }
        self.by_cublas(p).is_some()
    }

    #[track_caller]
    fn by_cublas(&self, p: &Product<'_>) -> Option<()> {
        let table = table()?;
        let (m, n, k) = (p.m, p.n, p.k);
        let (mi, ni, ki) = (c_int::try_from(m).ok()?, c_int::try_from(n).ok()?, c_int::try_from(k).ok()?);
        let a = side((m, p.a_strides[0]), (k, p.a_strides[1]))?;
        let b = side((k, p.b_strides[0]), (n, p.b_strides[1]))?;
        let batch = batch(p)?;
        // What is not done yet when the product is: to be done by a kernel, from sums in f32.
        let is_narrow = matches!(p.dtype(), DType::F16 | DType::BF16);
        let scratch =
            (is_narrow && (p.bias.is_some() || p.relu)).then(|| self.gpu.block(p.batch * m * n * 4));
        let is_dense = p.y_row == n as i64 && p.batch == 1;
        if (p.bias.is_some() || p.relu) && !is_dense {
            return None;
        }
        let y_leading = leading((n, 1), (m, p.y_row))?;
        // What it asks of the GPU is not part of a graph: what was noted before goes first.
        graph::flush(self.gpu);

        let mut states = STATES.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(self.gpu.ordinal).or_insert_with(|| start(table, self.gpu)).as_mut()?;
        self.gpu.enter();
        let handle = state.handle.0;
        let fast = p.dtype() == DType::F32 && float32_matmul_precision() == Precision::High;
        let mode = if fast { FULL_SUMS | TF32 } else { FULL_SUMS };
        if mode != state.mode {
            // SAFETY: the handle is this GPU's.
            self.told("its mode could not be set", unsafe { (table.set_math_mode)(handle, mode) });
            state.mode = mode;
        }
        let [a_start, b_start, y_start] = p.addresses();
        let y_start = scratch.as_ref().map_or(y_start, |block| block.address);
        let size = p.dtype().size() as i64;
        let y_size = if scratch.is_some() { 4 } else { size };
        let [a_stride, b_stride, y_stride] = batch.strides;
        for call in 0..batch.calls {
            let place =
                |start: Address, k: usize, size: i64| start.wrapping_add_signed(call * batch.steps[k] * size);
            let (a_at, b_at, y_at) =
                (place(a_start, 0, size), place(b_start, 1, size), place(y_start, 2, y_size));
            macro_rules! plain {
                ($gemm:ident, $number:ty) => {{
                    let (one, zero): ($number, $number) = (1.0, 0.0);
                    // SAFETY: the operands and the result lie in blocks of this GPU as the sizes and strides say, which
                    // come from their layouts; the factors are read before the call returns.
                    unsafe {
                        (table.$gemm)(
                            handle, b.operation, a.operation, ni, mi, ki, &raw const one, b_at, b.leading, b_stride,
                            a_at, a.leading, a_stride, &raw const zero, y_at, y_leading, y_stride, batch.count,
                        )
                    }
                }};
            }
            let code = match p.dtype() {
                DType::F32 => plain!(f32, f32),
                DType::F64 => plain!(f64, f64),
                dtype => {
                    let kind = if dtype == DType::F16 { F16 } else { BF16 };
                    let y_kind = if scratch.is_some() { F32 } else { kind };
                    let (one, zero) = (1f32, 0f32);
                    // SAFETY: as above; the factors are of the type in which it computes.
                    unsafe {
                        (table.narrow)(
                            handle,
                            b.operation,
                            a.operation,
                            ni,
                            mi,
                            ki,
                            (&raw const one).cast(),
                            b_at,
                            kind,
                            b.leading,
                            b_stride,
                            a_at,
                            kind,
                            a.leading,
                            a_stride,
                            (&raw const zero).cast(),
                            y_at,
                            y_kind,
                            y_leading,
                            y_stride,
                            batch.count,
                            IN_F32,
                            ANY_ALGORITHM,
                        )
                    }
                }
            };
            self.told("a product failed", code);
        }
        drop(states);
        match (p.dtype(), scratch) {
            (DType::F64, _) => self.finish(p, address(p.result()), ("matmul", "add_parts", "f64")),
            (DType::F16, Some(sums)) => self.finish(p, sums.address, ("gemm_80", "add_parts", "f16")),
            (DType::BF16, Some(sums)) => self.finish(p, sums.address, ("gemm_80", "add_parts", "bf16")),
            (DType::F32, _) => self.finish(p, address(p.result()), ("matmul", "add_parts", "f32")),
            _ => {}
        }
        Some(())
    }

    #[track_caller]
    fn told(&self, what: &str, code: c_int) {
        if code != 0 {
            rushlight_array::fail!("{}: cuBLAS: {what}: status {code}", self.gpu.name)
        }
    }
}
