//! The machine that runs a pickle: a stack, a memo, and no way to call anything.
//!
//! Every instruction takes a byte and makes at most one object of fixed size, so what the machine holds is in
//! proportion to the pickle. Texts stay where they are in it.

use super::classes::Class;
use super::opcode::*;
use crate::cursor::Cursor;
use crate::fault::{Parsed, bail};
use rushlight_array::DType;
use std::collections::HashMap;

/// The most arguments of a call; `_rebuild_tensor_v2` takes seven.
const MOST_ARGUMENTS: usize = 8;

/// The number of an object.
pub(super) type Id = u32;

/// A text of the pickle: its first byte and the byte behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    start: u32,
    end: u32,
}

impl Text {
    pub(super) fn of(self, pickle: &[u8]) -> &str {
        std::str::from_utf8(&pickle[self.start as usize..self.end as usize]).expect("it was checked")
    }
}

/// What the machine computes with.
#[derive(Debug)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Text),
    /// Bytes, as a text whose characters should be below 256.
    Bytes(Text),
    /// A tuple: its objects never change.
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Class(Class),
    Device(Box<str>),
    Storage(StorageSpec),
    Tensor(Box<TensorSpec>),
}

/// A storage as the pickle names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct StorageSpec {
    pub(super) dtype: DType,
    pub(super) key: Text,
    pub(super) len: u64,
}

