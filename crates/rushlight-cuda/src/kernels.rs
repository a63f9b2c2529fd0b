//! The compiled kernels: the PTX of `kernels/*.cu`, as `cargo xtask ptx` made it.

/// One file of kernels.
#[derive(Clone, Copy)]
pub(crate) struct Ptx {
    file: &'static str,
    /// The compute capability that it needs.
    capability: u32,
    /// The PTX, with a zero at its end.
    pub(crate) text: &'static str,
}

macro_rules! files {
    ($($file:literal $path:literal $capability:literal,)*) => {
        &[$(Ptx {
            file: $file,
            capability: $capability,
            text: concat!(include_str!(concat!("../../../kernels/ptx/", $path, ".ptx")), "\0"),
        }),*]
    };
}

const FILES: &[Ptx] = files! {
    "columns" "columns" 75,
    "conv" "conv" 75,
    "depthwise" "depthwise" 75,
    "elementwise" "elementwise" 75,
    "pool" "pool" 75,
};

/// The file of this name for a GPU of this compute capability: the one that asks for most.
pub(crate) fn of_file(file: &str, capability: u32) -> Option<Ptx> {
    let fitting = FILES.iter().filter(|ptx| ptx.file == file && ptx.capability <= capability);
    fitting.max_by_key(|ptx| ptx.capability).copied()
}
