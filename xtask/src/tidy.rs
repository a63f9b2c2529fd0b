//! The checks that read files: a list of functions from the tree to findings.

mod arrows;
mod documents;
mod examples;
mod manifests;
mod ops;
mod rust;
mod shape;
mod toml;
mod tree;
mod unsafety;
mod words;

use std::fmt;
use std::path::Path;

use tree::Tree;

type Check = fn(&Tree) -> Vec<Finding>;

pub(crate) const CHECKS: &[Check] = &[
    ops::every_op_is_in_the_table,
    examples::every_example_is_listed,
    documents::readme_is_compiled,
    documents::pages_exist,
    arrows::crates_depend_downwards,
    manifests::dependencies_have_a_reason,
    manifests::crates_inherit_from_the_workspace,
    words::nothing_is_left_unfinished,
    unsafety::unsafe_code_is_where_it_may_be,
    shape::files_are_short_and_clean,
];

/// One thing that is wrong, at a line counted from 1.
#[derive(Debug, PartialEq, PartialOrd, Eq, Ord)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    message: String,
}

impl Finding {
    fn new(file: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { file: file.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// Everything the checks find in the workspace at `root`, by file and line.
pub(crate) fn findings(root: &Path) -> Result<Vec<Finding>, String> {
    let tree = Tree::read(root).map_err(|error| format!("cannot read {}: {error}", root.display()))?;
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    let stale = crate::ptx::stale(root).map_err(|error| format!("cannot read the kernels: {error}"))?;
    findings.extend(stale.iter().map(|(file, message)| Finding::new(file, 1, message)));
    findings.sort();
    Ok(findings)
}

/// Prints the findings; true if there are none.
pub(crate) fn print(root: &Path) -> bool {
    match findings(root) {
        Ok(findings) => {
            findings.iter().for_each(|finding| println!("{finding}"));
            println!("tidy: {} checks, {} findings", CHECKS.len(), findings.len());
            findings.is_empty()
        }
        Err(message) => {
            eprintln!("tidy: {message}");
            false
        }
    }
}

/// Findings as lines, for the tests of the checks.
#[cfg(test)]
fn lines(check: Check, files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::of(files)).iter().map(Finding::to_string).collect()
}
