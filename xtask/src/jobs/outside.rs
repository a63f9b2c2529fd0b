//! The outside row: a crate that is no member of the workspace runs the README's first example.

use std::path::Path;

use crate::rows::Row;
use crate::run::Log;

/// The README's first Rust block, and what the README shows that it prints.
#[derive(Debug, PartialEq)]
struct Sample {
    code: String,
    printed: Option<String>,
}

/// Writes the crate, runs it, compares what it prints.
pub(crate) fn outside(row: &Row, log: &mut Log) -> Result<String, String> {
    let root = log.root().to_path_buf();
    let readme = read(&root.join("README.md"))?;
    let sample = sample(&readme).ok_or("README.md has no ```rust block")?;
    let home = log.directory().join("outside");
    write_crate(&home, &root, &sample)?;
    let step = row
        .step("cargo run --quiet --manifest-path")
        .arg(&home.join("Cargo.toml").display().to_string())
        .env("CARGO_TARGET_DIR", &log.directory().join("outside-target").display().to_string());
    let printed = log.run(&step)?.success()?;
    match &sample.printed {
        None => Ok("ran; README.md shows no output".to_owned()),
        Some(shown) => compare(shown, &printed).map(|()| "printed what README.md shows".to_owned()),
    }
}

fn write_crate(home: &Path, root: &Path, sample: &Sample) -> Result<(), String> {
    let facade = root.join("crates/rushlight");
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nrushlight = {{ path = {facade:?} }}\n\n[workspace]\n"
    );
    write(&home.join("Cargo.toml"), &manifest)?;
    write(&home.join("src/main.rs"), &sample.code)?;
    // The same versions as the workspace: this row asks about the README, not about the registry's news.
    match std::fs::read_to_string(root.join("Cargo.lock")) {
        Ok(lock) => write(&home.join("Cargo.lock"), &lock),
        Err(_) => Ok(()),
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().expect("the path has a folder");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The first Rust block, with the block after it if that is the next fenced one and is marked `text`.
fn sample(readme: &str) -> Option<Sample> {
    let mut blocks = blocks(readme).into_iter().skip_while(|(info, _)| !is_rust(info));
    let code = blocks.next()?.1;
    let printed = blocks.next().filter(|(info, _)| *info == "text").map(|(_, lines)| lines.concat());
    Some(Sample { code: program(&code), printed })
}

fn is_rust(info: &str) -> bool {
    info.split(',').next() == Some("rust")
}

/// The fenced blocks: the words after the opening fence, and the lines with their ends.
fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, Vec<&str>)> = None;
    for line in text.split_inclusive('\n') {
        match (line.trim_end().strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some((info.trim(), Vec::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    blocks
}

/// A whole program, by rustdoc's rules: `# ` hides a line, and a block without `main` is the body of one.
fn program(lines: &[&str]) -> String {
    let shown = |line: &&str| match line.trim_start() {
        "#\n" => "\n".to_owned(),
        hidden if hidden.starts_with("# ") => hidden[2..].to_owned(),
        _ => (*line).to_owned(),
    };
    let code: String = lines.iter().map(shown).collect();
    if code.contains("fn main()") { code } else { format!("fn main() {{\n{code}}}\n") }
}

fn compare(shown: &str, printed: &str) -> Result<(), String> {
    if shown.trim_end_matches('\n') == printed.trim_end_matches('\n') {
        return Ok(());
    }
    let (mut left, mut right) = (shown.lines(), printed.lines());
    for number in 1.. {
        let pair = (left.next(), right.next());
        if pair.0 != pair.1 || pair == (None, None) {
            let quoted = |line: Option<&str>| line.map_or("nothing".to_owned(), |line| format!("`{line}`"));
            let (shown, printed) = (quoted(pair.0), quoted(pair.1));
            return Err(format!("line {number} of the output: README.md shows {shown}, printed {printed}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# x\n```sh\ncargo\n```\n\n```rust\n# use a::b;\n#[allow(x)]\nfn main() {}\n```\n\
                          It prints\n\n```text\none\ntwo\n```\n";

    #[test]
    fn sample_is_the_first_rust_block_and_the_text_after_it() {
        let sample = sample(README).expect("there is a block");
        assert_eq!(sample.code, "use a::b;\n#[allow(x)]\nfn main() {}\n");
        assert_eq!(sample.printed.as_deref(), Some("one\ntwo\n"));
    }

    #[test]
    fn another_block_between_means_no_shown_output() {
        let readme = "```rust\nlet x = 1;\n```\n```sh\nls\n```\n```text\none\n```\n";
        let sample = sample(readme).expect("there is a block");
        assert_eq!(sample, Sample { code: "fn main() {\nlet x = 1;\n}\n".to_owned(), printed: None });
        assert_eq!(super::sample("no block"), None);
    }

    #[test]
    fn difference_names_the_line() {
        assert_eq!(compare("one\ntwo\n", "one\ntwo"), Ok(()));
        let error = compare("one\ntwo\n", "one\n2\n").expect_err("they differ");
        assert_eq!(error, "line 2 of the output: README.md shows `two`, printed `2`");
        assert!(compare("one\n", "").expect_err("nothing came").contains("printed nothing"));
    }
}
