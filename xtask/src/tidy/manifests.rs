//! Manifests: a reason for every dependency, and one place for what all crates share.

use super::Finding;
use super::toml::{Kind, Toml, says_workspace};
use super::tree::Tree;

const WORKSPACE: &str = "Cargo.toml";
const SHARED: [&str; 3] = ["version", "edition", "license"];

/// Each foreign dependency of the workspace has a comment above it, or above its block.
///
/// A block is a run of lines without an empty one: three crates of one family share a reason.
pub(crate) fn dependencies_have_a_reason(tree: &Tree) -> Vec<Finding> {
    let text = tree.text(WORKSPACE).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let manifest = Toml::parse(text);
    let of_workspace = |table: &str| table.split('.').take(2).eq(["workspace", "dependencies"]);
    let foreign = manifest.entries.iter().filter(|entry| {
        of_workspace(&entry.table) && !entry.value.replace(' ', "").contains("path=") && entry.key != "path"
    });
    foreign
        .filter(|entry| !has_reason(&lines[..entry.line - 1]))
        .map(|entry| {
            let message =
                format!("`{}` has no reason: a comment above it that says why it is needed", entry.key);
            Finding::new(WORKSPACE, entry.line, message)
        })
        .collect()
}

fn has_reason(above: &[&str]) -> bool {
    let block = above.iter().rev().take_while(|line| !line.trim().is_empty());
    block.into_iter().any(|line| line.trim_start().starts_with('#'))
}

/// Each crate takes version, edition, licence, lints and foreign dependencies from the workspace.
pub(crate) fn crates_inherit_from_the_workspace(tree: &Tree) -> Vec<Finding> {
    tree.manifests().flat_map(|(file, manifest)| not_inherited(file, &manifest)).collect()
}

fn not_inherited(file: &str, manifest: &Toml) -> Vec<Finding> {
    let own = SHARED.into_iter().filter(|key| !manifest.inherits("package", key));
    let own = own.map(|key| Finding::new(file, 1, format!("[package] has no `{key}.workspace = true`")));
    let lints = manifest.value("lints", "workspace") == Some("true") || manifest.inherits("", "lints");
    let lints = (!lints).then(|| Finding::new(file, 1, "no `[lints]` with `workspace = true`"));
    let foreign = manifest.dependencies().into_iter().filter(|dependency| {
        // A crate may depend on itself by path in its tests; the workspace need not know.
        let by_path = dependency.said.replace(' ', "").contains("path=") && dependency.kind == Kind::Dev;
        !says_workspace(&dependency.said) && !by_path
    });
    let foreign = foreign.map(|dependency| {
        let message = format!(
            "`{}` is not taken from the workspace; list it with its reason in [workspace.dependencies]",
            dependency.package
        );
        Finding::new(file, dependency.line, message)
    });
    own.chain(lints).chain(foreign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines;

    #[test]
    fn a_block_shares_its_reason_and_own_crates_need_none() {
        let text = "[workspace.dependencies]\nours = { path = \"crates/ours\", version = \"1\" }\n\n\
                    # Why.\na = \"1\"\nb = { version = \"1\", features = [\n  \"x\",\n] }\n";
        assert_eq!(lines(dependencies_have_a_reason, &[(WORKSPACE, text)]), [""; 0]);
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let text = "[workspace.dependencies]\n# Why.\na = \"1\"\n\nb = \"1\"\n";
        let found = lines(dependencies_have_a_reason, &[(WORKSPACE, text)]);
        assert_eq!(found, ["Cargo.toml:5: `b` has no reason: a comment above it that says why it is needed"]);
    }

    #[test]
    fn a_crate_with_its_own_version_lints_or_dependency_is_found() {
        let good = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\
                    license = { workspace = true }\n[dependencies]\nhalf.workspace = true\n[lints]\nworkspace = true\n";
        let file = "crates/a/Cargo.toml";
        assert_eq!(lines(crates_inherit_from_the_workspace, &[(file, good)]), [""; 0]);
        let bad = good.replace("version.workspace = true", "version = \"1\"").replace("[lints]", "[other]");
        let bad = bad.replace("half.workspace = true", "half = \"2\"");
        let found = lines(crates_inherit_from_the_workspace, &[(file, &bad)]);
        assert_eq!(
            found,
            [
                "crates/a/Cargo.toml:1: [package] has no `version.workspace = true`",
                "crates/a/Cargo.toml:1: no `[lints]` with `workspace = true`",
                "crates/a/Cargo.toml:7: `half` is not taken from the workspace; list it with its reason in \
                 [workspace.dependencies]",
            ]
        );
    }
}
