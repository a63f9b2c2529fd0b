//! One GPU: its context, its stream, and the kernels that were loaded into it.

use crate::driver::{self, Failure, check};
use crate::graph;
use crate::kernels;
use crate::memory::Memory;
use crate::optimize;
use crate::report::BadIndex;
use crate::staging::Staging;
use cust::context::Context;
use cust::device::{Device as Card, DeviceAttribute};
use cust::sys::{CUfunction, CUmodule, CUstream};
use rushlight_array::Device;
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_void};
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

/// A handle of the driver, which any thread may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle<T>(pub(crate) *mut T);

// SAFETY: the driver's handles are numbers to us; its functions may be called with them on any thread.
unsafe impl<T> Send for Handle<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Handle<T> {}

/// The name of a kernel in parts, so that none is put together for a launch: file, operation, dtype or variant.
pub(crate) type KernelName = (&'static str, &'static str, &'static str);

/// A GPU in use. There is one for each number, made when it is first asked for and kept until the program ends.
pub(crate) struct Gpu {
    pub(crate) ordinal: usize,
    /// `cuda:0`.
    pub(crate) name: String,
    /// `NVIDIA H100 80GB HBM3`.
    pub(crate) card: String,
    /// Compute capability: 90 for 9.0.
    pub(crate) capability: u32,
    pub(crate) multiprocessors: u32,
    pub(crate) stream: Handle<cust::sys::CUstream_st>,
    pub(crate) device: OnceLock<Device>,
    pub(crate) bad_index: BadIndex,
    pub(crate) memory: Memory,
    pub(crate) staging: Staging,
    context: Context,
    /// Held while a kernel is loaded, so that none is compiled twice.
    loading: Mutex<()>,
    functions: RwLock<HashMap<KernelName, Handle<cust::sys::CUfunc_st>>>,
}

/// All GPUs that the driver shows, or why there is none.
struct Cards(Vec<OnceLock<Result<Gpu, String>>>);

static CARDS: OnceLock<Result<Cards, String>> = OnceLock::new();

fn cards() -> Result<&'static Cards, &'static str> {
    let cards = CARDS.get_or_init(|| {
        if let Some(reason) = driver::missing() {
            return Err(reason.to_owned());
        }
        // Not by way of cust's error, whose text is asked of the driver in a way that panics without one.
        cust::init(cust::CudaFlags::empty())
            .map_err(|error| format!("NVIDIA's driver could not be started: {}", Failure(error as i32)))?;
        let count = Card::num_devices().map_err(|error| {
            format!("NVIDIA's driver does not count its devices: {}", Failure(error as i32))
        })?;
        Ok(Cards((0..count).map(|_| OnceLock::new()).collect()))
    });
    cards.as_ref().map_err(String::as_str)
}

/// The number of GPUs that can be used; 0 without a driver.
pub(crate) fn count() -> usize {
    cards().map_or(0, |cards| cards.0.len())
}

/// The GPU of this number.
pub(crate) fn gpu(ordinal: usize) -> Result<&'static Gpu, String> {
    let Cards(cards) = cards()?;
    let Some(slot) = cards.get(ordinal) else {
        let there = match cards.len() {
            0 => "the driver shows no GPU".to_owned(),
            1 => "the driver shows one GPU, cuda:0".to_owned(),
            count => format!("the driver shows {count} GPUs, cuda:0 to cuda:{}", count - 1),
        };
        let hint = match std::env::var("CUDA_VISIBLE_DEVICES") {
            Ok(list) => format!(" (CUDA_VISIBLE_DEVICES is '{list}')"),
            Err(_) => String::new(),
        };
        return Err(format!("there is no GPU {ordinal}: {there}{hint}"));
    };
    slot.get_or_init(|| Gpu::open(ordinal)).as_ref().map_err(Clone::clone)
}

/// The GPUs that are in use.
pub(crate) fn opened() -> impl Iterator<Item = &'static Gpu> {
    let cards = CARDS.get().and_then(|cards| cards.as_ref().ok());
    cards.into_iter().flat_map(|cards| &cards.0).filter_map(|slot| slot.get()?.as_ref().ok())
}

