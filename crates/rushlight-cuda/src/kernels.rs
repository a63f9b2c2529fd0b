//! The compiled kernels: the PTX of `kernels/*.cu`, as `cargo xtask ptx` made it and the build script packed it.

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// One file of kernels.
pub(crate) struct Ptx {
    file: &'static str,
    /// Its bytes, a zero at the end included.
    size: usize,
    /// Those bytes, deflated.
    packed: &'static [u8],
}

impl Ptx {
    /// The PTX, which ends with a zero, as the driver wants it.
    pub(crate) fn text(&self) -> Vec<u8> {
        decompress_to_vec_with_limit(self.packed, self.size).expect("what the build script packed")
    }
}

const FILES: &[Ptx] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The file of this name. One that ends with a number is for GPUs of that compute capability and newer ones.
pub(crate) fn of_file(file: &str) -> Option<&'static Ptx> {
    FILES.iter().find(|ptx| ptx.file == file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_unpacked_whole() {
        for ptx in FILES {
            let text = ptx.text();
            assert_eq!(text.len(), ptx.size, "{}", ptx.file);
            assert!(
                text.starts_with(format!("// {}.cu by", ptx.file).as_bytes()) && text.ends_with(b"\0"),
                "{}",
                ptx.file
            );
        }
    }
}
