//! Whole files, cut and flipped.

use super::{PARSERS, parser};
use proptest::prelude::*;
use proptest::sample::Index;

#[test]
fn whole_files_are_read_within_their_memory() {
    for parser in &PARSERS {
        for whole in (parser.whole)() {
            parser.check(&whole).unwrap();
            let mut sealed = whole.clone();
            (parser.seal)(&mut sealed);
            assert!(sealed == whole, "{}: the checksums are mended to what they were", parser.name);
        }
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_an_error() {
    for parser in &PARSERS {
        for whole in (parser.whole)() {
            for len in 0..whole.len() {
                assert!(
                    parser.check(&whole[..len]).is_err(),
                    "{}: {len} of {} bytes",
                    parser.name,
                    whole.len()
                );
            }
        }
    }
}

#[test]
fn a_file_with_a_byte_too_many_is_an_error() {
    for parser in &PARSERS {
        for mut whole in (parser.whole)() {
            whole.push(0);
            assert!(parser.check(&whole).is_err(), "{}", parser.name);
        }
    }
}

#[test]
fn every_flipped_bit_of_a_checkpoint_is_an_error() {
    let parser = parser("checkpoint");
    for whole in (parser.whole)() {
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(parser.check(&flipped).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn every_flipped_bit_elsewhere_is_an_error_or_another_value() {
    for parser in &PARSERS {
        for whole in (parser.whole)() {
            for bit in 0..8 * whole.len() {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                (parser.seal)(&mut flipped);
                let _ = parser.check(&flipped);
            }
        }
    }
}

/// Numbers at which lengths and offsets go wrong.
const NUMBERS: [u64; 12] =
    [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 1 << 31, u32::MAX as u64, 1 << 40, 1 << 62, 1 << 63, u64::MAX];

#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Number(Index, u64, usize),
    Cut(Index, usize),
    Repeat(Index, usize),
    Copy(Index, Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
        (
            any::<Index>(),
            prop::sample::select(NUMBERS.to_vec()),
            prop::sample::select(vec![1_usize, 2, 4, 8])
        )
            .prop_map(|(at, number, len)| Change::Number(at, number, len)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, len)| Change::Cut(at, len)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, len)| Change::Repeat(at, len)),
        (any::<Index>(), any::<Index>(), 1..40_usize).prop_map(|(from, to, len)| Change::Copy(from, to, len)),
    ]
}

fn apply(change: &Change, bytes: &mut Vec<u8>) {
    let len = bytes.len();
    let range = |at: &Index, count: usize| {
        let at = at.index(len);
        at..len.min(at + count)
    };
    match change {
        Change::Flip(at, byte) => bytes[at.index(len)] = *byte,
        Change::Number(at, number, width) => {
            let range = range(at, *width);
            let number = &number.to_le_bytes()[..range.len()];
            bytes[range].copy_from_slice(number);
        }
        Change::Cut(at, count) => {
            drop(bytes.drain(range(at, *count).start.max(1)..range(at, *count).end.max(1)))
        }
        Change::Repeat(at, count) => {
            let range = range(at, *count);
            let copy = bytes[range.clone()].to_vec();
            bytes.splice(range.start..range.start, copy);
        }
        Change::Copy(from, to, count) => {
            let (from, to) = (range(from, *count), range(to, *count));
            let count = from.len().min(to.len());
            bytes.copy_within(from.start..from.start + count, to.start);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_neither_panic_nor_take_more_than_their_size(
        which in 0..PARSERS.len(),
        whole in any::<Index>(),
        changes in prop::collection::vec(change(), 1..6),
        sealed in any::<bool>(),
    ) {
        let parser = &PARSERS[which];
        let files = (parser.whole)();
        let mut bytes = files[whole.index(files.len())].clone();
        changes.iter().for_each(|change| apply(change, &mut bytes));
        if sealed {
            (parser.seal)(&mut bytes);
        }
        let _ = parser.check(&bytes);
    }

    #[test]
    fn arbitrary_bytes_neither_panic_nor_take_more_than_their_size(
        which in 0..PARSERS.len(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        whole in any::<Index>(),
        keep in 0..100_usize,
    ) {
        let parser = &PARSERS[which];
        let files = (parser.whole)();
        let file = &files[whole.index(files.len())];
        let mut bytes = [&file[..keep.min(file.len())], &bytes].concat();
        let _ = parser.check(&bytes);
        (parser.seal)(&mut bytes);
        let _ = parser.check(&bytes);
    }
}
