//! The idx form: whatever the header says, the tensor is as large as the rest of the file.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(tensor) = rushlight_data::idx::parse(bytes) {
        assert_eq!(tensor.numel() + 4 + 4 * tensor.dim(), bytes.len());
    }
});
