//! npy, and npz with its checksums as they are and mended.
#![no_main]

#[path = "../../../crates/rushlight-serialize/tests/hostile/seal.rs"]
#[allow(dead_code, reason = "each target mends what it reads")]
mod seal;

use libfuzzer_sys::fuzz_target;
use rushlight_serialize::{npy, npz};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(tensor) = npy::from_bytes(bytes) {
        let again = npy::from_bytes(&npy::to_bytes(&tensor).unwrap()).unwrap();
        assert_eq!((tensor.shape(), tensor.dtype()), (again.shape(), again.dtype()));
    }
    let _ = npz::from_bytes(bytes);
    let mut sealed = bytes.to_vec();
    seal::seal_zip(&mut sealed);
    if let Ok(state) = npz::from_bytes(&sealed) {
        let again = npz::from_bytes(&npz::to_bytes(&state, false).unwrap()).unwrap();
        assert_eq!(state.len(), again.len());
    }
});
