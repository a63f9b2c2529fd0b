use super::classes::Class;
use super::opcode::*;
use crate::elements;
use crate::value::{DEEPEST, Key, Value};
use crate::zip::Writer;
use rushlight_array::Array;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

/// The folder of the archive that PyTorch names after the file; its readers take any name.
const FOLDER: &str = "archive";
/// Storages begin at a multiple of this, so that `torch.load(..., mmap=True)` can use them in place.
const ALIGNED: u64 = 64;

/// The pickle, and the storages in the order of their numbers.
pub(super) struct Plan {
    pickle: Vec<u8>,
    storages: Vec<Array>,
}

impl Plan {
    pub(super) fn of(value: &Value) -> Result<Plan, String> {
        let mut pickler = Pickler {
            out: vec![PROTO, 2],
            memo: HashMap::new(),
            storages: Vec::new(),
            numbers: HashMap::new(),
        };
        pickler.value(value, 0)?;
        pickler.out.push(STOP);
        if pickler.out.len() > super::LONGEST_PICKLE {
            return Err(format!(
                "the values beside the tensors make a pickle of {} bytes",
                pickler.out.len()
            ));
        }
        Ok(Plan { pickle: pickler.out, storages: pickler.storages })
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut writer = Writer::new(out);
        writer.stored(&format!("{FOLDER}/data.pkl"), &self.pickle, ALIGNED)?;
        writer.stored(&format!("{FOLDER}/byteorder"), b"little", ALIGNED)?;
        for (number, array) in self.storages.iter().enumerate() {
            writer.stored(&format!("{FOLDER}/data/{number}"), &elements::to_bytes(array), ALIGNED)?;
        }
        writer.stored(&format!("{FOLDER}/version"), b"3\n", ALIGNED)?;
        writer.finish()
    }
}

/// The elements that an array looks at: those of another array with equal numbers are the same.
type Place = (usize, usize, Vec<usize>, Vec<isize>);

struct Pickler {
    out: Vec<u8>,
    /// The numbers of names that were written once.
    memo: HashMap<String, u32>,
    storages: Vec<Array>,
    numbers: HashMap<Place, usize>,
}

impl Pickler {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("values are nested deeper than {DEEPEST} levels"));
        }
        match value {
            Value::None => self.out.push(NONE),
            Value::Bool(value) => self.out.push(if *value { NEWTRUE } else { NEWFALSE }),
            Value::Int(value) => self.int(*value),
            Value::Float(value) => {
                self.out.push(BINFLOAT);
                self.out.extend(value.to_be_bytes());
            }
            Value::Text(text) => self.text(text)?,
            Value::Bytes(bytes) => self.bytes(bytes)?,
            Value::Tensor(tensor) => self.tensor(&tensor.array())?,
            Value::List(values) => {
                self.out.extend([EMPTY_LIST, MARK]);
                values.iter().try_for_each(|value| self.value(value, depth + 1))?;
                self.out.push(APPENDS);
            }
            Value::Map(pairs) => self.map(pairs, depth)?,
        }
        Ok(())
    }

    fn map(&mut self, pairs: &[(Key, Value)], depth: usize) -> Result<(), String> {
        let mut seen = HashSet::new();
        self.out.extend([EMPTY_DICT, MARK]);
        for (key, value) in pairs {
            if !seen.insert(key) {
                return Err(format!("the key `{key}` comes twice in one map"));
            }
            match key {
                Key::Int(key) => self.int(*key),
                Key::Text(key) => self.text(key)?,
            }
            self.value(value, depth + 1)?;
        }
        self.out.push(SETITEMS);
        Ok(())
    }

    fn int(&mut self, value: i128) {
        if let Ok(value) = u8::try_from(value) {
            self.out.extend([BININT1, value]);
        } else if let Ok(value) = u16::try_from(value) {
            self.out.push(BININT2);
            self.out.extend(value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.out.push(BININT);
            self.out.extend(value.to_le_bytes());
        } else {
            self.out.extend([LONG1, 16]);
            self.out.extend(value.to_le_bytes());
        }
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        let len =
            u32::try_from(text.len()).map_err(|_| format!("a text of {} bytes is too long", text.len()))?;
        self.out.push(BINUNICODE);
        self.out.extend(len.to_le_bytes());
        self.out.extend(text.as_bytes());
        Ok(())
    }

    /// Protocol 2 has no bytes: Python writes a text of characters below 256, and how to turn it back.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.class(Class::Encode);
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        self.text(&text)?;
        self.word("latin1");
        self.out.extend([TUPLE2, REDUCE]);
        Ok(())
    }

    fn class(&mut self, class: Class) {
        let mut written = vec![GLOBAL];
        written.extend(class.lines().bytes());
        self.once(class.lines(), &written);
    }

    /// A short text that comes often.
    fn word(&mut self, word: &str) {
        let mut written = vec![BINUNICODE];
        written.extend((word.len() as u32).to_le_bytes());
        written.extend(word.bytes());
        self.once(word.to_owned(), &written);
    }

    /// Writes `written` the first time, and a reference to it from then on.
    fn once(&mut self, name: String, written: &[u8]) {
        if let Some(number) = self.memo.get(&name) {
            self.out.extend([BINGET, *number as u8]);
            return;
        }
        // Ten storages, three functions and three words: far below the 256 numbers of BINPUT.
        let number = self.memo.len() as u32;
        self.out.extend(written);
        self.out.extend([BINPUT, number as u8]);
        self.memo.insert(name, number);
    }

    fn tensor(&mut self, array: &Array) -> Result<(), String> {
        let layout = array.layout();
        let address = std::ptr::from_ref(array.storage()) as usize;
        let place = (address, layout.offset(), layout.shape().to_vec(), layout.strides().to_vec());
        let next = self.storages.len();
        let number = *self.numbers.entry(place).or_insert(next);
        if number == next {
            // Kept, so that no other storage comes to lie at its address.
            self.storages.push(array.clone());
        }
        self.class(Class::RebuildTensor);
        self.out.push(MARK);
        self.out.push(MARK);
        self.word("storage");
        self.class(Class::Storage(array.dtype()));
        self.text(&number.to_string())?;
        self.word("cpu");
        self.int(array.numel() as i128);
        self.out.extend([TUPLE, BINPERSID]);
        self.int(0);
        let shape = array.shape();
        self.sizes(shape.iter().map(|&size| size as i128));
        let strides = rushlight_array::Layout::contiguous(shape.clone());
        self.sizes(strides.strides().iter().map(|&stride| stride as i128));
        // It needs no gradient and has no hooks.
        self.out.push(NEWFALSE);
        self.class(Class::OrderedDict);
        self.out.extend([EMPTY_TUPLE, REDUCE, TUPLE, REDUCE]);
        Ok(())
    }

    fn sizes(&mut self, sizes: impl Iterator<Item = i128>) {
        self.out.push(MARK);
        sizes.for_each(|size| self.int(size));
        self.out.push(TUPLE);
    }
}
