//! Unsafe code stands only in named files, and each piece says why it is sound.

use super::Finding;
use super::rust::{Keep, blank, occurrences};
use super::tree::Tree;

/// The files in which a measurement showed that safe code is too slow, or cannot say it at all.
const MAY: &[&str] = &[
    "crates/rushlight-array/src/cpu/memory/mod.rs",
    "crates/rushlight-array/src/cpu/memory/arena.rs",
    "crates/rushlight-array/src/cpu/memory/block.rs",
    "crates/rushlight-array/src/cpu/simd.rs",
    "crates/rushlight-array/src/cpu/transpose.rs",
    "crates/rushlight-array/src/cpu/threads/mod.rs",
    "crates/rushlight-array/src/cpu/threads/pool.rs",
    "crates/rushlight-array/src/cpu/math/pieces.rs",
    "crates/rushlight-array/src/cpu/gemm/block.rs",
    "crates/rushlight-array/src/cpu/gemm/kernel.rs",
    "crates/rushlight-array/src/cpu/gemm/lanes.rs",
    "crates/rushlight-array/src/cpu/gemm/large.rs",
    "crates/rushlight-array/src/cpu/gemm/mod.rs",
    "crates/rushlight-array/src/cpu/gemm/product.rs",
    "crates/rushlight-array/src/dtype/truncate.rs",
    "crates/rushlight-array/src/profile/exit.rs",
    "crates/rushlight-cuda/src/driver/error.rs",
    "crates/rushlight-cuda/src/driver/mod.rs",
    "crates/rushlight-cuda/src/gpu.rs",
    "crates/rushlight-cuda/src/graph.rs",
    "crates/rushlight-cuda/src/launch.rs",
    "crates/rushlight-cuda/src/memory.rs",
    "crates/rushlight-cuda/src/staging.rs",
    "crates/rushlight-cuda/src/transfer.rs",
    "crates/rushlight-cuda/src/cublas.rs",
    "crates/rushlight-serialize/src/map.rs",
    "crates/rushlight-serialize/tests/hostile/memory.rs",
    // An allocator that counts what the parsers ask for.
    "crates/rushlight-data/tests/damage.rs",
];
/// The emulated driver, which no program of a user has: its functions are called from C with what the driver's
/// documentation asks for, and that is the reason of each piece.
const EMULATOR: &str = "tests/emulator/src/";
/// How far above an unsafe block its `SAFETY:` may begin.
const LINES_ABOVE: usize = 6;

pub(crate) fn unsafe_code_is_where_it_may_be(tree: &Tree) -> Vec<Finding> {
    tree.library()
        .filter(|(file, _)| !file.starts_with(EMULATOR))
        .flat_map(|(file, text)| unsafe_in(file, text))
        .collect()
}

fn unsafe_in(file: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    let mut findings = Vec::new();
    for (index, line) in blank(text, Keep::Nothing).lines().enumerate() {
        for at in occurrences(line, "unsafe") {
            let after = &line[at + "unsafe".len()..];
            if after.starts_with(super::rust::is_ident) {
                continue;
            }
            let needs_reason = ["{", "impl"].iter().any(|next| after.trim_start().starts_with(next));
            let said =
                lines[index.saturating_sub(LINES_ABOVE)..=index].iter().any(|line| line.contains("SAFETY:"));
            if !MAY.contains(&file) {
                let message = "unsafe code in a file that xtask/src/tidy/unsafety.rs does not name";
                findings.push(Finding::new(file, index + 1, message));
            } else if needs_reason && !said {
                let message = format!("no `SAFETY:` within {LINES_ABOVE} lines above this unsafe code");
                findings.push(Finding::new(file, index + 1, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines;

    fn check(file: &str, text: &str) -> Vec<String> {
        lines(unsafe_code_is_where_it_may_be, &[(file, text)])
    }

    #[test]
    fn the_word_in_comments_strings_and_names_is_well() {
        let text =
            "//! unsafe { }\n#![allow(unsafe_code)]\nlet s = \"unsafe {\"; // unsafe\nfn not_unsafe() {}\n";
        assert_eq!(check("crates/a/src/lib.rs", text), [""; 0]);
    }

    #[test]
    fn unsafe_code_elsewhere_is_found_even_with_a_reason() {
        let found = check("crates/a/src/lib.rs", "// SAFETY: it is fine.\nunsafe { x() }\n");
        assert_eq!(
            found,
            ["crates/a/src/lib.rs:2: unsafe code in a file that xtask/src/tidy/unsafety.rs does not name"]
        );
    }

    #[test]
    fn unsafe_code_without_a_reason_close_above_is_found() {
        assert_eq!(
            check(MAY[0], "// SAFETY: both ends are checked.\nunsafe { x() }\nunsafe fn y() {}\n"),
            [""; 0]
        );
        let far = format!("// SAFETY: x.\n{}unsafe impl Send for A {{}}\n", "\n".repeat(LINES_ABOVE));
        assert_eq!(
            check(MAY[0], &far),
            [format!("{}:8: no `SAFETY:` within 6 lines above this unsafe code", MAY[0])]
        );
    }
}
