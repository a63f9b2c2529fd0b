//! As much of TOML as manifests use: where each key stands, with its value as written.

/// A manifest as a flat list of its keys.
pub(crate) struct Toml {
    pub(crate) entries: Vec<Entry>,
}

/// `key = value` in a table.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    /// The name in the brackets of the header, `""` before the first header.
    pub(crate) table: String,
    /// Counts the headers of the file, so that two `[[example]]` differ.
    pub(crate) header: usize,
    /// As written: `version.workspace` is one key.
    pub(crate) key: String,
    /// As written, without a comment; an array over several lines is joined.
    pub(crate) value: String,
    pub(crate) line: usize,
}

/// Whose code a dependency may be used by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Normal,
    Dev,
    Build,
}

/// A dependency of a crate manifest.
#[derive(Debug, PartialEq)]
pub(crate) struct Dependency {
    pub(crate) kind: Kind,
    /// The name of the package, whatever name the manifest gives it.
    pub(crate) package: String,
    /// All that is said of it, on one line.
    pub(crate) said: String,
    pub(crate) line: usize,
}

impl Toml {
    pub(crate) fn parse(text: &str) -> Toml {
        let (mut table, mut header) = (String::new(), 0);
        let mut entries: Vec<Entry> = Vec::new();
        let mut unclosed = 0;
        for (index, line) in text.lines().enumerate() {
            let line_without_comment = strip_comment(line).trim();
            if unclosed > 0 {
                entries.last_mut().expect("an entry is open").value.push_str(line_without_comment);
                unclosed += depth(line_without_comment);
            } else if line_without_comment.starts_with('[') {
                table = line_without_comment.trim_matches(['[', ']']).trim().to_owned();
                header += 1;
            } else if let Some((key, value)) = line_without_comment.split_once('=') {
                let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
                unclosed = depth(&value);
                entries.push(Entry { table: table.clone(), header, key, value, line: index + 1 });
            }
        }
        Toml { entries }
    }

    /// The value of a key, without the quotes of a string.
    pub(crate) fn value(&self, table: &str, key: &str) -> Option<&str> {
        let found = self.entries.iter().find(|entry| entry.table == table && entry.key == key)?;
        Some(found.value.trim_matches('"'))
    }

    /// Whether `table.key` is taken from the workspace, in either way to write it.
    pub(crate) fn inherits(&self, table: &str, key: &str) -> bool {
        self.value(table, &format!("{key}.workspace")) == Some("true")
            || self.value(table, key).is_some_and(says_workspace)
    }

    /// Every dependency of every kind, those for some targets only included.
    pub(crate) fn dependencies(&self) -> Vec<Dependency> {
        let mut all: Vec<Dependency> = Vec::new();
        for entry in &self.entries {
            let Some((kind, name, said)) = dependency(entry) else { continue };
            match all.last_mut() {
                // The keys of one `[dependencies.name]` table.
                Some(last) if last.kind == kind && last.package == name => {
                    last.said.push_str(&format!(", {said}"));
                }
                _ => all.push(Dependency { kind, package: name, said, line: entry.line }),
            }
        }
        for dependency in &mut all {
            if let Some((_, renamed)) = dependency.said.split_once("package = \"") {
                dependency.package = renamed.split('"').next().unwrap_or_default().to_owned();
            }
        }
        all
    }
}

/// Whether a dependency or a field is taken from the workspace.
pub(crate) fn says_workspace(value: &str) -> bool {
    value.replace(' ', "").contains("workspace=true")
}

/// Kind, name and what is said, if the entry belongs to a table of dependencies.
fn dependency(entry: &Entry) -> Option<(Kind, String, String)> {
    const TABLES: [(&str, Kind); 3] = [
        ("dependencies", Kind::Normal),
        ("dev-dependencies", Kind::Dev),
        ("build-dependencies", Kind::Build),
    ];
    // `target.'cfg(unix)'.dependencies` is a table like the plain one.
    let table = match entry.table.strip_prefix("target.") {
        Some(rest) => rest.rsplit_once("'.").map_or(rest, |(_, after)| after),
        None => &entry.table,
    };
    let (word, named) = table.split_once('.').map_or((table, None), |(word, name)| (word, Some(name)));
    let (_, kind) = TABLES.into_iter().find(|(name, _)| *name == word)?;
    let (name, said) = match (named, entry.key.split_once('.')) {
        (Some(name), _) => (name, format!("{} = {}", entry.key, entry.value)),
        (None, Some((name, field))) => (name, format!("{field} = {}", entry.value)),
        (None, None) => (entry.key.as_str(), entry.value.clone()),
    };
    Some((kind, name.trim_matches('"').to_owned(), said))
}

fn strip_comment(line: &str) -> &str {
    let mut quoted = false;
    for (index, letter) in line.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..index],
            _ => {}
        }
    }
    line
}

/// Brackets opened and not closed again.
fn depth(value: &str) -> i32 {
    let mut quoted = false;
    value.chars().fold(0, |depth, letter| match letter {
        '"' => {
            quoted = !quoted;
            depth
        }
        '[' | '{' if !quoted => depth + 1,
        ']' | '}' if !quoted => depth - 1,
        _ => depth,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_know_their_table_and_line() {
        let toml = Toml::parse(
            "[package]\nname = \"a # b\" # c\nkeywords = [\n  \"x\", # y\n]\nlints.workspace = true\n",
        );
        assert_eq!(toml.value("package", "name"), Some("a # b"));
        assert_eq!(toml.value("package", "keywords"), Some("[\"x\",]"));
        assert_eq!(toml.entries[2].line, 6);
        assert!(toml.inherits("package", "lints"));
        assert!(Toml::parse("[package]\nversion = { workspace = true }").inherits("package", "version"));
        assert!(!Toml::parse("[package]\nversion = \"1\"").inherits("package", "version"));
    }

    #[test]
    fn dependencies_are_found_in_every_form() {
        let toml = Toml::parse(
            "[dependencies]\na.workspace = true\nb = { package = \"real-b\", version = \"1\" }\n\
             [dev-dependencies.c]\nversion = \"1\"\nfeatures = []\n\
             [target.'cfg(target_os = \"linux\")'.build-dependencies]\nd = \"1\"\n[features]\nx = []\n",
        );
        let found: Vec<_> =
            toml.dependencies().into_iter().map(|found| (found.kind, found.package, found.line)).collect();
        let expected =
            [(Kind::Normal, "a", 2), (Kind::Normal, "real-b", 3), (Kind::Dev, "c", 5), (Kind::Build, "d", 8)];
        assert_eq!(found, expected.map(|(kind, name, line)| (kind, name.to_owned(), line)));
    }
}
