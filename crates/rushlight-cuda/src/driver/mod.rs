//! The way to NVIDIA's driver: looked for when the first function is called, not when the program is linked or started.
//!
//! This module *defines* the functions of `libcuda` for whoever links against them (`cust` does) and for this crate. Each
//! looks its namesake up in the driver's library at its first call. So one program runs with and without a driver:
//! without, all of them answer "no device".

mod error;
mod table;

pub(crate) use error::{Failure, check};
pub(crate) use table::*;

use libloading::Library;
use std::error::Error;
use std::ffi::{CStr, OsStr, OsString, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// `CUDA_ERROR_NO_DEVICE`: what every function answers where there is no driver.
pub(crate) const NO_DEVICE: c_int = 100;
/// `CUDA_ERROR_NOT_FOUND`: the driver is too old to have the function.
const NOT_FOUND: c_int = 500;
/// `CUDA_ERROR_UNKNOWN`.
const UNKNOWN: c_int = 999;

/// The environment variable that names another library than the system's driver.
const PATH: &str = "RUSHLIGHT_LIBCUDA";

static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();

/// The driver's library, or why there is none.
fn library() -> Result<&'static Library, &'static str> {
    let found = LIBRARY.get_or_init(|| {
        let path = std::env::var_os(PATH).unwrap_or_else(|| OsString::from("libcuda.so.1"));
        open(&path)
    });
    found.as_ref().map_err(String::as_str)
}

fn open(path: &OsStr) -> Result<Library, String> {
    // SAFETY: the driver's library, or the one that the user names in its place, is made to be loaded by any program.
    unsafe { Library::new(path) }.map_err(|error| {
        // What the system says stands behind what the crate says.
        let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        format!("NVIDIA's driver could not be loaded: {reason}")
    })
}

/// Takes another library for the driver, before the first use of any device. Whether it could.
pub(crate) fn use_library(path: &OsStr) -> bool {
    let taken = LIBRARY.set(open(path)).is_ok();
    REPLACED.fetch_or(taken, Ordering::Relaxed);
    taken
}

static REPLACED: AtomicBool = AtomicBool::new(false);

/// Whether another library than the system's driver is used.
pub(crate) fn is_replaced() -> bool {
    REPLACED.load(Ordering::Relaxed) || std::env::var_os(PATH).is_some()
}

/// Why there is no driver, if there is none.
pub(crate) fn missing() -> Option<&'static str> {
    library().err()
}

/// Where a function of the driver is, once it was looked for.
struct Slot(AtomicPtr<c_void>);

impl Slot {
    const fn new() -> Slot {
        Slot(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// The address, or the code to answer with in its place.
    fn find(&self, name: &CStr) -> Result<*mut c_void, c_int> {
        let known = self.0.load(Ordering::Acquire);
        if !known.is_null() {
            return Ok(known);
        }
        let library = library().map_err(|_| NO_DEVICE)?;
        // SAFETY: the address is only kept here; who calls it gives it the type that the driver declares.
        let symbol = unsafe { library.get::<*mut c_void>(name.to_bytes_with_nul()) };
        let address = symbol.map_err(|_| NOT_FOUND)?;
        let address = *address;
        self.0.store(address, Ordering::Release);
        Ok(address)
    }
}

/// The codes that `cust` knows. Its type for them is an enum, and a code of a newer driver would be none of its variants.
fn known(code: c_int) -> c_int {
    let known = matches!(
        code,
        0..=8 | 34 | 100..=102 | 200..=202 | 205..=224 | 300..=304 | 400 | 401 | 500 | 600 | 700..=705
            | 708..=720 | 800..=809 | 900..=911 | 999
    );
    if known { code } else { UNKNOWN }
}

/// `fn name(argument: type, ..);` for each function.
macro_rules! forward {
    ($(fn $name:ident($($argument:ident: $type:ty),*);)*) => {
        $(
            /// The driver's function of this name.
            ///
            /// # Safety
            /// As the driver's documentation says.
            #[unsafe(no_mangle)]
            #[allow(non_snake_case, clippy::too_many_arguments, dead_code, reason = "the driver's own names")]
            pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
                static SLOT: $crate::driver::Slot = $crate::driver::Slot::new();
                const NAME: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(
                    concat!(stringify!($name), "\0").as_bytes(),
                ) {
                    Ok(name) => name,
                    Err(_) => panic!("a name without zeros"),
                };
                match SLOT.find(NAME) {
                    // SAFETY: the address is that of the driver's function of this name, whose type this is.
                    Ok(address) => $crate::driver::known(unsafe {
                        let function: unsafe extern "C" fn($($type),*) -> c_int = std::mem::transmute(address);
                        function($($argument),*)
                    }),
                    Err(code) => code,
                }
            }
        )*
    };
}
use forward;
