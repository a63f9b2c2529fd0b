//! Data sets read from folders that the tests write, in the forms of the real ones.

use flate2::Compression;
use flate2::write::GzEncoder;
use rushlight_data::datasets::*;
use rushlight_data::transforms::{Resize, ToTensor};
use rushlight_data::{ConcatDataset, DataLoader, Dataset, ImageDataset, Subset as Part, idx};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A folder for one test, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("rushlight-readers-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn idx_file(sizes: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write_four(folder: &Folder, under: &str, packed: bool) {
    let end = if packed { ".gz" } else { "" };
    let pack = |bytes: Vec<u8>| if packed { gzip(&bytes) } else { bytes };
    for (part, count) in [("train", 3_u32), ("t10k", 1)] {
        let pixels: Vec<u8> = (0..count as u8 * 4).collect();
        let labels: Vec<u8> = (0..count as u8).map(|i| 9 - i).collect();
        let images = pack(idx_file(&[count, 2, 2], &pixels));
        folder.write(&format!("{under}{part}-images-idx3-ubyte{end}"), &images);
        folder.write(&format!("{under}{part}-labels-idx1-ubyte{end}"), &pack(idx_file(&[count], &labels)));
    }
}

#[test]
fn mnist_is_read_from_the_folder_its_own_folder_or_torchvisions_packed_or_not() {
    for (i, (under, packed)) in
        [("", false), ("", true), ("mnist/", true), ("MNIST/raw/", false)].into_iter().enumerate()
    {
        let folder = Folder::new(&format!("mnist{i}"));
        write_four(&folder, under, packed);
        let train = MNIST::new(&folder.0, Split::Train).unwrap();
        assert_eq!((train.len(), train.targets(), train.image_shape()), (3, &[9, 8, 7][..], [1, 2, 2]));
        let (x, y) = train.get(2).unwrap();
        assert_eq!((x.shape().to_vec(), x.to_vec::<u8>(), y), (vec![1, 2, 2], vec![8, 9, 10, 11], 7));
        assert_eq!(MNIST::new(&folder.0, Split::Test).unwrap().data().shape().to_vec(), [1, 1, 2, 2]);
    }
    assert_eq!(
        (MNIST::CLASSES[3], FashionMNIST::CLASSES[9], KMNIST::CLASSES[0]),
        ("3 - three", "Ankle boot", "o")
    );
}

#[test]
fn the_kin_of_mnist_have_their_own_folders_and_names() {
    let folder = Folder::new("kin");
    write_four(&folder, "FashionMNIST/raw/", true);
    write_four(&folder, "kmnist/", false);
    assert_eq!(FashionMNIST::new(&folder.0, Split::Train).unwrap().len(), 3);
    assert_eq!(KMNIST::new(&folder.0, Split::Test).unwrap().targets(), [9]);
    folder.write("emnist-letters-test-images-idx3-ubyte", &idx_file(&[1, 1, 2], &[5, 6]));
    folder.write("emnist-letters-test-labels-idx1-ubyte", &idx_file(&[1], &[26]));
    let letters = EMNIST::new(&folder.0, EmnistSplit::Letters, Split::Test).unwrap();
    assert_eq!(letters.targets(), [26]);
    let said = EMNIST::new(&folder.0, EmnistSplit::Digits, Split::Train).unwrap_err().to_string();
    assert!(said.starts_with("EMNIST: no file 'emnist-digits-train-images-idx3-ubyte' or "), "{said}");
}

#[test]
fn files_that_do_not_belong_together_are_named() {
    let folder = Folder::new("apart");
    write_four(&folder, "", false);
    let labels = folder.write("train-labels-idx1-ubyte", &idx_file(&[2], &[1, 2]));
    let said = MNIST::new(&folder.0, Split::Train).unwrap_err().to_string();
    assert_eq!(said, format!("{}: byte 4: expected 3 labels, found sizes [2]", labels.display()));
    let images = folder.write("t10k-images-idx3-ubyte", &idx_file(&[4], &[1, 2, 3, 4]));
    let said = MNIST::new(&folder.0, Split::Test).unwrap_err().to_string();
    assert_eq!(said, format!("{}: byte 3: expected 3 dims, found sizes [4]", images.display()));
    let packed = folder.write("cut.gz", &gzip(&idx_file(&[2], &[1, 2]))[..20]);
    let said = idx::read(&packed).unwrap_err().to_string();
    assert!(said.starts_with(&format!("{}: damaged gzip data, after ", packed.display())), "{said}");
}

/// A record of CIFAR: labels, then 3072 pixels that are `fill`.
fn record(labels: &[u8], fill: u8) -> Vec<u8> {
    [labels, &[fill; 3072][..]].concat()
}

