//! NVIDIA's cuBLAS, emulated: the functions that rushlight-cuda calls, computed by plain loops. It refuses what the real one
//! refuses, and operands that do not lie in memory of a device.

use crate::memory::on_device;
use crate::{current, driver};
use std::ffi::{c_int, c_longlong, c_void};
use std::sync::atomic::{AtomicI32, Ordering};

const SUCCESS: c_int = 0;
const NOT_INITIALIZED: c_int = 1;
const INVALID_VALUE: c_int = 7;
const NOT_SUPPORTED: c_int = 15;

/// `CUDA_R_32F`, `CUDA_R_64F`, `CUDA_R_16F`, `CUDA_R_16BF`.
const F32: c_int = 0;
const F64: c_int = 1;
const F16: c_int = 2;
const BF16: c_int = 14;
const COMPUTE_F32: c_int = 68;

/// How many products were computed. The last digits of the version tell, so that tests see who computed.
static PRODUCTS: AtomicI32 = AtomicI32::new(0);

/// What a handle points to.
struct Handle {
    device: usize,
    stream: *mut c_void,
    mode: c_int,
}

fn size(kind: c_int) -> Option<usize> {
    match kind {
        F32 => Some(4),
        F64 => Some(8),
        F16 | BF16 => Some(2),
        _ => None,
    }
}

unsafe fn read(from: u64, kind: c_int) -> f64 {
    match kind {
        F32 => f64::from(unsafe { (from as *const f32).read() }),
        F64 => unsafe { (from as *const f64).read() },
        BF16 => f64::from(f32::from_bits(u32::from(unsafe { (from as *const u16).read() }) << 16)),
        _ => {
            let bits = unsafe { (from as *const u16).read() };
            let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
            let size = match exponent {
                0 => mantissa / 1024.0 * 2f64.powi(-14),
                31 if mantissa == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                _ => (1.0 + mantissa / 1024.0) * 2f64.powi(exponent - 15),
            };
            if bits >> 15 == 1 { -size } else { size }
        }
    }
}

/// To the nearest, the even one of two.
unsafe fn write(to: u64, kind: c_int, value: f64) {
    match kind {
        F32 => unsafe { (to as *mut f32).write(value as f32) },
        F64 => unsafe { (to as *mut f64).write(value) },
        BF16 => {
            let bits = (value as f32).to_bits();
            let bits = if value.is_nan() { 0x7fc0 } else { (bits + 0x7fff + (bits >> 16 & 1)) >> 16 };
            unsafe { (to as *mut u16).write(bits as u16) }
        }
        _ => {
            let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
            let size = value.abs();
            let bits = if value.is_nan() {
                0x7e00
            } else if size >= 65520.0 {
                0x7c00
            } else {
                // Steps of the last of ten bits; the smallest normal numbers have those of what lies below.
                let exponent = size.log2().floor().max(-14.0) as i32;
                let steps = (size * 2f64.powi(10 - exponent)).round_ties_even() as u16;
                // Above 2047 steps it is the next power of two, whose bits follow.
                if exponent == -14 { steps } else { (((exponent + 15) as u16 - 1) << 10) + steps }
            };
            unsafe { (to as *mut u16).write(sign | bits) }
        }
    }
}

/// An operand: its address, type, leading dimension and stride from matrix to matrix.
struct Matrix {
    at: u64,
    kind: c_int,
    leading: c_int,
    stride: c_longlong,
}

impl Matrix {
    fn place(&self, number: i64, row: i64, column: i64) -> u64 {
        let place = number * self.stride + row + column * i64::from(self.leading);
        self.at.wrapping_add_signed(place * size(self.kind).unwrap_or(0) as i64)
    }

    /// Whether all of it can be, with so many rows and columns in memory.
    fn fits(&self, rows: c_int, columns: c_int, count: c_int) -> bool {
        let Some(size) = size(self.kind) else { return false };
        let last = |number: i64| self.place(number, i64::from(rows) - 1, i64::from(columns) - 1);
        let is_there = |number: i64| {
            let start = self.place(number, 0, 0);
            on_device(start, (last(number) - start) as usize + size)
        };
        self.leading >= rows.max(1)
            && (rows == 0 || columns == 0 || count == 0 || is_there(0) && is_there(i64::from(count) - 1))
    }
}