thread_local! {
    /// The GPU whose context is current on this thread, from 1; 0 for none.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

impl Gpu {
    fn open(ordinal: usize) -> Result<Gpu, String> {
        let name = format!("cuda:{ordinal}");
        let told = |what: &str, failure: Failure| format!("{name}: {what}: {failure}");
        let by_cust = |what: &str, error: cust::error::CudaError| told(what, Failure(error as i32));
        let card = Card::get_device(ordinal as u32).map_err(|e| by_cust("the driver does not show it", e))?;
        let number = |attribute| {
            card.get_attribute(attribute).map_err(|e| by_cust("the driver does not describe it", e))
        };
        let major = number(DeviceAttribute::ComputeCapabilityMajor)?;
        let minor = number(DeviceAttribute::ComputeCapabilityMinor)?;
        let capability = (major * 10 + minor) as u32;
        let title = card.name().map_err(|e| by_cust("the driver does not name it", e))?;
        if capability < 75 {
            return Err(format!(
                "{name}: {title} has compute capability {major}.{minor}; rushlight's kernels need 7.5 (Turing) or newer"
            ));
        }
        let multiprocessors = number(DeviceAttribute::MultiprocessorCount)? as u32;
        let context = Context::new(card).map_err(|e| by_cust("no context could be made", e))?;
        CURRENT.set(0);
        let mut stream: CUstream = ptr::null_mut();
        // SAFETY: the context was made current by cust, and the driver writes the handle of a new stream, which waits
        // for no other (the flag 1).
        check(unsafe { driver::cuStreamCreate(&raw mut stream, 1) })
            .map_err(|failure| told("no stream could be made", failure))?;
        Ok(Gpu {
            ordinal,
            device: OnceLock::new(),
            bad_index: BadIndex::default(),
            memory: Memory::new(),
            staging: Staging::default(),
            name,
            card: title,
            capability,
            multiprocessors,
            stream: Handle(stream),
            context,
            loading: Mutex::default(),
            functions: RwLock::default(),
        })
    }

    /// Makes this GPU the one that the driver's functions speak of on this thread.
    #[inline]
    #[track_caller]
    pub(crate) fn enter(&self) {
        optimize::flush();
        let answer = self.try_enter();
        self.expect("the context could not be made current", answer);
    }

    /// As [`Gpu::enter`], before work that was noted earlier.
    #[inline]
    pub(crate) fn try_enter(&self) -> Result<(), Failure> {
        if CURRENT.get() != self.ordinal + 1 {
            // SAFETY: the context lives as long as the program.
            check(unsafe { driver::cuCtxSetCurrent(self.context.as_raw()) })?;
            CURRENT.set(self.ordinal + 1);
        }
        Ok(())
    }

    /// Ends in a panic that says what failed on which device.
    #[track_caller]
    pub(crate) fn expect(&self, what: &str, answer: Result<(), Failure>) {
        if let Err(failure) = answer {
            rushlight_array::fail!("{}: {what}: {failure}", self.name)
        }
    }

    /// Waits until all that was asked for is done.
    #[track_caller]
    pub(crate) fn synchronize(&self) {
        graph::flush(self);
        self.wait();
        self.tell_bad_index();
    }

    /// As [`Gpu::synchronize`], for what was asked for already.
    #[track_caller]
    pub(crate) fn wait(&self) {
        let answer = self.try_wait();
        self.expect("work that was asked for earlier failed", answer);
    }

    /// As [`Gpu::wait`], with the driver's answer.
    #[track_caller]
    pub(crate) fn try_wait(&self) -> Result<(), Failure> {
        self.enter();
        // SAFETY: the stream is this GPU's own.
        check(unsafe { driver::cuStreamSynchronize(self.stream.0) })
    }

    /// Whether what is asked for is recorded for a graph, so that there is nothing to wait for.
    pub(crate) fn is_capturing(&self) -> bool {
        graph::records(self)
    }

    /// The kernel of this name, loaded when it is first asked for.
    #[track_caller]
    pub(crate) fn function(&self, name: KernelName) -> CUfunction {
        let known = self.functions.read().unwrap_or_else(PoisonError::into_inner).get(&name).copied();
        match known {
            Some(function) => function.0,
            None => self.load(name),
        }
    }

    #[cold]
    #[track_caller]
    fn load(&self, name: KernelName) -> CUfunction {
        let _alone = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = self.functions.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return function.0;
        }
        self.enter();
        let (file, operation, variant) = name;
        let kernel = if variant.is_empty() { operation.to_owned() } else { format!("{operation}_{variant}") };
        let Some(ptx) = kernels::of_file(file) else {
            rushlight_array::fail!("{}: there is no file of kernels {file}", self.name)
        };
        let Some(text) = ptx.of_kernel(&kernel) else {
            rushlight_array::fail!("{}: kernels/{file}.cu has no kernel {kernel}", self.name)
        };
        let module = match compile(&text) {
            Ok(module) => module,
            Err((failure, log)) => {
                let what = format!("{kernel} of kernels/{file}.cu could not be loaded");
                rushlight_array::fail!("{}: {what}: {failure}{log}", self.name)
            }
        };
        let wanted = CString::new(kernel.as_str()).unwrap_or_default();
        let mut function: CUfunction = ptr::null_mut();
        // SAFETY: the module is loaded for good, and the driver writes the handle of a function in it.
        let answer =
            check(unsafe { driver::cuModuleGetFunction(&raw mut function, module, wanted.as_ptr()) });
        self.expect(&format!("{kernel} of kernels/{file}.cu was not found by the driver"), answer);
        self.functions.write().unwrap_or_else(PoisonError::into_inner).insert(name, Handle(function));
        function
    }
}

/// Lets the driver compile PTX, which ends with a zero, for the device of the current context.
fn compile(ptx: &[u8]) -> Result<CUmodule, (Failure, String)> {
    const ERROR_LOG: cust::sys::CUjit_option = cust::sys::CUjit_option_enum::CU_JIT_ERROR_LOG_BUFFER;
    const ERROR_LOG_SIZE: cust::sys::CUjit_option =
        cust::sys::CUjit_option_enum::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES;
    assert!(ptx.ends_with(b"\0"), "the driver reads up to a zero");
    let mut log = [0u8; 4096];
    let mut options = [ERROR_LOG, ERROR_LOG_SIZE];
    // The driver takes the size in the place of an address.
    let mut values: [*mut c_void; 2] = [log.as_mut_ptr().cast(), ptr::without_provenance_mut(log.len())];
    let mut module: CUmodule = ptr::null_mut();
    // SAFETY: the text ends with zero; there are two options with a value each, a buffer and its size, which outlive the
    // call; the driver writes the handle of a new module.
    let code = unsafe {
        driver::cuModuleLoadDataEx(
            &raw mut module,
            ptx.as_ptr().cast::<c_char>().cast(),
            2,
            options.as_mut_ptr(),
            values.as_mut_ptr(),
        )
    };
    check(code).map(|()| module).map_err(|failure| {
        let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
        let log = String::from_utf8_lossy(&log[..end]);
        (failure, if log.trim().is_empty() { String::new() } else { format!("\n{}", log.trim()) })
    })
}
