//! Examples, the facade's manifest and the README name the same programs.

use super::Finding;
use super::rust::{ident, occurrences};
use super::toml::Toml;
use super::tree::Tree;

const MANIFEST: &str = "crates/rushlight/Cargo.toml";
const README: &str = "README.md";

pub(crate) fn every_example_is_listed(tree: &Tree) -> Vec<Finding> {
    let names: Vec<&str> = tree.rust("examples/").filter_map(|(path, _)| name(path)).collect();
    let listed = listed(&Toml::parse(tree.text(MANIFEST).unwrap_or_default()));
    let readme = tree.text(README).unwrap_or_default();
    let mut findings = Vec::new();
    for name in &names {
        let file = format!("examples/{name}.rs");
        if !listed.iter().any(|(listed, ..)| listed == name) {
            findings.push(Finding::new(&file, 1, format!("not an [[example]] of {MANIFEST}")));
        }
        if !mentions(readme).any(|(_, mentioned)| mentioned == *name) {
            let forms = format!("`--example {name}`, `examples/{name}.rs` or `` `{name}` ``");
            findings.push(Finding::new(&file, 1, format!("{README} does not name it as {forms}")));
        }
    }
    findings.extend(listed.iter().filter_map(|(name, path, line)| wrong_entry(name, path, *line, &names)));
    let gone = mentions(readme).filter(|(at, name)| at.insists && !names.contains(name));
    findings.extend(
        gone.map(|(at, name)| Finding::new(README, at.line, format!("examples/{name}.rs does not exist"))),
    );
    findings
}

/// The example of a path, if the path is one: `examples/common/mod.rs` is not.
fn name(path: &str) -> Option<&str> {
    let name = path.strip_prefix("examples/")?.strip_suffix(".rs")?;
    (!name.contains('/')).then_some(name)
}

/// Name, path and line of each `[[example]]`.
fn listed(manifest: &Toml) -> Vec<(String, String, usize)> {
    let of_examples = || manifest.entries.iter().filter(|entry| entry.table == "example");
    let names = of_examples().filter(|entry| entry.key == "name");
    names
        .map(|name| {
            let path = of_examples().find(|entry| entry.header == name.header && entry.key == "path");
            let bare = |value: &str| value.trim_matches('"').to_owned();
            (bare(&name.value), path.map_or(String::new(), |path| bare(&path.value)), name.line)
        })
        .collect()
}

fn wrong_entry(name: &str, path: &str, line: usize, names: &[&str]) -> Option<Finding> {
    let right = format!("../../examples/{name}.rs");
    if path != right {
        return Some(Finding::new(
            MANIFEST,
            line,
            format!("example `{name}` has the path `{path}`, not `{right}`"),
        ));
    }
    (!names.contains(&name))
        .then(|| Finding::new(MANIFEST, line, format!("examples/{name}.rs does not exist")))
}

/// A place in the README that names an example, or may.
struct Mention {
    line: usize,
    /// Surely an example, where a word in backquotes may be anything.
    insists: bool,
}

fn mentions(readme: &str) -> impl Iterator<Item = (Mention, &str)> {
    const FORMS: [(&str, bool); 3] = [("--example ", true), ("examples/", true), ("`", false)];
    readme.lines().enumerate().flat_map(|(index, line)| {
        FORMS.into_iter().flat_map(move |(before, insists)| {
            occurrences(line, before).filter_map(move |at| {
                let after = &line[at + before.len()..];
                let name = ident(after);
                let closed = match before {
                    "examples/" => after[name.len()..].starts_with(".rs"),
                    "`" => after[name.len()..].starts_with('`'),
                    _ => true,
                };
                (closed && !name.is_empty()).then_some((Mention { line: index + 1, insists }, name))
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines;

    const ENTRY: &str = "[[example]]\nname = \"tour\"\npath = \"../../examples/tour.rs\"\n";

    fn check(manifest: &str, readme: &str, examples: &[&str]) -> Vec<String> {
        let mut files = vec![(MANIFEST, manifest), (README, readme)];
        files.extend(examples.iter().map(|path| (*path, "")));
        lines(every_example_is_listed, &files)
    }

    #[test]
    fn an_example_listed_everywhere_is_well() {
        assert!(
            check(ENTRY, "cargo run --example tour", &["examples/tour.rs", "examples/common/mod.rs"])
                .is_empty()
        );
        assert!(check(ENTRY, "see [`tour`](examples/tour.rs) and `other`", &["examples/tour.rs"]).is_empty());
    }

    #[test]
    fn an_example_that_is_not_listed_is_found_twice() {
        let found = check("", "take a tour", &["examples/tour.rs"]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("examples/tour.rs:1: not an [[example]]"));
        assert!(found[1].starts_with("examples/tour.rs:1: README.md does not name it"));
    }

    #[test]
    fn a_listed_example_that_is_gone_is_found() {
        let found = check(ENTRY, "\nexamples/tour.rs", &[]);
        assert_eq!(
            found,
            [
                "crates/rushlight/Cargo.toml:2: examples/tour.rs does not exist",
                "README.md:2: examples/tour.rs does not exist"
            ]
        );
        let wrong = check("[[example]]\nname = \"tour\"\n", "`tour`", &["examples/tour.rs"]);
        assert_eq!(
            wrong,
            ["crates/rushlight/Cargo.toml:2: example `tour` has the path ``, not `../../examples/tour.rs`"]
        );
    }
}
