//! Crates depend on each other as ARCHITECTURE.md draws it.

use super::Finding;
use super::toml::{Dependency, Kind, Toml};
use super::tree::Tree;

/// Each crate of the workspace, and those below it that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("rushlight-array", &[]),
    ("rushlight-autograd", &["rushlight-array"]),
    // Its tests ask the table of operations and train networks.
    ("rushlight-cuda", &["rushlight-array", "rushlight-autograd", "rushlight"]),
    ("rushlight-nn", &["rushlight-array", "rushlight-autograd"]),
    ("rushlight-optim", &["rushlight-array", "rushlight-autograd"]),
    ("rushlight-data", &["rushlight-array", "rushlight-autograd"]),
    ("rushlight-serialize", &["rushlight-array", "rushlight-autograd"]),
    (
        "rushlight-train",
        &[
            "rushlight-array",
            "rushlight-autograd",
            "rushlight-data",
            "rushlight-nn",
            "rushlight-optim",
            "rushlight-serialize",
        ],
    ),
    (
        "rushlight",
        &[
            "rushlight-array",
            "rushlight-autograd",
            "rushlight-cuda",
            "rushlight-nn",
            "rushlight-optim",
            "rushlight-data",
            "rushlight-serialize",
            "rushlight-train",
        ],
    ),
    ("rushlight-benches", &["rushlight-array", "rushlight-autograd"]),
    ("rushlight-conformance", &["rushlight", "rushlight-array", "rushlight-autograd", "rushlight-nn"]),
    ("rushlight-emulator", &[]),
    ("xtask", &[]),
];

pub(crate) fn crates_depend_downwards(tree: &Tree) -> Vec<Finding> {
    let manifests: Vec<(&str, Toml)> = tree.manifests().collect();
    let members: Vec<&str> = manifests.iter().map(|(_, manifest)| name(manifest)).collect();
    manifests.iter().flat_map(|(file, manifest)| wrong_arrows(file, manifest, &members)).collect()
}

fn name(manifest: &Toml) -> &str {
    manifest.value("package", "name").unwrap_or_default()
}

fn wrong_arrows(file: &str, manifest: &Toml, members: &[&str]) -> Vec<Finding> {
    let name = name(manifest);
    let Some((_, below)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        let message = format!(
            "crate `{name}` has no arrows; add it to ARROWS in xtask/src/tidy/arrows.rs and to \
             crates/rushlight/ARCHITECTURE.md"
        );
        return vec![Finding::new(file, 1, message)];
    };
    let allowed = |dependency: &Dependency| {
        let package = dependency.package.as_str();
        let itself = dependency.kind == Kind::Dev && package == name;
        !members.contains(&package) || below.contains(&package) || itself
    };
    let wrong = manifest.dependencies().into_iter().filter(|dependency| !allowed(dependency));
    let below = if below.is_empty() { "nothing".to_owned() } else { below.join(", ") };
    wrong
        .map(|Dependency { package, line, .. }| {
            Finding::new(file, line, format!("{name} must not depend on {package}; below it lies {below}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines;

    const ARRAY: (&str, &str) =
        ("crates/rushlight-array/Cargo.toml", "[package]\nname = \"rushlight-array\"\n");

    fn check(manifest: &str) -> Vec<String> {
        lines(crates_depend_downwards, &[ARRAY, ("crates/rushlight-optim/Cargo.toml", manifest)])
    }

    #[test]
    fn downwards_and_foreign_dependencies_are_well() {
        let manifest = "[package]\nname = \"rushlight-optim\"\n[dependencies]\nrushlight-array.workspace = true\n\
                        smallvec.workspace = true\n[dev-dependencies]\nrushlight-optim = { path = \".\" }\n";
        assert_eq!(check(manifest), [""; 0]);
    }

    #[test]
    fn an_arrow_upwards_is_found_even_renamed_or_for_tests() {
        for entry in [
            "[dependencies]\nrushlight-optim.workspace = true",
            "[dev-dependencies]\nrushlight-optim = { workspace = true }",
            "[target.'cfg(unix)'.dependencies]\nsgd = { package = \"rushlight-optim\", path = \"../x\" }",
        ] {
            let array = format!("{}{entry}\n", ARRAY.1);
            let optim = ("crates/rushlight-optim/Cargo.toml", "[package]\nname = \"rushlight-optim\"\n");
            let found = lines(crates_depend_downwards, &[(ARRAY.0, &array), optim]);
            let expected = "must not depend on rushlight-optim; below it lies nothing";
            assert_eq!(found, [format!("{}:4: rushlight-array {expected}", ARRAY.0)]);
        }
    }

    #[test]
    fn an_unknown_crate_is_told_where_to_be_added() {
        let found = check("[package]\nname = \"rushlight-new\"\n");
        assert!(found[0].contains("crate `rushlight-new` has no arrows; add it to"), "{found:?}");
    }
}
