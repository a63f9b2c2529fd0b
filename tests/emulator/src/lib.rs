//! NVIDIA's driver, emulated: a shared library with the functions of `libcuda` that rushlight-cuda calls. Memory of the
//! device is memory of the host, streams run at once, and kernels are those of `kernels/`, compiled for the processor.
//!
//! `RUSHLIGHT_LIBCUDA` names it in the driver's place. What it cannot show: races between blocks and streams, the
//! compilation of PTX, and speed.
//!
//! Variables: `RUSHLIGHT_EMULATED_DEVICES` (how many, 2 at first), `RUSHLIGHT_EMULATED_MEMORY` (bytes of each device),
//! `RUSHLIGHT_EMULATED_ORDER` (in which order threads take turns: 0 forward, 1 backward and warp by warp, else the seed of
//! a shuffle), `RUSHLIGHT_EMULATED_FAILURE` (a function that fails: its name, the number of the first such call, the answer).
#![allow(non_snake_case, reason = "the driver's own names")]
#![allow(
    unsafe_code,
    clippy::missing_safety_doc,
    clippy::undocumented_unsafe_blocks,
    missing_docs,
    reason = "an interface of C, whose callers hand over what the documentation of the driver asks for"
)]

mod cublas;
mod graph;
mod memory;
mod module;

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) const SUCCESS: c_int = 0;
pub(crate) const INVALID_VALUE: c_int = 1;
pub(crate) const OUT_OF_MEMORY: c_int = 2;
pub(crate) const NOT_INITIALIZED: c_int = 3;
pub(crate) const NO_DEVICE: c_int = 100;
pub(crate) const INVALID_DEVICE: c_int = 101;
pub(crate) const INVALID_PTX: c_int = 218;
pub(crate) const INVALID_CONTEXT: c_int = 201;
pub(crate) const INVALID_HANDLE: c_int = 400;
pub(crate) const NOT_FOUND: c_int = 500;
pub(crate) const ILLEGAL_ADDRESS: c_int = 700;
pub(crate) const LAUNCH_FAILED: c_int = 719;
pub(crate) const CAPTURE_UNSUPPORTED: c_int = 900;

const NAMES: &[(c_int, &CStr, &CStr)] = &[
    (SUCCESS, c"CUDA_SUCCESS", c"no error"),
    (INVALID_VALUE, c"CUDA_ERROR_INVALID_VALUE", c"invalid argument"),
    (OUT_OF_MEMORY, c"CUDA_ERROR_OUT_OF_MEMORY", c"out of memory"),
    (NOT_INITIALIZED, c"CUDA_ERROR_NOT_INITIALIZED", c"initialization error"),
    (NO_DEVICE, c"CUDA_ERROR_NO_DEVICE", c"no CUDA-capable device is detected"),
    (INVALID_DEVICE, c"CUDA_ERROR_INVALID_DEVICE", c"invalid device ordinal"),
    (INVALID_PTX, c"CUDA_ERROR_INVALID_PTX", c"a PTX JIT compilation failed"),
    (INVALID_CONTEXT, c"CUDA_ERROR_INVALID_CONTEXT", c"invalid device context"),
    (INVALID_HANDLE, c"CUDA_ERROR_INVALID_HANDLE", c"invalid resource handle"),
    (NOT_FOUND, c"CUDA_ERROR_NOT_FOUND", c"named symbol not found"),
    (ILLEGAL_ADDRESS, c"CUDA_ERROR_ILLEGAL_ADDRESS", c"an illegal memory access was encountered"),
    (LAUNCH_FAILED, c"CUDA_ERROR_LAUNCH_FAILED", c"unspecified launch failure"),
    (
        CAPTURE_UNSUPPORTED,
        c"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
        c"operation not permitted when stream is capturing",
    ),
];

pub(crate) fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// The devices that `CUDA_VISIBLE_DEVICES` leaves.
fn devices() -> c_int {
    static DEVICES: OnceLock<c_int> = OnceLock::new();
    *DEVICES.get_or_init(|| {
        let all = number("RUSHLIGHT_EMULATED_DEVICES", 2) as c_int;
        match std::env::var("CUDA_VISIBLE_DEVICES") {
            // As the driver does: what stands behind a number that is none is not seen.
            Ok(list) => list
                .split(',')
                .take_while(|n| n.trim().parse().is_ok_and(|n: c_int| (0..all).contains(&n)))
                .count() as c_int,
            Err(_) => all,
        }
    })
}

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// The number of the device whose context is current on this thread.
pub(crate) fn current() -> Option<usize> {
    CURRENT.get().checked_sub(1)
}

