//! pth: the input as an archive, with its checksums mended, and as the pickle of one.
#![no_main]

#[path = "../../../crates/rushlight-serialize/tests/hostile/seal.rs"]
#[allow(dead_code, reason = "each target mends what it reads")]
mod seal;

use libfuzzer_sys::fuzz_target;
use rushlight_serialize::pth;

fuzz_target!(|bytes: &[u8]| {
    let mut sealed = bytes.to_vec();
    seal::seal_zip(&mut sealed);
    for file in [bytes, &sealed, &seal::pth_of(bytes)] {
        if let Ok(value) = pth::from_bytes(file) {
            // An expanded tensor may stand for more elements than there is memory: those are not written.
            if value.tensors().iter().all(|(_, tensor)| tensor.numel() < 1 << 16) {
                pth::from_bytes(&pth::to_bytes(&value).unwrap()).unwrap();
            }
        }
    }
});
