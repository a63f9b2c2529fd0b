//! CIFAR's binary form, of both kinds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rushlight_data::datasets::cifar::{Form, parse};

fuzz_target!(|bytes: &[u8]| {
    for (form, labels, classes) in [(Form::Ten, 1, 10), (Form::Hundred, 2, 100)] {
        if let Ok((pixels, targets)) = parse(bytes, form) {
            assert_eq!(pixels.len() + labels * targets.len(), bytes.len());
            assert!(targets.iter().all(|target| (0..classes).contains(target)));
        }
    }
});