#[test]
fn cifar_is_read_from_loose_files_in_order() {
    let folder = Folder::new("cifar");
    for i in 1..=5_u8 {
        folder.write(&format!("cifar-10-batches-bin/data_batch_{i}.bin"), &record(&[i], 10 * i));
    }
    folder.write("cifar-10-batches-bin/test_batch.bin", &[record(&[9], 1), record(&[0], 2)].concat());
    let train = CIFAR10::new(&folder.0, Split::Train).unwrap();
    assert_eq!((train.targets(), train.image_shape()), (&[1, 2, 3, 4, 5][..], [3, 32, 32]));
    assert_eq!(train.get(3).unwrap().0.to_vec::<u8>(), [40; 3072]);
    assert_eq!(CIFAR10::new(&folder.0, Split::Test).unwrap().targets(), [9, 0]);
    assert_eq!(CIFAR10::CLASSES[9], "truck");

    folder.write("cifar-100-binary/test.bin", &record(&[19, 99], 4));
    assert_eq!(CIFAR100::new(&folder.0, Split::Test).unwrap().targets(), [99]);
    let bad = folder.write("cifar-100-binary/train.bin", &record(&[20, 99], 4));
    let said = CIFAR100::new(&folder.0, Split::Train).unwrap_err().to_string();
    assert_eq!(said, format!("{}: byte 0: expected a label below 20, found 20", bad.display()));
}

#[test]
fn cifar_is_read_from_its_archive() {
    let folder = Folder::new("archive");
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in [("readme.html", vec![1, 2]), ("test.bin", record(&[3, 42], 7))] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, format!("cifar-100-binary/{name}"), &bytes[..]).unwrap();
    }
    let path = folder.write("cifar-100-binary.tar.gz", &gzip(&archive.into_inner().unwrap()));
    let test = CIFAR100::new(&folder.0, Split::Test).unwrap();
    assert_eq!((test.targets(), test.data().to_vec::<u8>()), (&[42][..], vec![7; 3072]));
    let said = CIFAR100::new(&folder.0, Split::Train).unwrap_err().to_string();
    assert_eq!(said, format!("{}: there is no file 'train.bin' in it", path.display()));
}

fn write_png(path: &Path, width: u32, height: u32, pixel: [u8; 3]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::RgbImage::from_pixel(width, height, image::Rgb(pixel)).save(path).unwrap();
}

#[test]
fn an_image_folder_has_its_classes_and_files_in_order() {
    let folder = Folder::new("folder");
    let root = folder.0.join("pets");
    write_png(&root.join("dog/b.png"), 3, 2, [10, 20, 30]);
    write_png(&root.join("cat/z/deep.PNG"), 4, 4, [1, 2, 3]);
    write_png(&root.join("cat/a.png"), 2, 2, [7, 8, 9]);
    write_png(&root.join("dog/grey.jpg"), 8, 8, [100, 100, 100]);
    folder.write("pets/dog/notes.txt", b"no image");
    let pets = ImageFolder::new(&root).unwrap();
    assert_eq!(pets.classes(), ["cat", "dog"]);
    let names: Vec<_> =
        pets.samples().iter().map(|(path, class)| (path.file_name().unwrap(), *class)).collect();
    assert_eq!(
        names,
        [("a.png", 0), ("deep.PNG", 0), ("b.png", 1), ("grey.jpg", 1)].map(|(n, c)| (n.as_ref(), c))
    );
    let (x, y) = pets.get(2).unwrap();
    assert_eq!((x.shape().to_vec(), y), (vec![3, 2, 3], 1));
    assert_eq!(x.to_vec::<u8>(), [[10; 6], [20; 6], [30; 6]].concat());
    assert!(pets.get(3).unwrap().0.to_vec::<u8>().iter().all(|&x| x.abs_diff(100) <= 1));

    let loader = DataLoader::new(pets.transform((Resize::new([4, 4]), ToTensor::new()))).batch_size(4);
    let (x, y) = loader.num_workers(2).iter().next().unwrap().unwrap();
    assert_eq!((x.shape().to_vec(), y.to_vec::<i64>()), (vec![4, 3, 4, 4], vec![0, 0, 1, 1]));
}

#[test]
fn an_image_folder_that_is_not_one_is_named() {
    let folder = Folder::new("nofolder");
    let said = ImageFolder::new(&folder.0).unwrap_err().to_string();
    assert!(said.ends_with("there is no folder in it; there must be one for each class"), "{said}");
    folder.write("a/readme", b"");
    let said = ImageFolder::new(&folder.0).unwrap_err().to_string();
    assert!(said.ends_with("there is no image in it; files must end in .png, .jpg, .jpeg"), "{said}");
    let path = folder.write("a/broken.png", b"\x89PNG\r\n\x1a\nand no more");
    let broken = ImageFolder::new(&folder.0).unwrap();
    let said = DataLoader::new(broken).iter().next().unwrap().unwrap_err().to_string();
    assert!(said.starts_with(&format!("sample 0: {}: ", path.display())), "{said}");
}

