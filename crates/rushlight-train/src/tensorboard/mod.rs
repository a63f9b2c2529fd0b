//! Event files that TensorBoard reads: `torch.utils.tensorboard`.
//!
//! An event file is a list of records (TFRecord: length, bytes, and their checksums) of which each is a protocol buffer
//! of type `tensorflow.Event`. The few messages that are needed are written by hand; `tests/tensorboard.py` reads them
//! with TensorBoard itself.

mod histogram;
mod hparams;
mod record;

use crate::png;
use record::{Message, framed, whole_records};
use rushlight_array::{DType, Device, Error, Result, fail};
use rushlight_autograd::Tensor;
use rushlight_serialize::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes scalars, histograms, pictures and texts into an event file: `torch.utils.tensorboard.SummaryWriter`.
///
/// `tensorboard --logdir DIR` shows them. What is written reaches the disk at the latest when the writer is flushed or
/// dropped.
///
/// A run that was interrupted goes on in the same file: [`state`](SummaryWriter::state) says how long it is, and
/// [`resume`](SummaryWriter::resume) cuts off what was written after that, so that nothing is lost and nothing stands
/// there twice.
///
/// ```
/// use rushlight_autograd::{rand, randn};
/// use rushlight_train::tensorboard::SummaryWriter;
/// # let folder = std::env::temp_dir().join(format!("rushlight-doc-events-{}", std::process::id()));
/// let mut writer = SummaryWriter::new(&folder)?;
/// writer.add_scalar("loss/train", 0.7, 0)?;
/// writer.add_histogram("fc.weight", &randn([10, 20]), 0)?;
/// writer.add_image("sample", &rand([3, 8, 8]), 0)?;
/// writer.add_text("notes", "the *first* run", 0)?;
/// writer.flush()?;
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), rushlight_array::Error>(())
/// ```
#[derive(Debug)]
pub struct SummaryWriter {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    now: fn() -> f64,
}

/// Seconds since 1970.
fn clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |passed| passed.as_secs_f64())
}

