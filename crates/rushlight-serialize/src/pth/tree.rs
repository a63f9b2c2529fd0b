//! From the machine's objects, which may share and contain each other, to a tree of values.

use super::machine::{Id, Object, TensorSpec};
use crate::fault::{Parsed, bail};
use crate::value::{DEEPEST, Key, Value};
use rushlight_autograd::Tensor;
use std::collections::HashMap;

/// How much larger than the pickle the tree may be, in values and bytes of texts: what is shared in Python (the names
/// of options, say) is repeated in a tree, but a short pickle must not unfold into a large one.
const GROWTH: usize = 8;

/// The tree below the object `root`.
pub(super) fn build(
    pickle: &[u8],
    objects: &[Object],
    root: Id,
    make: &mut dyn FnMut(&TensorSpec) -> Parsed<Tensor>,
) -> Parsed<Value> {
    let left = pickle.len() * GROWTH;
    Builder { pickle, objects, make, tensors: HashMap::new(), left }.value(root, 0)
}

struct Builder<'a> {
    pickle: &'a [u8],
    objects: &'a [Object],
    make: &'a mut dyn FnMut(&TensorSpec) -> Parsed<Tensor>,
    tensors: HashMap<Id, Tensor>,
    /// What the tree may still grow by.
    left: usize,
}

impl Builder<'_> {
    fn value(&mut self, id: Id, depth: usize) -> Parsed<Value> {
        if depth > DEEPEST {
            bail!(0, "values are nested deeper than {DEEPEST} levels, or contain themselves");
        }
        self.spend(1)?;
        let (pickle, objects) = (self.pickle, self.objects);
        Ok(match &objects[id as usize] {
            Object::None => Value::None,
            Object::Bool(value) => Value::Bool(*value),
            Object::Int(value) => Value::Int(*value),
            Object::Float(value) => Value::Float(*value),
            Object::Text(text) => Value::Text(self.text(text.of(pickle))?),
            Object::Bytes(text) => {
                let text = text.of(pickle);
                self.spend(text.len())?;
                match text.chars().map(|char| u8::try_from(u32::from(char))).collect() {
                    Ok(bytes) => Value::Bytes(bytes),
                    Err(_) => bail!(0, "bytes are written as a text with characters above 255"),
                }
            }
            Object::Device(device) => Value::Text(self.text(device)?),
            Object::Class(super::classes::Class::DType(dtype)) => Value::Text(self.text(&dtype.to_string())?),
            Object::Tuple(list) | Object::List(list) => {
                let values = list.iter().map(|id| self.value(*id, depth + 1));
                Value::List(values.collect::<Parsed<_>>()?)
            }
            Object::Dict(dict) => self.map(dict, depth)?,
            Object::Tensor(spec) => Value::Tensor(self.tensor(id, spec)?),
            Object::Class(class) => bail!(0, "a class, {class:?}, stands where a value should"),
            Object::Storage(_) => bail!(0, "a storage stands where a value should; save tensors instead"),
        })
    }

    /// A tensor that comes again is the same one.
    fn tensor(&mut self, id: Id, spec: &TensorSpec) -> Parsed<Tensor> {
        if let Some(tensor) = self.tensors.get(&id) {
            return Ok(tensor.clone());
        }
        let tensor = (self.make)(spec)?;
        self.tensors.insert(id, tensor.clone());
        Ok(tensor)
    }

    /// A key that is set again keeps its place, as in Python.
    fn map(&mut self, dict: &[(Id, Id)], depth: usize) -> Parsed<Value> {
        let mut places: HashMap<Key, usize> = HashMap::new();
        let mut pairs: Vec<(Key, Value)> = Vec::new();
        for (key, value) in dict {
            let key = self.key(*key)?;
            let value = self.value(*value, depth + 1)?;
            match places.get(&key) {
                Some(place) => pairs[*place].1 = value,
                None => {
                    places.insert(key.clone(), pairs.len());
                    pairs.push((key, value));
                }
            }
        }
        Ok(Value::Map(pairs))
    }

    fn key(&mut self, id: Id) -> Parsed<Key> {
        self.spend(1)?;
        match &self.objects[id as usize] {
            Object::Text(text) => Ok(Key::Text(self.text(text.of(self.pickle))?)),
            Object::Int(int) => Ok(Key::Int(*int)),
            _ => bail!(0, "a dict has a key that is neither a text nor an integer"),
        }
    }

    fn text(&mut self, text: &str) -> Parsed<String> {
        self.spend(text.len())?;
        Ok(text.to_owned())
    }

    fn spend(&mut self, cost: usize) -> Parsed<()> {
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => bail!(0, "the pickle unfolds to more than {GROWTH} times its size"),
        }
    }
}