/// A header that promises 60000 x 60000 pixels in a file of some hundred bytes: an error, and not 10 GB.
#[test]
fn an_image_that_promises_too_much_is_not_believed() {
    let folder = Folder::new("bomb");
    let path = folder.0.join("a/b.png");
    write_png(&path, 4, 4, [0, 0, 0]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    // The checksum of the header, so that the size is what is looked at.
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    std::fs::write(&path, bytes).unwrap();
    let said = ImageFolder::new(&folder.0).unwrap().get(0).unwrap_err().to_string();
    assert!(said.to_lowercase().contains("limit"), "{said}");
}

#[test]
fn a_table_gives_numbers_classes_and_pairs() {
    let folder = Folder::new("csv");
    let text = "a;b;kind\n1; 2.5 ;\"x;y\"\n-3;1e2;z\n4;5;z\n";
    let path = folder.write("t.csv", text.as_bytes());
    let options = CsvOptions { delimiter: b';', ..CsvOptions::default() };
    let table = CsvTable::open_with(&path, options).unwrap();
    assert_eq!(table.texts("kind").unwrap(), ["x;y", "z", "z"]);
    assert_eq!(table.numbers("b").unwrap().to_vec::<f32>(), [2.5, 100.0, 5.0]);
    let (x, y) = table.dataset(&["b", "a"], "kind").unwrap().get(1).unwrap();
    assert_eq!((x.to_vec::<f32>(), y.item_as::<i64>()), (vec![100.0, -3.0], 1));
    let packed = folder.write("t.csv.gz", &gzip(b"1,2\n3,4\n"));
    let plain =
        CsvTable::open_with(packed, CsvOptions { has_headers: false, ..CsvOptions::default() }).unwrap();
    assert_eq!(plain.features(&["1", "0"]).unwrap().to_vec::<f32>(), [2.0, 1.0, 4.0, 3.0]);
}

#[test]
fn an_error_in_a_table_names_file_place_and_reason() {
    let folder = Folder::new("badcsv");
    let path = folder.write("t.csv", b"a,b\n1,2\n3,four\n");
    let table = CsvTable::open(&path).unwrap();
    let name = path.display();
    let said = table.features(&["a", "b"]).unwrap_err().to_string();
    assert_eq!(said, format!("{name}: row 1 (from byte 8), column 'b': expected a number, found 'four'"));
    let said = table.labels("c").unwrap_err().to_string();
    assert_eq!(said, format!("{name}: there is no column 'c'; the columns are [a, b]"));
    for (bytes, reason) in [
        (&b"a,b\n1,2\n3\n"[..], "byte 8 (line 3): expected 2 fields as in the first line, found 1"),
        (b"a,b\n1,\xff\n", "byte 4 (line 2): expected UTF-8 text, found "),
        (b"", "byte 0: expected a line with the names of the columns, found nothing"),
    ] {
        let path = folder.write("bad.csv", bytes);
        let said = CsvTable::open(&path).unwrap_err().to_string();
        assert!(said.starts_with(&format!("{}: {reason}", path.display())), "{said}");
    }
}

fn write_wav(path: &Path, spec: hound::WavSpec, samples: &[i32]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for &sample in samples {
        match spec.sample_format {
            hound::SampleFormat::Int => writer.write_sample(sample).unwrap(),
            hound::SampleFormat::Float => writer.write_sample(sample as f32 / 4.0).unwrap(),
        }
    }
    writer.finalize().unwrap();
}

fn spec(channels: u16, bits: u16) -> hound::WavSpec {
    let sample_format = if bits == 32 { hound::SampleFormat::Float } else { hound::SampleFormat::Int };
    hound::WavSpec { channels, sample_rate: 16_000, bits_per_sample: bits, sample_format }
}

#[test]
fn sound_becomes_channels_of_numbers_between_minus_one_and_one() {
    let folder = Folder::new("wav");
    let path = folder.0.join("a.wav");
    for (bits, samples, expected) in [
        (16, [-32768, 16384, 8192, 0], [-1.0, 0.25, 0.5, 0.0]),
        (8, [-128, 64, 32, 0], [-1.0, 0.25, 0.5, 0.0]),
        (24, [-(1 << 23), 1 << 22, 1 << 21, 0], [-1.0, 0.25, 0.5, 0.0]),
        (32, [-4, 2, 1, 0], [-1.0, 0.25, 0.5, 0.0]),
    ] {
        write_wav(&path, spec(2, bits), &samples);
        let (waveform, rate) = wav::load(&path).unwrap();
        assert_eq!((waveform.shape().to_vec(), rate), (vec![2, 2], 16_000));
        assert_eq!(waveform.to_vec::<f32>(), expected, "{bits} bits");
    }
}

#[test]
fn the_sets_of_recordings_are_read_from_torchaudios_folders() {
    let folder = Folder::new("audio");
    let root = &folder.0;
    let arctic = root.join("ARCTIC/cmu_us_aew_arctic");
    write_wav(&arctic.join("wav/arctic_a0001.wav"), spec(1, 16), &[16384, 0, -16384]);
    let text = "( arctic_a0001 \"Author of the danger trail, Philip Steels, etc.\" )\n( arctic_a0002 \"Not at this \" )\n";
    folder.write("ARCTIC/cmu_us_aew_arctic/etc/txt.done.data", text.as_bytes());
    let speaker = CMUARCTIC::new(root, "aew").unwrap();
    let (waveform, rate, words, id) = speaker.get(0).unwrap();
    assert_eq!((speaker.len(), waveform.to_vec::<f32>(), rate), (2, vec![0.5, 0.0, -0.5], 16_000));
    assert_eq!((words.as_str(), id.as_str()), ("Author of the danger trail, Philip Steels, etc.", "a0001"));

    for (file, sample) in [("id10001/1zc/00001", 8192), ("id10270/x/00002", 16384), ("id10001/1zc/00000", 0)]
    {
        write_wav(&root.join(format!("wav/{file}.wav")), spec(1, 16), &[sample]);
    }
    folder.write(
        "iden_split.txt",
        b"1 id10001/1zc/00001.wav\n3 id10270/x/00002.wav\n1 id10001/1zc/00000.wav\n",
    );
    let train = VoxCeleb1Identification::new(root, Subset::Train).unwrap();
    let (waveform, speaker, rate, id) = train.get(1).unwrap();
    assert_eq!((train.len(), waveform.to_vec::<f32>(), speaker, rate), (2, vec![0.25], 1, 16_000));
    assert_eq!(id, "id10001-1zc-00001");
    assert_eq!(VoxCeleb1Identification::new(root, Subset::Test).unwrap().get(0).unwrap().1, 270);
    assert_eq!(VoxCeleb1Identification::new(root, Subset::Dev).unwrap().len(), 0);

    folder.write("veri_test.txt", b"0 id10001/1zc/00001.wav id10270/x/00002.wav\n");
    let (a, b, label, _, id_a, id_b) = VoxCeleb1Verification::new(root).unwrap().get(0).unwrap();
    assert_eq!((a.to_vec::<f32>(), b.to_vec::<f32>(), label), (vec![0.25], vec![0.5], 0));
    assert_eq!((id_a.as_str(), id_b.as_str()), ("id10001-1zc-00001", "id10270-x-00002"));
}

#[test]
fn lists_of_recordings_that_are_missing_or_damaged_are_named() {
    let folder = Folder::new("badaudio");
    let root = &folder.0;
    let said = CMUARCTIC::new(root, "bdl").unwrap_err().to_string();
    assert!(
        said.contains("get the files from http://festvox.org/cmu_arctic/packed/cmu_us_bdl_arctic.tar.bz2"),
        "{said}"
    );
    std::fs::create_dir_all(root.join("wav")).unwrap();
    let said = VoxCeleb1Verification::new(root).unwrap_err().to_string();
    assert!(said.contains("there is no list") && said.contains("meta/veri_test.txt"), "{said}");
    for line in ["x id10001/a/b.wav", "1 ../../etc/b.wav", "1 id10001/a/b.wav more", "1 id1/b.wav", "1"] {
        let path = folder.write("iden_split.txt", format!("2 id10001/a/b.wav\n{line}\n").as_bytes());
        let said = VoxCeleb1Identification::new(root, Subset::Train).unwrap_err().to_string();
        let expected = "byte 18: expected a number and a path as id10001/video/00001.wav, found";
        assert_eq!(said, format!("{}: {expected} '{line}'", path.display()));
    }
}

#[test]
fn a_concatenation_passes_the_seed_on_and_finds_each_sample() {
    let images = |n: u8| {
        let pixels = (0..n * 4).collect();
        rushlight_data::InMemoryImages::new([1, 2, 2], pixels, (0..i64::from(n)).collect())
    };
    let both = ConcatDataset::new(vec![images(3), images(0), images(2)]);
    let labels: Vec<i64> = (0..both.len()).map(|i| both.get(i).unwrap().1).collect();
    assert_eq!(labels, [0, 1, 2, 0, 1]);
    let boxed: Vec<Box<dyn Dataset<Item = (rushlight_autograd::Tensor, i64)>>> =
        vec![Box::new(images(1)), Box::new(Part::new(images(3), vec![2]))];
    assert_eq!(ConcatDataset::new(boxed).get(1).unwrap().1, 2);
    let beyond = std::panic::AssertUnwindSafe(|| both.get(5));
    assert!(std::panic::catch_unwind(beyond).is_err());
}