/// A tensor as the pickle names it; nothing of it is checked against the storage.
#[derive(Debug)]
pub(super) struct TensorSpec {
    /// The byte of the pickle at which it is made.
    pub(super) at: usize,
    pub(super) storage: StorageSpec,
    pub(super) offset: usize,
    pub(super) sizes: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// All objects, and the number of the one that the pickle stands for.
pub(super) fn run(pickle: &[u8]) -> Parsed<(Vec<Object>, Id)> {
    let mut machine = Machine {
        pickle: Cursor::new(pickle, 0),
        bytes: pickle,
        objects: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        op: 0,
    };
    if machine.pickle.u8("the pickle")? != PROTO {
        bail!(0, "the pickle does not begin with its protocol");
    }
    match machine.pickle.u8("the protocol")? {
        2 => {}
        other => bail!(1, "a pickle of protocol {other}; PyTorch writes protocol 2 unless told otherwise"),
    }
    loop {
        machine.op = machine.pickle.at();
        let opcode = machine.pickle.u8("the next instruction")?;
        if opcode == STOP {
            let root = machine.pop()?;
            if !machine.stack.is_empty() || !machine.marks.is_empty() {
                bail!(machine.op, "the pickle ends with values left over");
            }
            return Ok((machine.objects, root));
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    pickle: Cursor<'a>,
    bytes: &'a [u8],
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// The heights of the stack at the marks that are open.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// The byte of the present instruction.
    op: usize,
}

impl Machine<'_> {
    fn step(&mut self, opcode: u8) -> Parsed<()> {
        let what = "an instruction's number";
        match opcode {
            MARK => self.marks.push(self.stack.len()),
            NONE => self.push(Object::None),
            NEWTRUE => self.push(Object::Bool(true)),
            NEWFALSE => self.push(Object::Bool(false)),
            BININT => {
                let int = self.pickle.u32(what)? as i32;
                self.push(Object::Int(int.into()));
            }
            BININT1 => {
                let int = self.pickle.u8(what)?;
                self.push(Object::Int(int.into()));
            }
            BININT2 => {
                let int = self.pickle.u16(what)?;
                self.push(Object::Int(int.into()));
            }
            LONG1 => self.long()?,
            BINFLOAT => {
                let float = f64::from_bits(self.pickle.u64(what)?.swap_bytes());
                self.push(Object::Float(float));
            }
            BINUNICODE => self.text()?,
            EMPTY_TUPLE => self.push(Object::Tuple(Vec::new())),
            TUPLE1 | TUPLE2 | TUPLE3 => {
                let count = usize::from(opcode - TUPLE1) + 1;
                let objects = self.pop_many(count)?;
                self.push(Object::Tuple(objects));
            }
            TUPLE => {
                let objects = self.pop_to_mark()?;
                self.push(Object::Tuple(objects));
            }
            EMPTY_LIST => self.push(Object::List(Vec::new())),
            EMPTY_DICT => self.push(Object::Dict(Vec::new())),
            APPEND => {
                let objects = self.pop_many(1)?;
                self.append(objects)?;
            }
            APPENDS => {
                let objects = self.pop_to_mark()?;
                self.append(objects)?;
            }
            SETITEM => {
                let objects = self.pop_many(2)?;
                self.set_items(&objects)?;
            }
            SETITEMS => {
                let objects = self.pop_to_mark()?;
                self.set_items(&objects)?;
            }
            BINPUT => {
                let index = self.pickle.u8(what)?;
                self.put(index.into())?;
            }
            LONG_BINPUT => {
                let index = self.pickle.u32(what)?;
                self.put(index)?;
            }
            BINGET => {
                let index = self.pickle.u8(what)?;
                self.get(index.into())?;
            }
            LONG_BINGET => {
                let index = self.pickle.u32(what)?;
                self.get(index)?;
            }
            GLOBAL => self.global()?,
            REDUCE => self.reduce()?,
            BUILD => self.build()?,
            BINPERSID => self.storage()?,
            other => bail!(
                self.op,
                "instruction 0x{other:02x} is not one that torch.save writes; save the tensors as safetensors"
            ),
        }
        Ok(())
    }

    fn push(&mut self, object: Object) {
        // Each object has an instruction of at least one byte, and a pickle at most 2^30.
        self.stack.push(self.objects.len() as Id);
        self.objects.push(object);
    }

    fn pop(&mut self) -> Parsed<Id> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= bottom {
            bail!(self.op, "an instruction finds nothing on the stack");
        }
        Ok(self.stack.pop().expect("it is longer than `bottom`"))
    }

    fn pop_many(&mut self, count: usize) -> Parsed<Vec<Id>> {
        let mut objects = (0..count).map(|_| self.pop()).collect::<Parsed<Vec<Id>>>()?;
        objects.reverse();
        Ok(objects)
    }

    fn pop_to_mark(&mut self) -> Parsed<Vec<Id>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => bail!(self.op, "an instruction finds no mark on the stack"),
        }
    }

    fn pop_object(&mut self) -> Parsed<&Object> {
        let id = self.pop()?;
        Ok(&self.objects[id as usize])
    }

    /// The object on top of the stack, which stays there.
    fn top(&mut self) -> Parsed<&mut Object> {
        let id = self.pop()?;
        self.stack.push(id);
        Ok(&mut self.objects[id as usize])
    }

    /// A little-endian integer of up to sixteen bytes.
    fn long(&mut self) -> Parsed<()> {
        let len = usize::from(self.pickle.u8("the length of an integer")?);
        let bytes = self.pickle.take(len, "an integer")?;
        if len > 16 {
            bail!(self.op, "an integer of {len} bytes; at most 16 are read");
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut all = [if negative { 0xff } else { 0 }; 16];
        all[..len].copy_from_slice(bytes);
        self.push(Object::Int(i128::from_le_bytes(all)));
        Ok(())
    }

    fn text(&mut self) -> Parsed<()> {
        let len = self.pickle.u32("the length of a text")? as usize;
        let start = self.pickle.at();
        let bytes = self.pickle.take(len, "a text")?;
        if let Err(error) = std::str::from_utf8(bytes) {
            bail!(start + error.valid_up_to(), "a text is not UTF-8");
        }
        self.push(Object::Text(Text { start: start as u32, end: (start + len) as u32 }));
        Ok(())
    }

    fn append(&mut self, objects: Vec<Id>) -> Parsed<()> {
        let op = self.op;
        match self.top()? {
            Object::List(list) => list.extend(objects),
            _ => bail!(op, "values are appended to what is not a list"),
        }
        Ok(())
    }

    fn set_items(&mut self, objects: &[Id]) -> Parsed<()> {
        let op = self.op;
        if !objects.len().is_multiple_of(2) {
            bail!(op, "a key has no value");
        }
        match self.top()? {
            Object::Dict(dict) => dict.extend(objects.chunks_exact(2).map(|pair| (pair[0], pair[1]))),
            _ => bail!(op, "a key is set in what is not a dict"),
        }
        Ok(())
    }

    fn put(&mut self, index: u32) -> Parsed<()> {
        let id = self.pop()?;
        self.stack.push(id);
        self.memo.insert(index, id);
        Ok(())
    }

    fn get(&mut self, index: u32) -> Parsed<()> {
        match self.memo.get(&index) {
            Some(id) => self.stack.push(*id),
            None => bail!(self.op, "the memo has no number {index}"),
        }
        Ok(())
    }

    fn global(&mut self) -> Parsed<()> {
        let [module, name] = [self.pickle.line("a module's name")?, self.pickle.line("a class's name")?];
        let [module, name] = [module, name].map(String::from_utf8_lossy);
        match Class::find(&module, &name) {
            Some(class) => self.push(Object::Class(class)),
            None => {
                let name: String = format!("{module}.{name}").chars().take(200).collect();
                bail!(
                    self.op,
                    "the file needs Python's `{name}`; only dicts, lists, numbers, texts and tensors are read: save \
                     the model's state_dict, or its tensors as safetensors"
                )
            }
        }
        Ok(())
    }

    /// Sets what an object has beside its contents: for an OrderedDict that is `_metadata`, versions of modules that
    /// nothing here asks for.
    fn build(&mut self) -> Parsed<()> {
        let op = self.op;
        if !matches!(self.pop_object()?, Object::Dict(_)) {
            bail!(op, "an object's state is not a dict");
        }
        match self.top()? {
            Object::Dict(_) => Ok(()),
            _ => bail!(op, "a state is set for what is not an OrderedDict"),
        }
    }

    /// Calls one of the functions of the white list.
    fn reduce(&mut self) -> Parsed<()> {
        let op = self.op;
        // Copied only where it is short: a long tuple could be used again and again.
        let arguments = match self.pop_object()? {
            Object::Tuple(arguments) if arguments.len() <= MOST_ARGUMENTS => arguments.clone(),
            _ => bail!(op, "a call's arguments are not a tuple of at most {MOST_ARGUMENTS}"),
        };
        let class = match self.pop_object()? {
            Object::Class(class) => *class,
            _ => bail!(op, "what is called is not a class"),
        };
        match (class, arguments.as_slice()) {
            (Class::OrderedDict, []) => self.push(Object::Dict(Vec::new())),
            (
                Class::RebuildTensor,
                [storage, offset, sizes, strides, _, _] | [storage, offset, sizes, strides, _, _, _],
            ) => {
                let spec = self.tensor(*storage, *offset, *sizes, *strides)?;
                self.push(Object::Tensor(Box::new(spec)));
            }
            (Class::RebuildParameter, [tensor, _, _])
                if matches!(self.object(*tensor), Object::Tensor(_)) =>
            {
                self.stack.push(*tensor);
            }
            (Class::Size, [sizes]) if matches!(self.object(*sizes), Object::Tuple(_)) => {
                self.stack.push(*sizes)
            }
            (Class::Device, [kind]) => self.device(*kind, None)?,
            (Class::Device, [kind, index]) => self.device(*kind, Some(*index))?,
            (Class::Encode, [text, _]) => match *self.object(*text) {
                Object::Text(text) => self.push(Object::Bytes(text)),
                _ => bail!(op, "bytes are not written as a text"),
            },
            (class, arguments) => {
                bail!(op, "a call of {class:?} with {} arguments it does not take", arguments.len())
            }
        }
        Ok(())
    }

    fn object(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    fn device(&mut self, kind: Id, index: Option<Id>) -> Parsed<()> {
        let Object::Text(kind) = *self.object(kind) else { bail!(self.op, "a device's kind is not a text") };
        let kind = kind.of(self.bytes);
        // A copy of a text, which a short pickle could ask for often.
        if kind.len() > 32 {
            bail!(self.op, "a device's kind has {} bytes", kind.len());
        }
        let device = match index {
            Some(index) => format!("{kind}:{}", self.size(index)?),
            None => kind.to_owned(),
        };
        self.push(Object::Device(device.into()));
        Ok(())
    }

    fn size(&self, id: Id) -> Parsed<usize> {
        match self.object(id) {
            Object::Int(int) => match usize::try_from(*int) {
                Ok(size) => Ok(size),
                Err(_) => bail!(self.op, "{int} is not a size"),
            },
            _ => bail!(self.op, "a size is not an integer"),
        }
    }

    fn sizes(&self, id: Id) -> Parsed<Vec<usize>> {
        match self.object(id) {
            // A tuple that is used again and again would make much of little.
            Object::Tuple(sizes) if sizes.len() <= crate::elements::MOST_DIMS => {
                sizes.iter().map(|id| self.size(*id)).collect()
            }
            _ => bail!(self.op, "sizes or strides are not a tuple of at most 64 integers"),
        }
    }

    fn tensor(&self, storage: Id, offset: Id, sizes: Id, strides: Id) -> Parsed<TensorSpec> {
        let Object::Storage(storage) = *self.object(storage) else {
            bail!(self.op, "a tensor is made of what is not a storage")
        };
        let (offset, sizes, strides) = (self.size(offset)?, self.sizes(sizes)?, self.sizes(strides)?);
        Ok(TensorSpec { at: self.op, storage, offset, sizes, strides })
    }

    /// A storage by its persistent id: ('storage', class, key, device, number of elements).
    fn storage(&mut self) -> Parsed<()> {
        let op = self.op;
        let id = match self.pop_object()? {
            Object::Tuple(id) => id.first_chunk::<5>().copied().filter(|_| id.len() == 5),
            _ => None,
        };
        let Some([kind, class, key, _, len]) = id else {
            bail!(op, "a persistent id is not a tuple of 5");
        };
        let (Object::Text(kind), Object::Class(Class::Storage(dtype)), Object::Text(key)) =
            (self.object(kind), self.object(class), self.object(key))
        else {
            bail!(op, "a persistent id is not that of a storage");
        };
        if kind.of(self.bytes) != "storage" {
            bail!(op, "a persistent id is not that of a storage");
        }
        let spec = StorageSpec { dtype: *dtype, key: *key, len: self.size(len)? as u64 };
        self.push(Object::Storage(spec));
        Ok(())
    }
}
