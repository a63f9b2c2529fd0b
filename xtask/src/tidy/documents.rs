//! The pages that a reader looks for exist, and the README's code is compiled.

use super::Finding;
use super::tree::Tree;

const README: &str = "README.md";
const PAGES: [&str; 3] = [README, "crates/rushlight/CHANGELOG.md", "crates/rushlight/ARCHITECTURE.md"];
/// What a newcomer types first; the README must not drift from what the issue and CI run.
const COMMANDS: [&str; 2] = ["cargo run --release --example toy_classifier", "cargo xtask test"];

const FACADE: &str = "crates/rushlight/src/lib.rs";
const INCLUDE: &str = "include_str!(\"../../../README.md\")";

/// The facade's documentation includes the README, so the doc-tests row compiles and runs its code.
pub(crate) fn readme_is_compiled(tree: &Tree) -> Vec<Finding> {
    let source = tree.text(FACADE).unwrap_or_default();
    let includes = |line: &str| {
        let line = line.trim_start();
        line.starts_with('#') && line.contains("doc = ") && line.contains(INCLUDE)
    };
    if source.lines().any(includes) {
        return Vec::new();
    }
    let message =
        format!("the README's code is not compiled: no `#![doc = {INCLUDE}]`, with or without cfg(doctest)");
    vec![Finding::new(FACADE, 1, message)]
}

/// The pages exist and the README has the two commands.
pub(crate) fn pages_exist(tree: &Tree) -> Vec<Finding> {
    let missing = PAGES.into_iter().filter(|page| tree.text(page).is_none_or(|text| text.trim().is_empty()));
    let missing = missing.map(|page| Finding::new(page, 1, "does not exist or is empty"));
    let readme = tree.text(README).unwrap_or_default();
    let lacks = COMMANDS.into_iter().filter(|command| !readme.contains(command));
    missing
        .chain(lacks.map(|command| Finding::new(README, 1, format!("lacks the command `{command}`"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines;

    #[test]
    fn readme_included_in_either_way_is_well() {
        for line in [
            "#![doc = include_str!(\"../../../README.md\")]",
            "#[doc = include_str!(\"../../../README.md\")]",
        ] {
            assert!(lines(readme_is_compiled, &[(FACADE, line)]).is_empty());
        }
    }

    #[test]
    fn readme_not_included_is_found() {
        let found =
            lines(readme_is_compiled, &[(FACADE, "// #![doc = include_str!(\"../../../README.md\")]")]);
        assert!(found[0].starts_with("crates/rushlight/src/lib.rs:1: the README's code is not compiled"));
    }

    #[test]
    fn missing_pages_and_commands_are_found() {
        let readme = COMMANDS.join("\n");
        let pages = [(README, readme.as_str()), (PAGES[1], "x"), (PAGES[2], "x")];
        assert!(lines(pages_exist, &pages).is_empty());
        let found = lines(pages_exist, &[(README, "cargo xtask test"), (PAGES[1], "")]);
        assert_eq!(
            found,
            [
                "crates/rushlight/CHANGELOG.md:1: does not exist or is empty",
                "crates/rushlight/ARCHITECTURE.md:1: does not exist or is empty",
                "README.md:1: lacks the command `cargo run --release --example toy_classifier`",
            ]
        );
    }
}
