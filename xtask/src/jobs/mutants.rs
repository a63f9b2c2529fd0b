//! The row of mutants: kernels with one mistake each, which the tests of the CUDA backend must find.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::rows::Row;
use crate::run::{Log, Output};

/// One mistake: in this file of `kernels/` the first of these texts, which is there once, becomes the second.
///
/// Tests see results alone: where a mutant reads or writes beside an array, the numbers must be wrong as well.
struct Mutant {
    what: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// The test that finds it, and the order in which threads take turns there.
    test: &'static str,
    order: &'static str,
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        what: "values are written over keys that others still read",
        file: "attention.cu",
        from: "            // Nobody reads the keys any more.\n            __syncthreads();\n",
        to: "",
        test: "cuda_attention",
        order: "1",
    },
    Mutant {
        what: "a query sees one key too many",
        file: "attention.cu",
        from: "key + tx * C + c >= last",
        to: "key + tx * C + c > last",
        test: "cuda_attention",
        order: "1",
    },
    Mutant {
        what: "the tree of channels' parts has no barriers",
        file: "channels.cu",
        from: "        __syncthreads();\n        if (slot < half)",
        to: "        if (slot < half)",
        test: "cuda_reduce",
        order: "0",
    },
    Mutant {
        what: "the strides of depth and height are swapped",
        file: "columns.cu",
        from: "d + (int)od * s.axis[0].stride, y = h + (int)oh * s.axis[1].stride",
        to: "d + (int)od * s.axis[1].stride, y = h + (int)oh * s.axis[0].stride",
        test: "cuda_windows",
        order: "0",
    },
    Mutant {
        what: "the padding is one too small",
        file: "conv.cu",
        from: "{a.output, -a.padding,",
        to: "{a.output, 1 - a.padding,",
        test: "cuda_windows",
        order: "0",
    },
    Mutant {
        what: "half of the threads' sums are left out",
        file: "depthwise.cu",
        from: "half = THREADS / 2",
        to: "half = THREADS / 4",
        test: "cuda_windows",
        order: "0",
    },
    Mutant {
        what: "the last element is not filled",
        file: "elementwise.cu",
        from: "i = packs * WIDTH + first_number(); i < count",
        to: "i = packs * WIDTH + first_number(); i + 1 < count",
        test: "cuda_elementwise",
        order: "0",
    },
    Mutant {
        what: "slices are multiplied before their copies are there",
        file: "gemm_80.cu",
        from: "wait_for_copies<STAGES - 2>",
        to: "wait_for_copies<STAGES - 1>",
        test: "cuda_matmul",
        order: "0",
    },
    Mutant {
        what: "rows are written over others that are still read",
        file: "gemm_80.cu",
        from: "columns, y_row, flags);\n            __syncthreads();",
        to: "columns, y_row, flags);",
        test: "cuda_matmul",
        order: "1",
    },
    Mutant {
        what: "counters are cleared without a barrier behind it",
        file: "histogram.cu",
        from: "own[k] = 0;\n    __syncthreads();",
        to: "own[k] = 0;",
        test: "cuda_index",
        order: "0",
    },
    Mutant {
        what: "the place behind the last one counts as inside",
        file: "index.cu",
        from: "(uint64_t)index >= (uint64_t)size",
        to: "(uint64_t)index > (uint64_t)size",
        test: "cuda_index",
        order: "0",
    },
    Mutant {
        what: "the elements of the own warp count twice",
        file: "mask.cu",
        from: "w < warp; w++) rank +=",
        to: "w <= warp; w++) rank +=",
        test: "cuda_index",
        order: "0",
    },
    Mutant {
        what: "slices are multiplied without a barrier behind their writing",
        file: "matmul.cu",
        from: "b_along);\n            __syncthreads();",
        to: "b_along);",
        test: "cuda_matmul",
        order: "7",
    },
    Mutant {
        what: "sums of parts go without the bias",
        file: "matmul.cu",
        from: "        if (bias != nullptr) sum += bias[column];\n        y[places",
        to: "        y[places",
        test: "cuda_matmul",
        order: "0",
    },
    Mutant {
        what: "slices are written without the gaps between their lines",
        file: "matmul.cu",
        from: "shared + depth * LD + row",
        to: "shared + depth * ROWS + row",
        test: "cuda_matmul",
        order: "0",
    },
    Mutant {
        what: "units at the end of the inner axis are read whole, and what is beyond with them",
        file: "matmul.cu",
        from: "row < rows ? depths - depth : 0",
        to: "row < rows ? WIDTH : 0",
        test: "cuda_matmul",
        order: "0",
    },
    Mutant {
        what: "threads behind the last column write, too",
        file: "norm.cu",
        from: "    if (slot != 0 || !there) return;",
        to: "    if (slot != 0) return;",
        test: "cuda_reduce",
        order: "0",
    },
    Mutant {
        what: "the last pack is taken for one element",
        file: "optimize.cu",
        from: "W > 1 && item < packs",
        to: "W > 1 && item + 1 < packs",
        test: "cuda_optimize",
        order: "0",
    },
    Mutant {
        what: "the last block of a parameter is taken for the next one's",
        file: "optimize.cu",
        from: "ends.of[place + half - 1] <= blockIdx.x",
        to: "ends.of[place + half - 1] <= blockIdx.x + 1",
        test: "cuda_optimize",
        order: "0",
    },
    Mutant {
        what: "the largest of a window passes over NaN",
        file: "pool.cu",
        from: "if (value > best || is_nan(value))",
        to: "if (value > best)",
        test: "cuda_windows",
        order: "0",
    },
    Mutant {
        what: "pairs are written beyond the end of a line",
        file: "pool.cu",
        from: "j < 2 && 2 * i + j < width; j++",
        to: "j < 2; j++",
        test: "cuda_windows",
        order: "0",
    },
    Mutant {
        what: "words are written over others that are still read",
        file: "random.cu",
        from: "        }\n        __syncthreads();\n    }",
        to: "        }\n    }",
        test: "cuda_random",
        order: "1",
    },
    Mutant {
        what: "the tree of columns' parts has no barriers",
        file: "reduce.cu",
        from: "        __syncthreads();\n        if (slot < half)",
        to: "        if (slot < half)",
        test: "cuda_reduce",
        order: "0",
    },
    Mutant {
        what: "the second chunk of a row starts from nothing",
        file: "scan.cu",
        from: "y != nullptr && number > 0",
        to: "y != nullptr && number > 1",
        test: "cuda_reduce",
        order: "0",
    },
    Mutant {
        what: "elements are placed in the opposite order",
        file: "scatter.cu",
        from: "for (i64 j = 0; j < length; j++) {",
        to: "for (i64 j = length - 1; j >= 0; j--) {",
        test: "cuda_index",
        order: "0",
    },
    Mutant {
        what: "the last part of a place is left out",
        file: "scatter.cu",
        from: "end < count && keys[end] == key; part++",
        to: "end + CHUNK < count && keys[end] == key; part++",
        test: "cuda_index",
        order: "0",
    },
    Mutant {
        what: "what is beyond the registers is left out of the sum",
        file: "softmax.cu",
        from: "    if constexpr (THREADS > 32) sum += rest.sum_at(most);\n",
        to: "",
        test: "cuda_reduce",
        order: "0",
    },
    Mutant {
        what: "a gradient that is the same for all rows is read as one for each",
        file: "softmax.cu",
        from: "row * grad_step",
        to: "row",
        test: "cuda_reduce",
        order: "0",
    },
    Mutant {
        what: "the fold of columns is read before it is made",
        file: "softmax.cu",
        from: "    __syncthreads();\n    return box[(int)",
        to: "    return box[(int)",
        test: "cuda_reduce",
        order: "1",
    },
    Mutant {
        what: "a digit's number is changed before all lanes have read it",
        file: "sort.cu",
        from: "        __syncwarp();\n        rank[item]",
        to: "        rank[item]",
        test: "cuda_sort",
        order: "1",
    },
];

