//! What the parsers say to files that are cut off, have wrong bits, or are anything at all: an error with a place,
//! never a panic, and no more memory than the file's size justifies.

use proptest::prelude::*;
use rushlight_data::datasets::{
    CMUARCTIC, CsvTable, Subset, VoxCeleb1Identification, VoxCeleb1Verification, cifar, wav,
};
use rushlight_data::idx;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// The bytes that this thread holds, and the most that it held since the last look.
    static HELD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; the counting asks for no memory.
#[allow(unsafe_code, reason = "there is no other way to see what a parser asks for")]
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller's promises are those of the trait.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = HELD.try_with(|held| {
            let now = held.get().0 + layout.size();
            held.set((now, held.get().1.max(now)));
        });
        // SAFETY: as it came.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller's promises are those of the trait.
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        let _ = HELD.try_with(|held| held.set((held.get().0.saturating_sub(layout.size()), held.get().1)));
        // SAFETY: as it came.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The result, and the most bytes that were held on the way.
fn measured<R>(run: impl FnOnce() -> R) -> (R, usize) {
    let before = HELD.with(|held| {
        held.set((held.get().0, held.get().0));
        held.get().0
    });
    let result = run();
    (result, HELD.with(|held| held.get().1).saturating_sub(before))
}

/// A parser, as far as it is asked here: the reason why not.
type Parser = fn(&[u8]) -> Option<String>;

fn idx_parser(bytes: &[u8]) -> Option<String> {
    idx::parse(bytes).err()
}

fn cifar_parser(bytes: &[u8]) -> Option<String> {
    cifar::parse(bytes, cifar::Form::Ten).err().and(cifar::parse(bytes, cifar::Form::Hundred).err())
}

fn csv_parser(bytes: &[u8]) -> Option<String> {
    match CsvTable::parse(bytes) {
        Ok(table) => {
            let names: Vec<&str> = table.columns().iter().map(String::as_str).collect();
            let error = table.features(&names).err();
            names.iter().for_each(|name| drop(table.labels(name)));
            error.map(|error| error.to_string())
        }
        Err(reason) => Some(reason),
    }
}

fn wav_parser(bytes: &[u8]) -> Option<String> {
    wav::parse(bytes).err()
}

/// Whole files of each form.
fn good() -> Vec<(&'static str, Parser, Vec<u8>)> {
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5];
    images.extend(0..60);
    let cifar = [vec![7], vec![1; 3072], vec![9], vec![2; 3072]].concat();
    let mut csv = "height,width,kind\n".to_string();
    (0..20).for_each(|i| csv += &format!("{i}.5,{},{}\n", i * i, i % 3));
    let mut sound = std::io::Cursor::new(Vec::new());
    let (bits_per_sample, sample_format) = (16, hound::SampleFormat::Int);
    let spec = hound::WavSpec { channels: 2, sample_rate: 8000, bits_per_sample, sample_format };
    let mut writer = hound::WavWriter::new(&mut sound, spec).unwrap();
    (0..40_i16).for_each(|i| writer.write_sample(i * 700).unwrap());
    writer.finalize().unwrap();
    vec![
        ("idx", idx_parser, images),
        ("cifar", cifar_parser, cifar),
        ("csv", csv_parser, csv.into_bytes()),
        ("wav", wav_parser, sound.into_inner()),
    ]
}

/// No panic, no more than some dozen bytes for each byte of the file, and a reason with a place.
fn check(name: &str, parser: Parser, bytes: &[u8]) -> Result<Option<String>, TestCaseError> {
    let (reason, most) = measured(|| parser(bytes));
    prop_assert!(
        most <= 64 * bytes.len() + (64 << 10),
        "{name}: {most} bytes held for a file of {}",
        bytes.len()
    );
    if let Some(reason) = &reason {
        prop_assert!(reason.contains("byte "), "{name}: no offset in '{reason}'");
    }
    Ok(reason)
}

