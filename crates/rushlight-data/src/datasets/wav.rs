//! Sound from WAV files: `torchaudio.load`.

use rushlight_array::{Array, Error, Result};
use rushlight_autograd::Tensor;
use std::io::Cursor;
use std::path::Path;

/// Reads a WAV file.
///
/// *Shape*: `(channels, frames)`, `f32`; whole numbers of any width become -1 to 1, as in torchaudio. And the frames
/// in a second.
///
/// # Errors
/// If it cannot be read or is not a WAV file of PCM or floating-point numbers.
pub fn load(path: impl AsRef<Path>) -> Result<(Tensor, u32)> {
    let path = path.as_ref();
    let bytes = super::files::read(path)?;
    parse(&bytes).map_err(|reason| Error::invalid(path.display().to_string(), reason))
}

/// As [`load`], from bytes that are in memory; the error is the reason, with the offset, without a name of a file.
///
/// # Errors
/// If the bytes are not a WAV file of PCM or floating-point numbers.
pub fn parse(bytes: &[u8]) -> Result<(Tensor, u32), String> {
    let mut cursor = Cursor::new(bytes);
    let mut reader = match hound::WavReader::new(&mut cursor) {
        Ok(reader) => reader,
        Err(error) => return Err(format!("byte {}: {error}", cursor.position())),
    };
    let spec = reader.spec();
    let channels = usize::from(spec.channels);
    if channels == 0 || !(1..=32).contains(&spec.bits_per_sample) {
        let (bits, channels) = (spec.bits_per_sample, spec.channels);
        return Err(format!(
            "byte 22: expected channels and 1 to 32 bits, found {channels} channels, {bits} bits"
        ));
    }
    // Before anything is made by it: the length in the header is only its word.
    let width = usize::from(spec.bits_per_sample.div_ceil(8));
    let samples = reader.len() as usize;
    if samples.checked_mul(width).is_none_or(|size| size > bytes.len()) {
        return Err(format!(
            "byte {}: expected {samples} samples of {width} bytes, found the end of the file",
            bytes.len()
        ));
    }
    let values: Result<Vec<f32>, hound::Error> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect(),
        hound::SampleFormat::Int => {
            let scale = 1.0 / 2.0_f64.powi(i32::from(spec.bits_per_sample) - 1);
            reader.samples::<i32>().map(|sample| Ok((f64::from(sample?) * scale) as f32)).collect()
        }
    };
    let values = values.map_err(|error| format!("byte {}: {error}", cursor.position()))?;
    let frames = values.len() / channels;
    let waveform = Array::build([channels, frames], |out: &mut [f32]| {
        for (frame, values) in values.chunks_exact(channels).enumerate() {
            for (channel, &value) in values.iter().enumerate() {
                out[channel * frames + frame] = value;
            }
        }
    });
    Ok((waveform.into(), spec.sample_rate))
}
