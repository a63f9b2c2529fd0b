//! Memory of the emulated devices: blocks of the host, counted, and told apart from all other addresses.

use crate::{CAPTURE_UNSUPPORTED, INVALID_CONTEXT, INVALID_VALUE, OUT_OF_MEMORY, SUCCESS, current, driver, give, graph, number};
use std::collections::BTreeMap;
use std::ffi::{c_int, c_uchar, c_uint, c_void};
use std::sync::{Mutex, OnceLock, PoisonError};

type Pointer = u64;

unsafe extern "C" {
    fn aligned_alloc(alignment: usize, bytes: usize) -> *mut c_void;
    fn free(block: *mut c_void);
}

/// The blocks of a device by their addresses, with their sizes.
struct Device {
    blocks: BTreeMap<Pointer, usize>,
    used: u64,
}

static DEVICES: Mutex<BTreeMap<usize, Device>> = Mutex::new(BTreeMap::new());

pub(crate) fn total() -> u64 {
    static TOTAL: OnceLock<u64> = OnceLock::new();
    *TOTAL.get_or_init(|| number("RUSHLIGHT_EMULATED_MEMORY", 8 << 30))
}

fn with_device<R>(number: usize, act: impl FnOnce(&mut Device) -> R) -> R {
    let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
    act(devices.entry(number).or_insert_with(|| Device { blocks: BTreeMap::new(), used: 0 }))
}

unsafe fn allocate(place: *mut Pointer, bytes: usize) -> c_int {
    let Some(device) = current() else { return INVALID_CONTEXT };
    if bytes == 0 {
        return INVALID_VALUE;
    }
    with_device(device, |device| {
        if device.used + bytes as u64 > total() {
            return OUT_OF_MEMORY;
        }
        // As the driver aligns; without room behind the block, so that a sanitizer sees who goes beyond it.
        let block = unsafe { aligned_alloc(256, bytes) };
        if block.is_null() {
            return OUT_OF_MEMORY;
        }
        // Fresh memory of a device holds anything.
        unsafe { std::ptr::write_bytes(block.cast::<u8>(), 0xff, bytes) };
        device.blocks.insert(block as Pointer, bytes);
        device.used += bytes as u64;
        unsafe { give(place, block as Pointer) }
    })
}

unsafe fn release(pointer: Pointer) -> c_int {
    let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
    for device in devices.values_mut() {
        if let Some(bytes) = device.blocks.remove(&pointer) {
            device.used -= bytes as u64;
            unsafe { free(pointer as *mut c_void) };
            return SUCCESS;
        }
    }
    INVALID_VALUE
}

/// Whether these bytes lie in one block of a device.
fn on_device(pointer: Pointer, bytes: usize) -> bool {
    let devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
    devices.values().any(|device| {
        device
            .blocks
            .range(..=pointer)
            .next_back()
            .is_some_and(|(&start, &size)| pointer as usize + bytes <= start as usize + size)
    })
}

/// What is done to memory, at once or when a graph is launched.
#[derive(Clone, Copy)]
pub(crate) enum Copy {
    Move { to: u64, from: u64, bytes: usize },
    Fill8 { to: u64, value: u8, count: usize },
    Fill32 { to: u64, value: u32, count: usize },
}

impl Copy {
    pub(crate) fn run(self) {
        // SAFETY: the bytes were seen to lie in blocks of a device; those of the host are the caller's.
        unsafe {
            match self {
                Copy::Move { to, from, bytes } => std::ptr::copy(from as *const u8, to as *mut u8, bytes),
                Copy::Fill8 { to, value, count } => std::ptr::write_bytes(to as *mut u8, value, count),
                Copy::Fill32 { to, value, count } => {
                    for i in 0..count {
                        (to as *mut u32).add(i).write_unaligned(value);
                    }
                }
            }
        }
    }
}

fn act(stream: *mut c_void, copy: Copy, inside: &[(u64, usize)]) -> c_int {
    if current().is_none() {
        return INVALID_CONTEXT;
    }
    if inside.iter().any(|&(pointer, bytes)| bytes > 0 && !on_device(pointer, bytes)) {
        return INVALID_VALUE;
    }
    graph::do_or_record(stream, graph::Step::Copy(copy));
    SUCCESS
}

driver! {
    fn cuMemGetInfo_v2(unused: *mut usize, all: *mut usize) {
        let Some(device) = current() else { return INVALID_CONTEXT };
        let used = with_device(device, |device| device.used);
        unsafe { give(unused, (total() - used) as usize) };
        unsafe { give(all, total() as usize) }
    }
    fn cuMemAlloc_v2(place: *mut u64, bytes: usize) { unsafe { allocate(place, bytes) } }
    fn cuMemFree_v2(pointer: u64) { unsafe { release(pointer) } }
    fn cuMemAllocAsync(place: *mut u64, bytes: usize, stream: *mut c_void) {
        // Allowed there by the driver, too, but as part of the graph; rushlight-cuda has its own blocks for graphs.
        if graph::captures(stream) { CAPTURE_UNSUPPORTED } else { unsafe { allocate(place, bytes) } }
    }
    fn cuMemFreeAsync(pointer: u64, stream: *mut c_void) {
        if graph::captures(stream) { CAPTURE_UNSUPPORTED } else { unsafe { release(pointer) } }
    }
    fn cuDeviceGetDefaultMemPool(pool: *mut *mut c_void, device: c_int) {
        unsafe { give(pool, (device as usize + 1) as *mut c_void) }
    }
    fn cuMemPoolSetAttribute(_pool: *mut c_void, _attribute: c_uint, _value: *mut c_void) { SUCCESS }
    fn cuMemPoolTrimTo(_pool: *mut c_void, _keep: usize) { SUCCESS }
    fn cuMemHostAlloc(place: *mut *mut c_void, bytes: usize, _flags: c_uint) {
        let block = unsafe { aligned_alloc(4096, bytes.next_multiple_of(4096)) };
        if block.is_null() { OUT_OF_MEMORY } else { unsafe { give(place, block) } }
    }
    fn cuMemFreeHost(block: *mut c_void) {
        unsafe { free(block) };
        SUCCESS
    }
    fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: *mut c_void) {
        act(stream, Copy::Move { to, from: from as u64, bytes }, &[(to, bytes)])
    }
    fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, bytes: usize) {
        act(std::ptr::null_mut(), Copy::Move { to, from: from as u64, bytes }, &[(to, bytes)])
    }
    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: *mut c_void) {
        act(stream, Copy::Move { to: to as u64, from, bytes }, &[(from, bytes)])
    }
    fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: *mut c_void) {
        act(stream, Copy::Move { to, from, bytes }, &[(to, bytes), (from, bytes)])
    }
    fn cuMemcpyPeerAsync(
        to: u64, _to_context: *mut c_void, from: u64, _from_context: *mut c_void, bytes: usize, stream: *mut c_void,
    ) {
        act(stream, Copy::Move { to, from, bytes }, &[(to, bytes), (from, bytes)])
    }
    fn cuMemsetD8Async(to: u64, value: c_uchar, count: usize, stream: *mut c_void) {
        act(stream, Copy::Fill8 { to, value, count }, &[(to, count)])
    }
    fn cuMemsetD32Async(to: u64, value: c_uint, count: usize, stream: *mut c_void) {
        act(stream, Copy::Fill32 { to, value, count }, &[(to, count * 4)])
    }
}
