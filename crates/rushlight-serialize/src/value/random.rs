//! The state of a random number generator as a value, and back.

use super::Value;
use rushlight_array::random::GeneratorState;
use rushlight_array::{Error, Result};

/// Words in a block of PyTorch's generator.
const WORDS: usize = 624;

impl From<&GeneratorState> for Value {
    fn from(state: &GeneratorState) -> Value {
        match state {
            GeneratorState::ChaCha { seed, stream, position } => Value::map()
                .with("kind", "chacha")
                .with("seed", *seed)
                .with("stream", *stream)
                .with("position", *position),
            GeneratorState::Torch { seed, words, position, kept_normal } => Value::map()
                .with("kind", "torch")
                .with("seed", *seed)
                .with("words", Value::Bytes(words.iter().flat_map(|word| word.to_le_bytes()).collect()))
                .with("position", *position)
                .with("kept_normal", *kept_normal),
        }
    }
}

/// # Errors
/// If the value is not the state of a generator.
impl TryFrom<&Value> for GeneratorState {
    type Error = Error;

    fn try_from(value: &Value) -> Result<GeneratorState> {
        let seed = value.get("seed")?.int()?;
        match value.get("kind")?.text()? {
            "chacha" => Ok(GeneratorState::ChaCha {
                seed,
                stream: value.get("stream")?.int()?,
                position: value.get("position")?.int()?,
            }),
            "torch" => Ok(GeneratorState::Torch {
                seed,
                words: words(value.get("words")?.bytes()?)?,
                position: match value.get("position")?.int()? {
                    position if position <= WORDS => position,
                    position => return Err(invalid(format!("position {position} is above {WORDS}"))),
                },
                kept_normal: match value.get("kept_normal")? {
                    Value::None => None,
                    kept => Some(kept.float()?),
                },
            }),
            other => Err(invalid(format!("kind {other:?}; known are chacha and torch"))),
        }
    }
}

fn words(bytes: &[u8]) -> Result<Box<[u32; WORDS]>> {
    if bytes.len() != 4 * WORDS {
        return Err(invalid(format!("{} bytes of words instead of {}", bytes.len(), 4 * WORDS)));
    }
    let mut words = Box::new([0; WORDS]);
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    Ok(words)
}

fn invalid(reason: String) -> Error {
    Error::invalid("state of a generator", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushlight_array::random::{Generator, TorchSeed};

    #[test]
    fn a_generator_of_either_kind_goes_on_where_it_was() {
        for generator in [Generator::new(u64::MAX), Generator::new(TorchSeed(5))] {
            let mut first = [0.0; 7];
            generator.normal_f64(&mut first, 0.0, 1.0);
            let state = generator.state();
            let value = Value::from(&state);
            assert_eq!(GeneratorState::try_from(&value).unwrap(), state);
        }
    }

    #[test]
    fn what_is_not_a_state_is_refused() {
        let mut value = Value::from(&Generator::new(TorchSeed(5)).state());
        value.set("position", 625);
        let error = GeneratorState::try_from(&value).unwrap_err().to_string();
        assert_eq!(error, "state of a generator: position 625 is above 624");
        let error = GeneratorState::try_from(&Value::map().with("seed", -1)).unwrap_err().to_string();
        assert_eq!(error, "value: expected an integer of type u64, found the integer -1");
    }
}
