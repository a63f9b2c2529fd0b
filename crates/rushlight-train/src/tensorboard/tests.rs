use super::*;
use rushlight_autograd::tensor;

/// A folder of this test's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("rushlight-events-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The file that `tests/tensorboard.py` checks.
fn write_all(path: PathBuf) -> SummaryWriter {
    let mut writer = SummaryWriter::create(path, || 1_700_000_000.25).unwrap();
    for (step, loss) in [2.5, 1.25, 0.625, f64::NAN].into_iter().enumerate() {
        writer.add_scalar("loss/train", loss, step as u64).unwrap();
    }
    writer.add_scalar("accuracy", 0.875, 3_000_000_000).unwrap();
    let weights = tensor([-2.0, -0.5, 0.0, 0.5, 0.5, 1.0, f32::NAN]);
    writer.add_histogram("fc.weight", &weights, 7).unwrap();
    let image = tensor([[[0.0, 1.0], [0.5, 0.25]], [[1.0, 0.0], [0.5, 0.25]], [[0.0, 0.0], [0.5, 2.0]]]);
    writer.add_image("sample", &image, 1).unwrap();
    writer.add_text("notes", "the *first* run: é <b>", 2).unwrap();
    let settings = [
        ("lr", Value::from(0.1)),
        ("optimizer", "sgd".into()),
        ("nesterov", true.into()),
        ("batch", 32.into()),
    ];
    writer.add_hparams(&settings, &[("hparam/accuracy", 0.875)]).unwrap();
    writer.flush().unwrap();
    writer
}

#[test]
fn bytes_are_those_that_tensorboard_has_read() {
    let folder = Folder::new("bytes");
    let writer = write_all(folder.0.join("events.out.tfevents.1700000000.rushlight"));
    // Written where the script can look at it.
    if let Some(wanted) = std::env::var_os("RUSHLIGHT_EVENTS") {
        fs::copy(writer.path(), wanted).unwrap();
    }
    let stored = include_bytes!("../../tests/data/events.out.tfevents.1700000000.rushlight");
    assert!(fs::read(writer.path()).unwrap() == stored, "tests/tensorboard.py must look at the new bytes");
}

#[test]
fn a_resumed_file_has_neither_gaps_nor_doubles() {
    let folder = Folder::new("resume");
    let whole = fs::read(write_all(folder.0.join("whole")).path()).unwrap();
    let path = folder.0.join("cut");
    let mut writer = SummaryWriter::create(path.clone(), || 1_700_000_000.25).unwrap();
    writer.add_scalar("loss/train", 2.5, 0).unwrap();
    let state = writer.state().unwrap();
    writer.add_scalar("loss/train", 1.25, 1).unwrap();
    drop(writer);
    // Killed in the middle of a record.
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&[9; 5]).unwrap();
    let mut resumed = SummaryWriter::resume(&folder.0, &state).unwrap();
    resumed.now = || 1_700_000_000.25;
    resumed.add_scalar("loss/train", 1.25, 1).unwrap();
    drop(resumed);
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 100 && whole.starts_with(&bytes));
}

#[test]
fn a_file_that_lost_records_is_not_resumed() {
    let folder = Folder::new("lost");
    let mut writer = SummaryWriter::new(&folder.0).unwrap();
    writer.add_scalar("loss", 1.0, 0).unwrap();
    let state = writer.state().unwrap();
    let file = OpenOptions::new().write(true).open(writer.path()).unwrap();
    file.set_len(50).unwrap();
    let error = SummaryWriter::resume(&folder.0, &state).unwrap_err().to_string();
    assert!(error.ends_with("of which 40 are whole records"), "{error}");
    let outside = Value::map().with("file", "../x").with("bytes", 0);
    assert!(SummaryWriter::resume(&folder.0, &outside).is_err());
    assert!(SummaryWriter::resume(&folder.0, &Value::None).is_err());
}
