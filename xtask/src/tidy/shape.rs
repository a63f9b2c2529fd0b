//! Files are short, and end their lines plainly.

use super::Finding;
use super::tree::Tree;

/// The longest Rust file; style.md asks for 400, this is where asking ends.
const MOST_LINES: usize = 600;

pub(crate) fn files_are_short_and_clean(tree: &Tree) -> Vec<Finding> {
    let long = tree.rust("").filter_map(|(file, text)| too_long(file, text));
    long.chain(tree.all().flat_map(|(file, text)| unclean_lines(file, text))).collect()
}

fn too_long(file: &str, text: &str) -> Option<Finding> {
    let count = text.lines().count();
    let message = || format!("{count} lines, more than {MOST_LINES}; split it by what its parts do");
    (count > MOST_LINES).then(|| Finding::new(file, MOST_LINES + 1, message()))
}

fn unclean_lines(file: &str, text: &str) -> Vec<Finding> {
    let finding = |(index, line): (usize, &str)| {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let message = match line.strip_suffix('\r') {
            Some(_) => "line ends with CRLF",
            None if line.ends_with([' ', '\t', '\r']) => "trailing whitespace",
            None => return None,
        };
        Some(Finding::new(file, index + 1, message))
    };
    text.split_inclusive('\n').enumerate().filter_map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines;

    #[test]
    fn a_file_over_the_limit_is_found() {
        let file = "crates/a/src/lib.rs";
        assert_eq!(lines(files_are_short_and_clean, &[(file, &"x\n".repeat(MOST_LINES))]), [""; 0]);
        let found = lines(files_are_short_and_clean, &[(file, &"x\n".repeat(MOST_LINES + 1))]);
        assert_eq!(found, [format!("{file}:601: 601 lines, more than 600; split it by what its parts do")]);
        assert_eq!(lines(files_are_short_and_clean, &[("a.md", &"x\n".repeat(MOST_LINES + 1))]), [""; 0]);
    }

    #[test]
    fn trailing_whitespace_and_crlf_are_found() {
        let found = lines(files_are_short_and_clean, &[("README.md", "a\nb \nc\r\n\t")]);
        assert_eq!(
            found,
            [
                "README.md:2: trailing whitespace",
                "README.md:3: line ends with CRLF",
                "README.md:4: trailing whitespace"
            ]
        );
    }
}
