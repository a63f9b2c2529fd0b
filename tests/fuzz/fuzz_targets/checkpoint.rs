//! Checkpoints, with their hashes as they are and mended.
#![no_main]

#[path = "../../../crates/rushlight-serialize/tests/hostile/seal.rs"]
#[allow(dead_code, reason = "each target mends what it reads")]
mod seal;

use libfuzzer_sys::fuzz_target;
use rushlight_serialize::checkpoint;

fuzz_target!(|bytes: &[u8]| {
    let mut sealed = bytes.to_vec();
    seal::seal_checkpoint(&mut sealed);
    let _ = checkpoint::from_bytes(bytes);
    if let Ok(value) = checkpoint::from_bytes(&sealed) {
        checkpoint::from_bytes(&checkpoint::to_bytes(&value).unwrap()).unwrap();
    }
});