unsafe fn put<T>(place: *mut T, value: T) -> c_int {
    if place.is_null() {
        return INVALID_VALUE;
    }
    // SAFETY: the caller names a place for the result.
    unsafe { place.write(value) };
    SUCCESS
}
pub(crate) use put as give;

/// The answer of a call that was ordered to fail, and of all such calls after it.
fn failure(name: &str) -> Option<c_int> {
    static ORDER: OnceLock<Option<(String, usize, c_int)>> = OnceLock::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let order = ORDER.get_or_init(|| {
        let text = std::env::var("RUSHLIGHT_EMULATED_FAILURE").ok()?;
        let mut words = text.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    });
    let (wanted, from, code) = order.as_ref()?;
    (wanted == name && CALLS.fetch_add(1, Ordering::Relaxed) + 1 >= *from).then_some(*code)
}

macro_rules! driver {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block)*) => {
        $(
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> std::ffi::c_int {
                if let Some(code) = $crate::failure(stringify!($name)) {
                    return code;
                }
                $body
            }
        )*
    };
}
pub(crate) use driver;

driver! {
    fn cuInit(flags: c_uint) {
        if flags != 0 {
            INVALID_VALUE
        } else if devices() == 0 {
            NO_DEVICE
        } else {
            SUCCESS
        }
    }
    fn cuDriverGetVersion(version: *mut c_int) { unsafe { give(version, 12000) } }
    fn cuGetErrorName(code: c_int, text: *mut *const c_char) {
        match NAMES.iter().find(|row| row.0 == code) {
            Some(row) => unsafe { give(text, row.1.as_ptr()) },
            None => INVALID_VALUE,
        }
    }
    fn cuGetErrorString(code: c_int, text: *mut *const c_char) {
        match NAMES.iter().find(|row| row.0 == code) {
            Some(row) => unsafe { give(text, row.2.as_ptr()) },
            None => INVALID_VALUE,
        }
    }
    fn cuDeviceGetCount(count: *mut c_int) { unsafe { give(count, devices()) } }
    fn cuDeviceGet(device: *mut c_int, ordinal: c_int) {
        if (0..devices()).contains(&ordinal) { unsafe { give(device, ordinal) } } else { INVALID_DEVICE }
    }
    fn cuDeviceGetName(name: *mut c_char, len: c_int, device: c_int) {
        let text = format!("Emulated GPU {device}\0");
        let count = text.len().min(len.max(0) as usize);
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr().cast(), name, count) };
        SUCCESS
    }
    fn cuDeviceGetUuid(uuid: *mut [u8; 16], device: c_int) { unsafe { give(uuid, [device as u8; 16]) } }
    fn cuDeviceTotalMem_v2(bytes: *mut usize, _device: c_int) { unsafe { give(bytes, memory::total() as usize) } }
    fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, _device: c_int) {
        let answer = match attribute {
            // Threads of a block, and of its three sides.
            1..=3 => 1024,
            4 => 64,
            // Sides of a grid.
            5 => i32::MAX,
            6 | 7 => 65535,
            // Shared memory of a block: usually, and at most if a kernel asks for more.
            8 => 48 << 10,
            97 => 99 << 10,
            // Threads of a warp, multiprocessors, threads of each.
            10 => 32,
            16 => 4,
            39 => 1536,
            // Compute capability.
            75 => 8,
            76 => 0,
            // Memory pools.
            115 => 1,
            _ => 0,
        };
        unsafe { give(value, answer) }
    }
    fn cuDevicePrimaryCtxRetain(context: *mut *mut c_void, device: c_int) {
        unsafe { give(context, (device as usize + 1) as *mut c_void) }
    }
    fn cuDevicePrimaryCtxRelease_v2(_device: c_int) { SUCCESS }
    fn cuDevicePrimaryCtxSetFlags_v2(_device: c_int, _flags: c_uint) { SUCCESS }
    fn cuCtxSetCurrent(context: *mut c_void) {
        CURRENT.set(context as usize);
        SUCCESS
    }
    fn cuCtxGetCurrent(context: *mut *mut c_void) { unsafe { give(context, CURRENT.get() as *mut c_void) } }
    fn cuCtxPushCurrent_v2(context: *mut c_void) {
        CURRENT.set(context as usize);
        SUCCESS
    }
    fn cuCtxPopCurrent_v2(context: *mut *mut c_void) {
        let code = unsafe { give(context, CURRENT.get() as *mut c_void) };
        CURRENT.set(0);
        code
    }
    fn cuCtxSynchronize() {
        if current().is_some() { SUCCESS } else { INVALID_CONTEXT }
    }
}