/// Runs the tests with the kernels as they are, where they must pass, and with each mutant, where they must fail.
pub(crate) fn mutants(row: &Row, log: &mut Log) -> Result<String, String> {
    build(None, row, log)?;
    let runs: BTreeSet<_> = MUTANTS.iter().map(|mutant| (mutant.test, mutant.order)).collect();
    for (name, order) in runs {
        let passed = test(name, order, row, log)?.success();
        passed.map_err(|why| format!("{name} in order {order} fails without a mutant: {why}"))?;
    }
    let mut alive = Vec::new();
    for mutant in MUTANTS {
        log.announce(&format!("mutant: {}", mutant.what));
        build(Some(mutant), row, log)?;
        if test(mutant.test, mutant.order, row, log)?.failure.is_none() {
            log.announce("it was not found");
            alive.push(mutant.what);
        }
    }
    match alive[..] {
        [] => Ok(format!("{} mutants, all found", MUTANTS.len())),
        _ => Err(format!("not found: {}", alive.join("; "))),
    }
}

/// Where the mutants and their emulated GPU are made.
fn home(log: &Log) -> PathBuf {
    log.directory().join("mutants")
}

/// Builds the emulated GPU of a mutant, or of the kernels as they are. Only what differs from before is compiled.
fn build(mutant: Option<&Mutant>, row: &Row, log: &mut Log) -> Result<(), String> {
    let kernels = home(log).join("kernels");
    let told = |error: std::io::Error| format!("{}: {error}", kernels.display());
    copy(&log.root().join("kernels"), &kernels).map_err(told)?;
    if let Some(mutant) = mutant {
        fs::write(kernels.join(mutant.file), changed(mutant, &kernels)?).map_err(told)?;
    }
    let step = row
        .step("cargo build --quiet --package rushlight-emulator")
        .env("RUSHLIGHT_EMULATOR_KERNELS", &kernels.display().to_string())
        .env("CARGO_TARGET_DIR", &home(log).join("target").display().to_string());
    log.run(&step)?.success().map(drop)
}