impl SummaryWriter {
    /// Begins a new event file in a folder, which is made if need be.
    ///
    /// # Errors
    /// If the folder or the file cannot be made.
    pub fn new(log_dir: impl AsRef<Path>) -> Result<SummaryWriter> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let log_dir = log_dir.as_ref();
        fs::create_dir_all(log_dir).map_err(|source| Error::Io { path: log_dir.to_path_buf(), source })?;
        // TensorBoard takes every file with `tfevents` in its name, and reads them in the order of names.
        let (seconds, count) = (clock() as u64, COUNT.fetch_add(1, Ordering::Relaxed));
        let name = format!("events.out.tfevents.{seconds:010}.rushlight.{}.{count}", std::process::id());
        SummaryWriter::create(log_dir.join(name), clock)
    }

    fn create(path: PathBuf, now: fn() -> f64) -> Result<SummaryWriter> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|source| Error::Io { path: path.clone(), source })?;
        let mut writer = SummaryWriter { path, file: BufWriter::new(file), bytes: 0, now };
        let version = Message::default().double(1, now()).text(3, "brain.Event:2");
        writer.write(&version)?;
        Ok(writer)
    }

    /// Goes on with the file of a [`state`](SummaryWriter::state), without what was written into it afterwards.
    ///
    /// # Errors
    /// If the state is none, if the file is not there any more, or if it is shorter than it was or spoilt.
    pub fn resume(log_dir: impl AsRef<Path>, state: &Value) -> Result<SummaryWriter> {
        let (name, bytes) = (state.get("file")?.text()?, state.get("bytes")?.int::<u64>()?);
        // A name alone: a state cannot lead to another folder.
        if Path::new(name).file_name().is_none_or(|file| file != name) {
            return Err(Error::invalid("event file", format!("{name:?} is not the name of a file")));
        }
        let path = log_dir.as_ref().join(name);
        let error = |source| Error::Io { path: path.clone(), source };
        let whole = whole_records(&fs::read(&path).map_err(error)?, bytes);
        if whole != bytes {
            let reason = format!("{bytes} bytes were written, of which {whole} are whole records");
            return Err(Error::invalid(path.display().to_string(), reason));
        }
        let file = OpenOptions::new().append(true).open(&path).map_err(error)?;
        file.set_len(bytes).map_err(error)?;
        Ok(SummaryWriter { path, file: BufWriter::new(file), bytes, now: clock })
    }

    /// The file's name and length, for a checkpoint. Everything is flushed to the disk first.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn state(&mut self) -> Result<Value> {
        self.flush()?;
        self.file.get_ref().sync_data().map_err(|source| Error::Io { path: self.path.clone(), source })?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Value::map().with("file", name).with("bytes", self.bytes))
    }

    /// The event file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|source| Error::Io { path: self.path.clone(), source })
    }

    /// A number, as a point of the curve `tag`. `/` in tags makes groups. It is stored as f32.
    ///
    /// # Errors
    /// If it cannot be written, as for all of these.
    pub fn add_scalar(&mut self, tag: &str, scalar_value: f64, global_step: u64) -> Result<()> {
        self.add(&Message::default().text(1, tag).float(2, scalar_value as f32), global_step)
    }

    /// Numbers of one step, in one event.
    pub(crate) fn add_numbers<'n>(
        &mut self,
        numbers: impl Iterator<Item = (&'n str, f64)>,
        global_step: u64,
    ) -> Result<()> {
        let summary = numbers.fold(Message::default(), |summary, (tag, value)| {
            summary.message(1, &Message::default().text(1, tag).float(2, value as f32))
        });
        self.event(&summary, global_step)
    }

    /// The distribution of a tensor's elements, as of a weight or a gradient, over buckets that grow by 10 % each, as
    /// those of PyTorch's `bins="tensorflow"`. Elements that are not finite are left out.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add_histogram(&mut self, tag: &str, values: &Tensor, global_step: u64) -> Result<()> {
        let values: Vec<f64> = values.detach().to(Device::cpu()).to(DType::F64).to_vec();
        let histogram = histogram::message(&values);
        self.add(&Message::default().text(1, tag).message(5, &histogram), global_step)
    }

    /// A picture `(C, H, W)` or `(H, W)`, of 1, 3 or 4 channels; floats from 0 to 1, or integers from 0 to 255.
    ///
    /// # Panics
    /// If the shape is another.
    ///
    /// # Errors
    /// If it cannot be written.
    #[track_caller]
    pub fn add_image(&mut self, tag: &str, img_tensor: &Tensor, global_step: u64) -> Result<()> {
        let shape = img_tensor.shape();
        let (channels, height, width) = match shape[..] {
            [height, width] => (1, height, width),
            [channels @ (1 | 3 | 4), height, width] => (channels, height, width),
            _ => fail!("add_image: shape {shape:?} is not (H, W) or (C, H, W) with 1, 3 or 4 channels"),
        };
        if height == 0 || width == 0 {
            fail!("add_image: a picture of shape {shape:?} has no pixels");
        }
        let scale = if img_tensor.is_floating_point() { 255.0 } else { 1.0 };
        let values: Vec<f64> = img_tensor.detach().to(Device::cpu()).to(DType::F64).to_vec();
        let area = height * width;
        let byte =
            |i: usize| (values[i % channels * area + i / channels] * scale).round().clamp(0.0, 255.0) as u8;
        let pixels: Vec<u8> = (0..values.len()).map(byte).collect();
        let image = Message::default()
            .int(1, height as i64)
            .int(2, width as i64)
            .int(3, channels as i64)
            .bytes(4, &png::encode(width, height, channels, &pixels));
        self.add(&Message::default().text(1, tag).message(4, &image), global_step)
    }

    /// A picture that is a PNG file already, of so many pixels: one of [`plots`](crate::plots), for example.
    ///
    /// # Errors
    /// If it cannot be written.
    #[cfg(feature = "plots")]
    pub fn add_picture(
        &mut self,
        tag: &str,
        picture: &crate::plots::Picture,
        global_step: u64,
    ) -> Result<()> {
        let (width, height) = picture.dimensions();
        let image =
            Message::default().int(1, height.into()).int(2, width.into()).int(3, 3).bytes(4, &picture.png());
        self.add(&Message::default().text(1, tag).message(4, &image), global_step)
    }

    /// A text, shown as Markdown.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add_text(&mut self, tag: &str, text_string: &str, global_step: u64) -> Result<()> {
        // A tensor of one string: DT_STRING is 7.
        let dim = Message::default().int(1, 1);
        let shape = Message::default().message(2, &dim);
        let tensor = Message::default().int(1, 7).message(2, &shape).text(8, text_string);
        let value = Message::default().text(1, tag).message(8, &tensor).message(9, &plugin("text", &[]));
        self.add(&value, global_step)
    }

    /// The run's settings beside its final numbers, for the table of runs. Settings may be numbers, truth values and
    /// texts; each metric is also written as a scalar of step 0 under its name.
    ///
    /// # Panics
    /// If a setting is something else.
    ///
    /// # Errors
    /// If it cannot be written.
    #[track_caller]
    pub fn add_hparams(&mut self, hparams: &[(&str, Value)], metrics: &[(&str, f64)]) -> Result<()> {
        let now = (self.now)();
        for (tag, content) in hparams::messages(hparams, metrics, now) {
            let value = Message::default().text(1, tag).message(9, &plugin("hparams", &content.0));
            self.add(&value, 0)?;
        }
        metrics.iter().try_for_each(|(name, value)| self.add_scalar(name, *value, 0))
    }

    /// An event with one value of a summary.
    fn add(&mut self, value: &Message, step: u64) -> Result<()> {
        self.event(&Message::default().message(1, value), step)
    }

    fn event(&mut self, summary: &Message, step: u64) -> Result<()> {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        self.write(&Message::default().double(1, (self.now)()).int(2, step).message(5, summary))
    }

    fn write(&mut self, event: &Message) -> Result<()> {
        let record = framed(&event.0);
        self.file.write_all(&record).map_err(|source| Error::Io { path: self.path.clone(), source })?;
        self.bytes += record.len() as u64;
        Ok(())
    }
}

/// What says which of TensorBoard's plugins a value is for.
fn plugin(name: &str, content: &[u8]) -> Message {
    let data = Message::default().text(1, name).bytes(2, content);
    Message::default().message(1, &data)
}

#[cfg(test)]
mod tests;
