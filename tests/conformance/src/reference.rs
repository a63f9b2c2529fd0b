//! The page that lists all operations, `crates/rushlight/OPS.md`, made from the table of operations.

use crate::ops;
use rushlight::autograd::table::{Derivative, OpInfo, op_table};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// What the page says before its tables.
const HEAD: &str = "\
# Operations

All operations by kind, and in each kind by PyTorch's name; to find one, search the page for that name. It is made from
the table of operations, whose rows stand beside the operations, by
`cargo run -p rushlight-conformance --bin reference`; a test fails if it is out of date.

*Derivatives* says how often an operation can be differentiated: as often as one likes, once, or not at all. *In place*
names the form that changes its tensor, where there is one. An operation with optional arguments has a second form that
takes them, whose name ends in `_with`; one whose plain name works on all elements has a form along dims, whose name ends in
`_dim`.
";

/// Where the page is.
pub fn path() -> PathBuf {
    root().join("crates/rushlight/OPS.md")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// An operation of PyTorch, with all rows of the table that belong to it.
struct Entry {
    kind: &'static str,
    names: Vec<&'static str>,
    derivative: Derivative,
    differs: Vec<&'static str>,
}

impl Entry {
    fn new(torch: &str, rows: &[&OpInfo]) -> Entry {
        // `Mul` rather than `Scale` says where `torch.mul` belongs.
        let own = last(torch).replace('_', "");
        let main = rows.iter().find(|row| row.op.to_lowercase() == own).unwrap_or(&rows[0]);
        let mut names: Vec<&str> = rows.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        let mut differs: Vec<&str> =
            rows.iter().map(|row| row.differs).filter(|text| !text.is_empty()).collect();
        differs.dedup();
        let most = |a: Derivative, b: Derivative| if times(b) > times(a) { b } else { a };
        let derivative = rows.iter().map(|row| row.derivative).fold(Derivative::None, most);
        Entry { kind: main.kind(), names, derivative, differs }
    }

    fn line(&self, torch: &str, places: &Places) -> String {
        let names: Vec<String> = self.names.iter().map(|name| places.link(name)).collect();
        let derivative = match self.derivative {
            Derivative::Every => "any",
            Derivative::First => "one",
            Derivative::None => "none",
        };
        let short = torch.trim_start_matches("torch.").trim_start_matches("Tensor.");
        let in_place = match ops::in_place(short) {
            Some(_) => format!("`{}_`", last(torch)),
            None => String::new(),
        };
        format!(
            "| `{torch}` | {} | {derivative} | {in_place} | {} |",
            names.join(", "),
            self.differs.join("; ").replace('|', "\\|")
        )
    }
}

/// How often, as a number to compare.
fn times(derivative: Derivative) -> u8 {
    match derivative {
        Derivative::None => 0,
        Derivative::First => 1,
        Derivative::Every => 2,
    }
}

/// `relu` of `torch.nn.functional.relu`.
fn last(torch: &str) -> &str {
    torch.rsplit('.').next().unwrap_or(torch)
}

/// Which names are functions and which are methods, as their definitions tell.
struct Places {
    functions: Vec<String>,
    methods: Vec<String>,
}

impl Places {
    fn read() -> Places {
        let mut places = Places { functions: Vec::new(), methods: Vec::new() };
        places.folder(&root().join("crates/rushlight-autograd/src/ops"));
        places
    }

    fn folder(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                self.folder(&path);
            } else {
                self.file(&fs::read_to_string(&path).expect("sources are text"));
            }
        }
    }

    fn file(&mut self, text: &str) {
        // Methods of other types than tensors are not meant.
        let mut of_tensor = false;
        for line in text.lines() {
            if line.starts_with("impl") {
                of_tensor = line == "impl Tensor {";
            }
            if let Some(rest) = line.strip_prefix("pub fn ") {
                self.functions.push(identifier(rest));
            } else if let (true, Some(rest)) = (of_tensor, line.strip_prefix("    pub fn ")) {
                self.methods.push(identifier(rest));
            } else if let Some(("unary_op" | "binary_op", rest)) = line.split_once("!(") {
                self.methods.extend(rest.split(',').nth(1).map(|name| identifier(name.trim())));
            }
        }
    }

    /// A name, and where its documentation is if that is plain.
    fn link(&self, name: &str) -> String {
        let among = |list: &[String]| list.iter().any(|known| known == name);
        match (among(&self.functions), among(&self.methods)) {
            (_, true) => format!("[`{name}`](crate::Tensor::{name})"),
            (true, false) => format!("[`{name}`](crate::autograd::ops::{name})"),
            _ => format!("`{name}`"),
        }
    }
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The page.
pub fn page() -> String {
    let mut rows: BTreeMap<&str, Vec<&OpInfo>> = BTreeMap::new();
    for row in op_table() {
        rows.entry(row.torch).or_default().push(row);
    }
    // By PyTorch's last name: `torch.nn.functional.relu` stands among the r.
    let mut kinds: BTreeMap<&str, BTreeMap<(&str, &str), Entry>> = BTreeMap::new();
    for (torch, rows) in rows {
        let entry = Entry::new(torch, &rows);
        kinds.entry(entry.kind).or_default().insert((last(torch), torch), entry);
    }
    let (places, mut page) = (Places::read(), HEAD.to_string());
    for (kind, entries) in kinds {
        let _ = write!(page, "\n## {}\n\n", title(kind));
        page += "| PyTorch | here | derivatives | in place | what is other than in PyTorch |\n";
        page += "| --- | --- | --- | --- | --- |\n";
        for ((_, torch), entry) in entries {
            page += &entry.line(torch, &places);
            page.push('\n');
        }
    }
    page
}

/// A kind as a heading: `Elementwise`.
fn title(kind: &str) -> String {
    let words = kind.replace('_', " ");
    let (first, rest) = words.split_at(words.len().min(1));
    first.to_uppercase() + rest
}