#[test]
fn whole_files_are_read() {
    for (name, parser, bytes) in good() {
        assert_eq!(parser(&bytes), None, "{name}");
    }
}

#[test]
fn files_that_are_cut_off_are_refused_with_the_place() {
    for (name, parser, bytes) in good() {
        for end in 0..bytes.len() {
            // A table that ends with a whole line, or within a number, is a table; only no file at all is none.
            let whole = match name {
                "cifar" => end % 3073 == 0 || end % 3074 == 0,
                "csv" => end > 0,
                _ => false,
            };
            let reason = check(name, parser, &bytes[..end]).unwrap();
            assert!(whole || reason.is_some(), "{name} cut to {end} bytes is taken for whole");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn wrong_bits_are_no_trouble(flips in proptest::collection::vec((any::<u32>(), 0_u8..8), 1..8), cut in any::<u32>()) {
        for (name, parser, mut bytes) in good() {
            for &(place, bit) in &flips {
                // The headers are hit as often as the rest.
                let place = if place % 2 == 0 { place as usize / 2 % 48 } else { place as usize % bytes.len() };
                bytes[place] ^= 1 << bit;
            }
            check(name, parser, &bytes)?;
            bytes.truncate(cut as usize % (bytes.len() + 1));
            check(name, parser, &bytes)?;
        }
    }

    #[test]
    fn any_bytes_are_no_trouble(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for (name, parser, _) in good() {
            check(name, parser, &bytes)?;
        }
    }
}

/// A list of recordings, damaged: an error with file and place, or a list.
fn check_list(name: &str, text: &[u8], flips: &[(u32, u8)], cut: u32) -> Result<(), TestCaseError> {
    let root = std::env::temp_dir().join(format!("rushlight-damage-{}", std::process::id()));
    let arctic = root.join("ARCTIC/cmu_us_aew_arctic/etc");
    std::fs::create_dir_all(&arctic).unwrap();
    std::fs::create_dir_all(root.join("wav")).unwrap();
    let mut bytes = text.to_vec();
    for &(place, bit) in flips {
        let place = place as usize % bytes.len();
        bytes[place] ^= 1 << bit;
    }
    bytes.truncate(cut as usize % (2 * bytes.len()));
    let path = if name == "txt.done.data" { arctic.join(name) } else { root.join(name) };
    std::fs::write(&path, bytes).unwrap();
    let error = match name {
        "txt.done.data" => CMUARCTIC::new(&root, "aew").err(),
        "iden_split.txt" => VoxCeleb1Identification::new(&root, Subset::Train).err(),
        _ => VoxCeleb1Verification::new(&root).err(),
    };
    let _ = std::fs::remove_dir_all(&root);
    if let Some(error) = error {
        let said = error.to_string();
        prop_assert!(said.starts_with(&format!("{}: byte ", path.display())), "{said}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn damaged_lists_of_recordings_are_no_trouble(
        flips in proptest::collection::vec((any::<u32>(), 0_u8..8), 0..6),
        cut in any::<u32>(),
    ) {
        let arctic = b"( arctic_a0001 \"Author of the danger trail\" )\n( arctic_a0002 \"Not at this\" )\n";
        check_list("txt.done.data", arctic, &flips, cut)?;
        check_list("iden_split.txt", b"1 id10001/a/1.wav\n3 id10002/b/2.wav\n", &flips, cut)?;
        check_list("veri_test.txt", b"1 id10001/a/1.wav id10001/b/1.wav\n", &flips, cut)?;
    }
}

/// Every file that the fuzz targets begin with, or once failed on.
#[test]
fn the_corpora_of_the_fuzz_targets_are_no_trouble() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    for (name, parser) in [("idx", idx_parser as Parser), ("cifar", cifar_parser), ("csv", csv_parser)] {
        let files = std::fs::read_dir(corpus.join(name)).expect("there is a corpus");
        let mut seen = 0;
        for file in files {
            check(name, parser, &std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            seen += 1;
        }
        assert!(seen >= 3, "{name}: {seen} files");
    }
}
