//! JSON: what is a value is written, and read back as the same text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rushlight_serialize::Value;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = Value::from_json("json", bytes) {
        let text = value.to_json().unwrap();
        assert_eq!(Value::from_json("json", &text).unwrap().to_json().unwrap(), text);
    }
});