/// The text of a mutant's file in this folder, with its mistake.
fn changed(mutant: &Mutant, kernels: &Path) -> Result<String, String> {
    let Mutant { what, file, from, to, .. } = mutant;
    let text = fs::read_to_string(kernels.join(file)).map_err(|error| format!("{what}: {file}: {error}"))?;
    match text.matches(from).count() {
        1 => Ok(text.replace(from, to)),
        count => Err(format!("{what}: {file} has its text {count} times, not once: {from:?}")),
    }
}

/// Runs one of the tests on the emulated GPU that was built last.
fn test(name: &str, order: &str, row: &Row, log: &mut Log) -> Result<Output, String> {
    let driver = home(log).join("target/debug/librushlight_emulator.so");
    // Of the same packages as the row `test`, so that nothing is built anew.
    let step = row
        .step(&format!("cargo test --quiet --workspace --exclude rushlight-benches --test {name}"))
        .env("RUSHLIGHT_LIBCUDA", &driver.display().to_string())
        .env("RUSHLIGHT_EMULATED_ORDER", order)
        .env("PROPTEST_RNG_SEED", "1")
        // That a case fails is enough; which is the smallest does not matter.
        .env("PROPTEST_MAX_SHRINK_ITERS", "0");
    log.run(&step)
}

/// A folder with what is in it, anew.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let there = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() { copy(&path, &there)? } else { fs::copy(&path, &there).map(drop)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The row takes many minutes; that a kernel was rewritten and a mutant left behind shows at once.
    #[test]
    fn each_mutant_has_its_text_in_the_kernels_once() {
        let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels");
        for mutant in MUTANTS {
            let text = changed(mutant, &kernels).unwrap_or_else(|error| panic!("{error}"));
            assert_ne!(text, fs::read_to_string(kernels.join(mutant.file)).expect("it was read before"));
        }
    }
}
