//! safetensors: what is read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rushlight_serialize::safetensors;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(state) = safetensors::from_bytes(bytes) {
        let again = safetensors::from_bytes(&safetensors::to_bytes(&state, &[]).unwrap()).unwrap();
        assert_eq!(state.len(), again.len());
    }
});