/// `C = alpha op(A) op(B) + beta C`, column by column, `C` being m x n.
unsafe fn multiply(
    handle: *mut c_void,
    [turn_a, turn_b]: [c_int; 2],
    [m, n, k]: [c_int; 3],
    [alpha, beta]: [f64; 2],
    [a, b, c]: [Matrix; 3],
    count: c_int,
) -> c_int {
    let Some(handle) = (unsafe { handle.cast::<Handle>().as_ref() }) else { return NOT_INITIALIZED };
    if Some(handle.device) != current() || handle.stream.is_null() || handle.mode & !19 != 0 {
        return NOT_INITIALIZED;
    }
    let (rows_a, columns_a) = if turn_a == 0 { (m, k) } else { (k, m) };
    let (rows_b, columns_b) = if turn_b == 0 { (k, n) } else { (n, k) };
    let fits = a.fits(rows_a, columns_a, count) && b.fits(rows_b, columns_b, count) && c.fits(m, n, count);
    if [m, n, k, count].iter().any(|&size| size < 0) || !(0..=1).contains(&turn_a.max(turn_b)) || !fits {
        return INVALID_VALUE;
    }
    for number in 0..i64::from(count) {
        for j in 0..i64::from(n) {
            for i in 0..i64::from(m) {
                let mut sum = 0.0;
                for d in 0..i64::from(k) {
                    let from_a = if turn_a == 0 { a.place(number, i, d) } else { a.place(number, d, i) };
                    let from_b = if turn_b == 0 { b.place(number, d, j) } else { b.place(number, j, d) };
                    sum += unsafe { read(from_a, a.kind) * read(from_b, b.kind) };
                }
                let to = c.place(number, i, j);
                let old = if beta == 0.0 { 0.0 } else { beta * unsafe { read(to, c.kind) } };
                unsafe { write(to, c.kind, alpha * sum + old) };
            }
        }
    }
    PRODUCTS.fetch_add(1, Ordering::Relaxed);
    SUCCESS
}

driver! {
    fn cublasCreate_v2(handle: *mut *mut c_void) {
        let Some(device) = current() else { return NOT_INITIALIZED };
        let new = Box::new(Handle { device, stream: std::ptr::null_mut(), mode: 0 });
        unsafe { handle.write(Box::into_raw(new).cast()) };
        SUCCESS
    }
    fn cublasDestroy_v2(handle: *mut c_void) {
        drop(unsafe { Box::from_raw(handle.cast::<Handle>()) });
        SUCCESS
    }
    fn cublasGetVersion_v2(_handle: *mut c_void, version: *mut c_int) {
        unsafe { version.write(120_000 + PRODUCTS.load(Ordering::Relaxed)) };
        SUCCESS
    }
    fn cublasSetStream_v2(handle: *mut c_void, stream: *mut c_void) {
        unsafe { (*handle.cast::<Handle>()).stream = stream };
        SUCCESS
    }
    fn cublasSetMathMode(handle: *mut c_void, mode: c_int) {
        unsafe { (*handle.cast::<Handle>()).mode = mode };
        SUCCESS
    }
    fn cublasSetWorkspace_v2(_handle: *mut c_void, workspace: u64, bytes: usize) {
        if on_device(workspace, bytes) { SUCCESS } else { INVALID_VALUE }
    }
    fn cublasSgemmStridedBatched(
        handle: *mut c_void, turn_a: c_int, turn_b: c_int, m: c_int, n: c_int, k: c_int, alpha: *const f32,
        a: u64, a_leading: c_int, a_stride: c_longlong, b: u64, b_leading: c_int, b_stride: c_longlong,
        beta: *const f32, c: u64, c_leading: c_int, c_stride: c_longlong, count: c_int,
    ) {
        let matrix = |at, leading, stride| Matrix { at, kind: F32, leading, stride };
        let operands = [matrix(a, a_leading, a_stride), matrix(b, b_leading, b_stride), matrix(c, c_leading, c_stride)];
        unsafe { multiply(handle, [turn_a, turn_b], [m, n, k], [f64::from(*alpha), f64::from(*beta)], operands, count) }
    }
    fn cublasDgemmStridedBatched(
        handle: *mut c_void, turn_a: c_int, turn_b: c_int, m: c_int, n: c_int, k: c_int, alpha: *const f64,
        a: u64, a_leading: c_int, a_stride: c_longlong, b: u64, b_leading: c_int, b_stride: c_longlong,
        beta: *const f64, c: u64, c_leading: c_int, c_stride: c_longlong, count: c_int,
    ) {
        let matrix = |at, leading, stride| Matrix { at, kind: F64, leading, stride };
        let operands = [matrix(a, a_leading, a_stride), matrix(b, b_leading, b_stride), matrix(c, c_leading, c_stride)];
        unsafe { multiply(handle, [turn_a, turn_b], [m, n, k], [*alpha, *beta], operands, count) }
    }
    fn cublasGemmStridedBatchedEx(
        handle: *mut c_void, turn_a: c_int, turn_b: c_int, m: c_int, n: c_int, k: c_int, alpha: *const c_void,
        a: u64, a_kind: c_int, a_leading: c_int, a_stride: c_longlong,
        b: u64, b_kind: c_int, b_leading: c_int, b_stride: c_longlong, beta: *const c_void,
        c: u64, c_kind: c_int, c_leading: c_int, c_stride: c_longlong, count: c_int, compute: c_int, _algorithm: c_int,
    ) {
        // Of those that are computed in f32, the types that rushlight asks for.
        if compute != COMPUTE_F32 || a_kind != b_kind || ![F16, BF16].contains(&a_kind) || ![a_kind, F32].contains(&c_kind) {
            return NOT_SUPPORTED;
        }
        let matrix = |at, kind, leading, stride| Matrix { at, kind, leading, stride };
        let operands = [
            matrix(a, a_kind, a_leading, a_stride),
            matrix(b, b_kind, b_leading, b_stride),
            matrix(c, c_kind, c_leading, c_stride),
        ];
        let factors = unsafe { [f64::from(*alpha.cast::<f32>()), f64::from(*beta.cast::<f32>())] };
        unsafe { multiply(handle, [turn_a, turn_b], [m, n, k], factors, operands, count) }
    }
}
