//! The end of the program.

// SAFETY: the signature is that of the C standard, and every process that Rust's std runs in has the function.
// Any function may be handed to it, at any time and on any thread.
unsafe extern "C" {
    safe fn atexit(callback: extern "C" fn()) -> std::ffi::c_int;
}

/// Has `callback` called when the program returns from main, panics there, or calls `exit`; not when it is
/// killed or aborts. Thread locals of the calling thread may be gone by then. It must not panic.
pub(super) fn at_exit(callback: extern "C" fn()) {
    // It fails when there is no memory for one more entry; then there will be no report.
    let _ = atexit(callback);
}
