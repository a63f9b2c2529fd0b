//! Files of the idx form, good and bad.

use proptest::prelude::*;
use rushlight_array::DType;
use rushlight_data::idx;
use std::path::PathBuf;

/// A file of the idx form with these sizes and bytes.
fn file(sizes: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

/// A directory for one test, gone at its end.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("rushlight-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_is_read_in_its_shape() {
    let directory = Directory::new("shape");
    let path = directory.write("images", &file(&[2, 1, 3], &[1, 2, 3, 4, 5, 255]));
    let images = idx::read(path).unwrap();
    assert_eq!((images.shape().to_vec(), images.dtype()), (vec![2, 1, 3], DType::U8));
    assert_eq!(images.to_vec::<u8>(), [1, 2, 3, 4, 5, 255]);
}

#[test]
fn an_empty_file_of_images_has_none() {
    assert_eq!(idx::parse(&file(&[0, 28, 28], &[])).unwrap().shape().to_vec(), [0, 28, 28]);
}

#[test]
fn every_kind_of_damage_says_what_was_expected_and_found() {
    let good = file(&[2, 2], &[1, 2, 3, 4]);
    let long = [&good[..], &[5]].concat();
    let cases: [(&[u8], &str); 10] = [
        (&[], "byte 0: expected at least 4 bytes of an idx file, found 0"),
        (&[0, 0, 8], "byte 3: expected at least 4 bytes of an idx file, found 3"),
        (b"PNG!", "byte 0: expected the magic 00 00 08 of an idx file, found 50 4e 47 21"),
        (
            &[0x1f, 0x8b, 8, 0],
            "byte 0: expected an uncompressed idx file, found gzip; run gunzip on it first, or build with the feature `gzip`",
        ),
        (&[0, 0, 13, 1, 0, 0], "byte 2: expected elements of type 0x08 (u8), found 0x0d"),
        (&[0, 0, 8, 3, 0, 0], "byte 6: expected a header of 16 bytes for 3 dims, found 6 bytes"),
        (&good[..15], "byte 15: expected 16 bytes (12 of header, then sizes [2, 2]), found 15"),
        (&long, "byte 16: expected 16 bytes (12 of header, then sizes [2, 2]), found 17"),
        (
            &file(&[u32::MAX; 3], &[]),
            "byte 4: expected sizes that multiply to less than 2^63, found [4294967295, 4294967295, 4294967295]",
        ),
        (
            &file(&[0, u32::MAX, u32::MAX, u32::MAX], &[]),
            "byte 4: expected sizes that multiply to less than 2^63, found [0, 4294967295, 4294967295, 4294967295]",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(idx::parse(bytes).unwrap_err(), expected);
    }
}

/// 2^31 times 2^31 elements would be 4 EiB: the error must come before any memory is asked for.
#[test]
fn a_huge_length_field_costs_no_memory() {
    let reason = idx::parse(&file(&[1 << 31, 1 << 31], &[0])).unwrap_err();
    assert_eq!(
        reason,
        "byte 13: expected 4611686018427387916 bytes (12 of header, then sizes [2147483648, 2147483648]), found 13"
    );
}

#[test]
fn errors_name_the_file() {
    let directory = Directory::new("errors");
    let path = directory.write("labels", &file(&[3], &[1, 2]));
    let said = idx::read(&path).unwrap_err().to_string();
    assert_eq!(
        said,
        format!("{}: byte 10: expected 11 bytes (8 of header, then sizes [3]), found 10", path.display())
    );
    let missing = directory.0.join("missing");
    assert!(idx::read(&missing).unwrap_err().to_string().starts_with(&missing.display().to_string()));
}

#[cfg(target_os = "linux")]
#[test]
fn an_endless_device_is_not_read_without_end() {
    assert!(idx::read("/dev/zero").is_err());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = idx::parse(&bytes);
    }

    /// With a good magic and likely sizes, so that the later checks are reached too.
    #[test]
    fn no_header_panics(
        rank in 0_u8..8,
        sizes in proptest::collection::vec(prop_oneof![0_u32..4, any::<u32>()], 0..8),
        elements in proptest::collection::vec(any::<u8>(), 0..16),
    ) {
        let mut bytes = file(&sizes, &elements);
        bytes[3] = rank;
        if let Ok(tensor) = idx::parse(&bytes) {
            prop_assert_eq!(tensor.numel() + 4 + 4 * usize::from(rank), bytes.len());
        }
    }
}
