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
    /// PTX with one kernel of the file and what all its kernels share, and a zero at the end, as the driver wants it.
    /// `None` if there is no such kernel.
    ///
    /// The driver compiles what it is handed: a whole file takes it seconds, one kernel some milliseconds.
    pub(crate) fn of_kernel(&self, name: &str) -> Option<Vec<u8>> {
        let text = self.text();
        let (mut out, mut found) = (Vec::new(), false);
        // Whether the lines are those of a kernel, and whether it is this one.
        let (mut inside, mut wanted) = (false, true);
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            if let Some(rest) = line.strip_prefix(b".visible .entry ") {
                inside = true;
                wanted = rest.split(|&byte| byte == b'(').next() == Some(name.as_bytes());
                found |= wanted;
            }
            if wanted {
                out.extend_from_slice(line);
            }
            if inside && line == b"}\n" {
                (inside, wanted) = (false, true);
            }
        }
        found.then_some(out)
    }

    /// All of it.
    fn text(&self) -> Vec<u8> {
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

    #[test]
    fn each_kernel_stands_alone() {
        let names = |text: &[u8]| -> Vec<String> {
            let text = std::str::from_utf8(text).unwrap();
            let names = text.lines().filter_map(|line| line.strip_prefix(".visible .entry "));
            names.map(|rest| rest.split('(').next().unwrap().to_owned()).collect()
        };
        for ptx in FILES {
            let all = ptx.text();
            let kernels = names(&all);
            assert!(!kernels.is_empty(), "{}", ptx.file);
            for name in &kernels {
                let one = ptx.of_kernel(name).unwrap();
                assert_eq!(names(&one), [name.as_str()]);
                assert!(one.starts_with(format!("// {}.cu by", ptx.file).as_bytes()) && one.ends_with(b"\0"));
                let count = |text: &[u8], byte| text.iter().filter(|&&b| b == byte).count();
                assert_eq!(count(&one, b'{'), count(&one, b'}'), "{name}");
                assert!(kernels.len() == 1 || one.len() < all.len(), "{name}");
            }
            assert!(ptx.of_kernel("no_such_kernel").is_none());
        }
    }
}
