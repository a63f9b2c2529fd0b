//! A tree as a list of nodes in preorder, and back.

use super::header::Node;
use crate::value::{DEEPEST, Key, Value};
use rushlight_array::Array;
use rushlight_autograd::Tensor;
use std::collections::HashSet;

/// The nodes of a tree, and its tensors with their paths.
pub(super) struct Flat<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) tensors: Vec<(String, Array)>,
}

impl<'a> Flat<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Flat<'a>, String> {
        let mut flat = Flat { nodes: Vec::new(), tensors: Vec::new() };
        flat.add(value, &mut Vec::new())?;
        Ok(flat)
    }

    fn add(&mut self, value: &'a Value, path: &mut Vec<Node<'a>>) -> Result<(), String> {
        if path.len() > DEEPEST {
            return Err(format!("values are nested deeper than {DEEPEST} levels"));
        }
        let node = match value {
            Value::None => Node::None,
            Value::Bool(value) => Node::Bool(*value),
            Value::Int(value) => Node::Int(*value),
            Value::Float(value) => Node::Float(*value),
            Value::Text(text) => Node::Text(text),
            Value::Bytes(bytes) => Node::Bytes(bytes),
            Value::Tensor(tensor) => {
                let number = count(self.tensors.len())?;
                self.tensors.push((name(path), tensor.array()));
                Node::Tensor(number)
            }
            Value::List(values) => {
                self.nodes.push(Node::List(count(values.len())?));
                for (index, value) in values.iter().enumerate() {
                    self.add_below(Node::Int(index as i128), value, path)?;
                }
                return Ok(());
            }
            Value::Map(pairs) => return self.add_map(pairs, path),
        };
        self.nodes.push(node);
        Ok(())
    }

    fn add_below(&mut self, key: Node<'a>, value: &'a Value, path: &mut Vec<Node<'a>>) -> Result<(), String> {
        path.push(key);
        self.add(value, path)?;
        path.pop();
        Ok(())
    }

    fn add_map(&mut self, pairs: &'a [(Key, Value)], path: &mut Vec<Node<'a>>) -> Result<(), String> {
        self.nodes.push(Node::Map(count(pairs.len())?));
        let mut seen = HashSet::new();
        for (key, value) in pairs {
            if !seen.insert(key) {
                return Err(format!("the key `{key}` comes twice in one map"));
            }
            let key = match key {
                Key::Int(key) => Node::Int(*key),
                Key::Text(key) => Node::Text(key),
            };
            self.nodes.push(key);
            self.add_below(key, value, path)?;
        }
        Ok(())
    }
}

fn count(count: usize) -> Result<u32, String> {
    u32::try_from(count).map_err(|_| format!("{count} values are more than a checkpoint numbers"))
}

/// A path as text: keys with `/` between them, numbers behind a `#`, and `~` before what a text has of these three
/// signs. So two values never have one name.
fn name(path: &[Node<'_>]) -> String {
    let keys = path.iter().map(|key| match key {
        Node::Text(key) => key.replace('~', "~~").replace('/', "~/").replace('#', "~#"),
        Node::Int(key) => format!("#{key}"),
        other => unreachable!("{other:?} is no key"),
    });
    keys.collect::<Vec<String>>().join("/")
}

/// The tree of the nodes, with the tensor that `tensor` gives for each place of the table and its path.
pub(super) fn build(
    nodes: &[Node<'_>],
    tensor: &mut dyn FnMut(u32, &str) -> Result<Tensor, String>,
) -> Result<Value, String> {
    let mut builder = Builder { nodes: nodes.iter(), path: Vec::new(), tensor };
    let value = builder.value()?;
    match builder.nodes.len() {
        0 => Ok(value),
        more => Err(format!("{more} values belong to nothing")),
    }
}

struct Builder<'a, 'n> {
    nodes: std::slice::Iter<'a, Node<'n>>,
    /// The keys from the root to the present value.
    path: Vec<Node<'n>>,
    tensor: &'a mut dyn FnMut(u32, &str) -> Result<Tensor, String>,
}

impl<'n> Builder<'_, 'n> {
    fn next(&mut self) -> Result<Node<'n>, String> {
        self.nodes.next().copied().ok_or_else(|| "a list or a map is cut short".to_owned())
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.path.len() > DEEPEST {
            return Err(format!("values are nested deeper than {DEEPEST} levels"));
        }
        Ok(match self.next()? {
            Node::None => Value::None,
            Node::Bool(value) => Value::Bool(value),
            Node::Int(value) => Value::Int(value),
            Node::Float(value) => Value::Float(value),
            Node::Text(text) => Value::Text(text.to_owned()),
            Node::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Node::Tensor(number) => Value::Tensor((self.tensor)(number, &name(&self.path))?),
            Node::List(len) => {
                // `collect` would trust the length.
                let mut values = Vec::new();
                for index in 0..len {
                    values.push(self.below(Node::Int(index.into()))?);
                }
                Value::List(values)
            }
            Node::Map(len) => self.map(len)?,
        })
    }

    fn below(&mut self, key: Node<'n>) -> Result<Value, String> {
        self.path.push(key);
        let value = self.value()?;
        self.path.pop();
        Ok(value)
    }

    fn map(&mut self, len: u32) -> Result<Value, String> {
        let mut seen = HashSet::new();
        let mut pairs = Vec::new();
        for _ in 0..len {
            let node = self.next()?;
            let key = match node {
                Node::Int(key) => Key::Int(key),
                Node::Text(key) => Key::Text(key.to_owned()),
                _ => return Err("a key is neither a text nor an integer".to_owned()),
            };
            if !seen.insert(key.clone()) {
                return Err(format!("the key `{key}` comes twice in one map"));
            }
            pairs.push((key, self.below(node)?));
        }
        Ok(Value::Map(pairs))
    }
}
