//! `cargo run -p rushlight-conformance --bin reference`: writes `crates/rushlight/OPS.md` from the table of operations.

use rushlight_conformance::reference::{page, path};

fn main() -> std::io::Result<()> {
    std::fs::write(path(), page())?;
    println!("{} is written", path().display());
    Ok(())
}
