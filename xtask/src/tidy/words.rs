//! Nothing unfinished is left in the library, its examples or its tests.

use super::Finding;
use super::rust::occurrences;
use super::tree::Tree;

/// Words that must not stay, and what to do instead.
const WORDS: [(&str, &str); 6] = [
    ("todo!(", "finish it, or leave the function out"),
    ("unimplemented!(", "finish it, or leave the function out"),
    ("dbg!(", "remove it"),
    (
        "#[ignore]",
        "make the test fast enough to run; what takes minutes is ignored as such and run by the row `long`",
    ),
    ("TODO", "do it, or open an issue"),
    ("FIXME", "mend it, or open an issue"),
];

pub(crate) fn nothing_is_left_unfinished(tree: &Tree) -> Vec<Finding> {
    tree.library()
        .flat_map(|(file, text)| {
            text.lines().enumerate().flat_map(move |(index, line)| {
                let here =
                    WORDS.into_iter().filter(move |(word, _)| occurrences(line, word).next().is_some());
                here.map(move |(word, advice)| Finding::new(file, index + 1, format!("`{word}`: {advice}")))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines;

    #[test]
    fn every_word_is_found_in_code_comments_and_tests() {
        for (word, advice) in WORDS {
            for file in ["crates/a/src/lib.rs", "examples/a.rs", "tests/suite.rs"] {
                let found =
                    lines(nothing_is_left_unfinished, &[(file, &format!("fn a() {{}}\n/// {word})\n"))]);
                assert_eq!(found, [format!("{file}:2: `{word}`: {advice}")]);
            }
        }
    }

    #[test]
    fn xtask_and_longer_words_are_left_alone() {
        let files = [("xtask/src/a.rs", "todo!()"), ("crates/a/src/lib.rs", "mydbg!(x); // AUTODOC")];
        assert_eq!(lines(nothing_is_left_unfinished, &files), [""; 0]);
    }
}
