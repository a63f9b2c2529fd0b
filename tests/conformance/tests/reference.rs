//! The page of operations against the table that it is made from.

use rushlight_conformance::reference::{page, path};

#[test]
fn the_committed_page_is_that_of_the_table() {
    let committed = std::fs::read_to_string(path()).unwrap_or_default();
    let page = page();
    let differs = page.lines().zip(committed.lines()).find(|(new, old)| new != old);
    assert!(
        committed == page,
        "crates/rushlight/OPS.md is out of date ({differs:?}); \
         run cargo run -p rushlight-conformance --bin reference"
    );
}
