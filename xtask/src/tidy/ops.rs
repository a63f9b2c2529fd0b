//! Every op has its row in the op table, and every row its op.
//!
//! An op is an `impl Op for Name`, or the first argument of a macro whose name ends in `_op!`, at the start
//! of a line: `unary_op!(Exp, ...)`. Its row is `OpInfo::op("Name", ...)`; a macro that holds
//! `OpInfo::op(stringify!(` writes the row itself.

use super::Finding;
use super::rust::{Keep, before_tests, blank, ident, occurrences};
use super::tree::Tree;

const OPS: &str = "crates/rushlight-autograd/src/ops/";
const OPS_ROOT: &str = "crates/rushlight-autograd/src/ops.rs";

/// What begins a row.
const ROW: &str = "OpInfo::op(";

/// A name and where it stands.
struct Place<'a> {
    name: String,
    file: &'a str,
    line: usize,
}

pub(crate) fn every_op_is_in_the_table(tree: &Tree) -> Vec<Finding> {
    let root = tree.text(OPS_ROOT).map(|text| (OPS_ROOT, text));
    let sources: Vec<(&str, String)> = tree
        .rust(OPS)
        .chain(root)
        .map(|(file, text)| (file, blank(before_tests(text), Keep::Strings)))
        .collect();
    let writes_row: Vec<&str> = sources.iter().flat_map(|(_, text)| macros_with_rows(text)).collect();
    let (mut ops, mut rows) = (Vec::new(), Vec::new());
    for (file, text) in &sources {
        ops.extend(impls(file, text));
        rows.extend(table_names(file, text));
        for (called, place) in calls(file, text) {
            if writes_row.contains(&called) {
                rows.push(Place { name: place.name.clone(), ..place });
            }
            ops.push(place);
        }
    }
    if ops.is_empty() {
        return vec![Finding::new(
            OPS,
            1,
            "no `impl Op for` here; if the ops have moved, tell xtask/src/tidy/ops.rs",
        )];
    }
    let missing = unmatched(&ops, &rows, |name| {
        format!("op `{name}` has no row in the op table: no `OpInfo::op(\"{name}\", ..)`")
    });
    let idle = unmatched(&rows, &ops, |name| {
        format!("the op table has a row for `{name}`, but no `impl Op for {name}`")
    });
    missing.into_iter().chain(idle).collect()
}

/// A finding for each of `some` that `others` lack.
fn unmatched(some: &[Place], others: &[Place], message: fn(&str) -> String) -> Vec<Finding> {
    let lacks = |place: &&Place| !others.iter().any(|other| other.name == place.name);
    some.iter()
        .filter(lacks)
        .map(|place| Finding::new(place.file, place.line, message(&place.name)))
        .collect()
}

fn impls<'a>(file: &'a str, text: &'a str) -> impl Iterator<Item = Place<'a>> {
    text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("impl")).filter_map(
        move |(index, line)| {
            let at = occurrences(line, "Op for ").next()?;
            // In a macro's definition the name is `$name`: no identifier, and no op either.
            let name = ident(&line[at + "Op for ".len()..]).to_owned();
            (!name.is_empty()).then_some(Place { name, file, line: index + 1 })
        },
    )
}

fn table_names<'a>(file: &'a str, text: &'a str) -> impl Iterator<Item = Place<'a>> {
    occurrences(text, ROW).filter_map(move |at| {
        // In a macro's definition a `stringify!` follows, no name.
        let name = ident(text[at + ROW.len()..].trim_start().strip_prefix('"')?).to_owned();
        Some(Place { name, file, line: text[..at].matches('\n').count() + 1 })
    })
}

/// The `_op` macros that write the row of the op they are given.
fn macros_with_rows(text: &str) -> impl Iterator<Item = &str> {
    text.split("macro_rules! ").skip(1).filter_map(|definition| {
        let body = definition.split("\n}").next().unwrap_or(definition);
        (ident(body).ends_with("_op") && body.contains(ROW)).then(|| ident(body))
    })
}

/// The calls of `_op!` macros at the start of a line, with the op each is given.
fn calls<'a>(file: &'a str, text: &'a str) -> Vec<(&'a str, Place<'a>)> {
    let mut found = Vec::new();
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let called = ident(line);
        if called.ends_with("_op") && line[called.len()..].starts_with('!') {
            let after = text[start + called.len() + 1..].trim_start().get(1..).unwrap_or_default();
            let name = ident(skip_attributes(after)).to_owned();
            found.push((called, Place { name, file, line: index + 1 }));
        }
        start += line.len();
    }
    found
}

fn skip_attributes(text: &str) -> &str {
    let text = text.trim_start();
    match text.strip_prefix("#[").and_then(|rest| rest.split_once("]\n")) {
        Some((_, rest)) => skip_attributes(rest),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines;

    const FILE: &str = "crates/rushlight-autograd/src/ops/elementwise.rs";

    fn check(source: &str) -> Vec<String> {
        lines(every_op_is_in_the_table, &[(FILE, source)])
    }

    #[test]
    fn an_op_with_its_row_is_well() {
        assert!(check("impl Op for Exp {}\nconst I: OpInfo = OpInfo::op(\"Exp\", f);\n").is_empty());
        assert!(check("impl<F> crate::Op for Map<F> {}\n    OpInfo::op(\n \"Map\",\n").is_empty());
    }

    #[test]
    fn an_op_without_a_row_is_found() {
        let found =
            check("\nimpl Op for Exp {}\nimpl Op for Log {}\n// OpInfo::op(\"Log\")\nOpInfo::op(\"Exp\")\n");
        assert_eq!(
            found,
            [format!("{FILE}:3: op `Log` has no row in the op table: no `OpInfo::op(\"Log\", ..)`")]
        );
    }

    #[test]
    fn a_row_without_an_op_is_found() {
        let found = check("impl Op for Exp {}\nOpInfo::op(\"Exp\")\nOpInfo::op(\"Gone\")\n");
        assert_eq!(
            found,
            [format!("{FILE}:3: the op table has a row for `Gone`, but no `impl Op for Gone`")]
        );
    }

    #[test]
    fn a_macro_makes_the_op_and_only_some_write_the_row() {
        let define =
            "macro_rules! unary_op {\n    ($name:ident) => {\n        impl Op for $name {}\n    };\n}\n";
        let call = "unary_op! {\n    /// Doc.\n    #[derive(Clone)]\n    Exp, 1\n}\nunary_op!(Log);\n";
        let found = check(&format!("{define}{call}OpInfo::op(\"Exp\")\n"));
        assert_eq!(
            found,
            [format!("{FILE}:11: op `Log` has no row in the op table: no `OpInfo::op(\"Log\", ..)`")]
        );
        let with_row = define.replace("{}", "{} const I: OpInfo = OpInfo::op(stringify!($name));");
        assert!(check(&format!("{with_row}{call}")).is_empty());
    }

    #[test]
    fn ops_of_tests_need_no_row_and_an_empty_folder_is_an_error() {
        assert!(
            check(
                "impl Op for A {}\nOpInfo::op(\"A\")\n#[cfg(test)]\nmod tests {\nimpl Op for Wrong {}\n}\n"
            )
            .is_empty()
        );
        assert_eq!(check("fn nothing() {}").len(), 1);
    }
}
