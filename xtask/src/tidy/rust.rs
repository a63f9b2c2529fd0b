//! As much of Rust's grammar as the checks need: what is code, what is text, what is a word.

/// What `blank` leaves besides code.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Keep {
    Nothing,
    Strings,
}

/// The source with comments, and strings unless kept, as blanks; every line keeps its number.
pub(crate) fn blank(source: &str, keep: Keep) -> String {
    let letters: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < letters.len() {
        let (length, is_string) = text_at(&letters, at);
        let end = at + length.max(1);
        let stays = length == 0 || (is_string && keep == Keep::Strings);
        out.extend(letters[at..end].iter().map(|&letter| if stays || letter == '\n' { letter } else { ' ' }));
        at = end;
    }
    out
}

/// The length of the comment or literal that starts at `at`, 0 if it is code; and whether it is a literal.
fn text_at(letters: &[char], at: usize) -> (usize, bool) {
    let rest = &letters[at..];
    match rest {
        ['/', '/', ..] => (rest.iter().position(|&letter| letter == '\n').unwrap_or(rest.len()), false),
        ['/', '*', ..] => (block_comment(rest), false),
        ['"', ..] => (quoted(rest, '"'), true),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => (quoted(rest, '\''), true),
        ['r', '"' | '#', ..] if at == 0 || !is_ident(letters[at - 1]) || letters[at - 1] == 'b' => {
            (raw_string(rest), true)
        }
        _ => (0, false),
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], mark: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != mark {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// The length of `r#"..."#`; 0 for `r#name`, which is a word.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&letter| letter == '#').count();
    let open = 1 + hashes;
    if rest.get(open) != Some(&'"') {
        return 0;
    }
    let closes =
        |at: &usize| rest[*at] == '"' && rest[at + 1..].iter().take_while(|&&l| l == '#').count() >= hashes;
    (open + 1..rest.len()).find(closes).map_or(rest.len(), |at| at + 1 + hashes)
}

/// A letter that an identifier may hold.
pub(crate) fn is_ident(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

/// The identifier at the start of `text`, perhaps empty.
pub(crate) fn ident(text: &str) -> &str {
    text.split(|letter| !is_ident(letter)).next().unwrap_or_default()
}

/// Where `pattern` occurs in `line` without an identifier running into it from the left.
pub(crate) fn occurrences<'a>(line: &'a str, pattern: &'a str) -> impl Iterator<Item = usize> + 'a {
    let starts_word = pattern.starts_with(is_ident);
    let starts = move |at: &usize| !starts_word || !line[..*at].ends_with(is_ident);
    line.match_indices(pattern).map(|(at, _)| at).filter(starts)
}

/// The source before its `#[cfg(test)] mod`.
pub(crate) fn before_tests(source: &str) -> &str {
    source
        .match_indices("#[cfg(test)]")
        .map(|(at, _)| at)
        .find(|&at| {
            let next = source[at + "#[cfg(test)]".len()..].trim_start();
            next.starts_with("mod ")
        })
        .map_or(source, |at| &source[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_become_blanks() {
        let source = "a // b\n/* c /* d */ e */ f \"g \\\" h\" i\nr#\"j \" k\"# l 'm' '\\'' n<'o>";
        let blanked = blank(source, Keep::Nothing);
        let words: Vec<&str> = blanked.split_whitespace().collect();
        assert_eq!(words, ["a", "f", "i", "l", "n<'o>"]);
        assert_eq!(blanked.lines().count(), 3);
        assert!(blank(source, Keep::Strings).contains("g \\\" h"));
        assert_eq!(blank("let r#type = br\"x\";", Keep::Nothing), "let r#type = b    ;");
    }

    #[test]
    fn occurrences_begin_a_word() {
        assert_eq!(occurrences("mydbg!(x) dbg!(y)", "dbg!(").collect::<Vec<_>>(), [10]);
    }

    #[test]
    fn tests_are_cut_off_and_test_items_are_not() {
        assert_eq!(
            before_tests("a\n#[cfg(test)]\nfn b() {}\n#[cfg(test)]\nmod tests {}"),
            "a\n#[cfg(test)]\nfn b() {}\n"
        );
    }
}
