//! Modules and launches: a module is the PTX that was handed in, of which only the names of its kernels are read.

use crate::{
    CAPTURE_UNSUPPORTED, INVALID_CONTEXT, INVALID_HANDLE, INVALID_PTX, INVALID_VALUE, LAUNCH_FAILED, NOT_FOUND, SUCCESS,
    current, driver, give, graph, number,
};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::{Mutex, Once, PoisonError};

unsafe extern "C" {
    fn rl_find_kernel(name: *const c_char) -> *const c_void;
    fn rl_kernel_arguments(kernel: *const c_void, sizes: *mut usize, most: usize) -> usize;
    fn rl_set_order(order: u64);
    fn rl_launch(
        kernel: *const c_void,
        grid: *const c_uint,
        block: *const c_uint,
        shared: c_uint,
        arguments: *mut *mut c_void,
    ) -> *const c_char;
}

/// The texts of the modules, by number.
static MODULES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A launch with its arguments, which the driver copies when it is asked for one.
#[derive(Clone)]
pub(crate) struct Launch {
    kernel: usize,
    grid: [c_uint; 3],
    block: [c_uint; 3],
    shared: c_uint,
    /// Each in 16-byte units, for their alignment.
    arguments: Vec<Vec<u128>>,
}

impl Launch {
    /// Whether it came to its end.
    pub(crate) fn run(&self) -> bool {
        static ORDER: Once = Once::new();
        // SAFETY: it sets a number.
        ORDER.call_once(|| unsafe { rl_set_order(number("RUSHLIGHT_EMULATED_ORDER", 0)) });
        let mut arguments = self.arguments.clone();
        let mut pointers: Vec<*mut c_void> = arguments.iter_mut().map(|bytes| bytes.as_mut_ptr().cast()).collect();
        // SAFETY: the kernel is one of the registry, and the arguments have the sizes that it names.
        let complaint = unsafe {
            rl_launch(
                self.kernel as *const c_void,
                self.grid.as_ptr(),
                self.block.as_ptr(),
                self.shared,
                pointers.as_mut_ptr(),
            )
        };
        if complaint.is_null() {
            return true;
        }
        // SAFETY: a text of the emulator, which ends with zero.
        let text = unsafe { CStr::from_ptr(complaint) };
        // SAFETY: the first field of a kernel is its name.
        let name = unsafe { CStr::from_ptr(*(self.kernel as *const *const c_char)) };
        eprintln!("emulated GPU: {}: {}", name.to_string_lossy(), text.to_string_lossy());
        false
    }
}

driver! {
    fn cuModuleLoadDataEx(
        module: *mut *mut c_void, image: *const c_void, _count: c_uint, _options: *mut c_int, _values: *mut *mut c_void,
    ) {
        if current().is_none() {
            return INVALID_CONTEXT;
        }
        let text = unsafe { CStr::from_ptr(image.cast()) }.to_string_lossy().into_owned();
        if !text.contains(".version") || !text.contains(".target") {
            return INVALID_PTX;
        }
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        modules.push(text);
        unsafe { give(module, modules.len() as *mut c_void) }
    }
    fn cuModuleUnload(_module: *mut c_void) { SUCCESS }
    fn cuModuleGetFunction(function: *mut *const c_void, module: *mut c_void, name: *const c_char) {
        let modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(text) = (module as usize).checked_sub(1).and_then(|number| modules.get(number)) else {
            return INVALID_HANDLE;
        };
        let wanted = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        // The PTX must have it as well: else it is older than the source that runs here.
        if !text.contains(&format!(".entry {wanted}(")) {
            return NOT_FOUND;
        }
        let kernel = unsafe { rl_find_kernel(name) };
        if kernel.is_null() { NOT_FOUND } else { unsafe { give(function, kernel) } }
    }
    fn cuFuncSetAttribute(_function: *const c_void, _attribute: c_uint, _value: c_int) { SUCCESS }
    fn cuFuncGetAttribute(value: *mut c_int, _attribute: c_uint, _function: *const c_void) { unsafe { give(value, 0) } }
    fn cuLaunchKernel(
        function: *const c_void,
        grid_x: c_uint, grid_y: c_uint, grid_z: c_uint,
        block_x: c_uint, block_y: c_uint, block_z: c_uint,
        shared: c_uint, stream: *mut c_void, arguments: *mut *mut c_void, _extra: *mut *mut c_void,
    ) {
        if current().is_none() {
            return INVALID_CONTEXT;
        }
        if function.is_null() {
            return INVALID_HANDLE;
        }
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        // The limits of all devices since compute capability 3.
        let threads = u64::from(block_x) * u64::from(block_y) * u64::from(block_z);
        if grid.contains(&0) || block.contains(&0) || threads > 1024 || block_z > 64 {
            return INVALID_VALUE;
        }
        if grid_x > i32::MAX as u32 || grid_y > 65535 || grid_z > 65535 || shared > 99 << 10 {
            return INVALID_VALUE;
        }
        let mut sizes = [0usize; 64];
        let count = unsafe { rl_kernel_arguments(function, sizes.as_mut_ptr(), sizes.len()) };
        let mut copies = Vec::with_capacity(count);
        for (i, &size) in sizes[..count].iter().enumerate() {
            let from = unsafe { *arguments.add(i) }.cast::<u8>();
            if from.is_null() {
                return INVALID_VALUE;
            }
            let mut copy = vec![0u128; size.div_ceil(16)];
            unsafe { std::ptr::copy_nonoverlapping(from, copy.as_mut_ptr().cast(), size) };
            copies.push(copy);
        }
        let launch = Launch { kernel: function as usize, grid, block, shared, arguments: copies };
        if graph::do_or_record(stream, graph::Step::Launch(launch)) { SUCCESS } else { LAUNCH_FAILED }
    }
    fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
        blocks: *mut c_int, _function: *const c_void, threads: c_int, _shared: usize,
    ) {
        unsafe { give(blocks, (1536 / threads.max(1)).min(16)) }
    }
    fn cuModuleLoadData(module: *mut *mut c_void, image: *const c_void) {
        unsafe { cuModuleLoadDataEx(module, image, 0, std::ptr::null_mut(), std::ptr::null_mut()) }
    }
    fn cuLaunchHostFunc(stream: *mut c_void, act: Option<unsafe extern "C" fn(*mut c_void)>, data: *mut c_void) {
        if graph::captures(stream) {
            return CAPTURE_UNSUPPORTED;
        }
        if let Some(act) = act {
            unsafe { act(data) };
        }
        SUCCESS
    }
}
