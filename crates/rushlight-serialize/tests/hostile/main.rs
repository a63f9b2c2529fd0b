//! Files that are cut short, damaged, or made to harm: every parser gives an error that says where and why, holds no
//! more memory than the file's size justifies, and ends.

mod crafted;
mod damaged;
mod memory;
mod replay;
mod seal;

use rushlight_autograd::tensor;
use rushlight_serialize::{Value, checkpoint, npy, npz, pth, safetensors};
use std::path::PathBuf;

/// A parser and what it may cost.
struct Parser {
    name: &'static str,
    parse: fn(&[u8]) -> rushlight_array::Result<()>,
    /// The most bytes of memory for a byte of the file.
    factor: usize,
    seal: fn(&mut [u8]),
    /// Whole files to begin with.
    whole: fn() -> Vec<Vec<u8>>,
}

/// What a parser may hold whatever the size: the text of an error, a few tables.
const SLACK: usize = 1 << 15;

const PARSERS: [Parser; 6] = [
    Parser {
        name: "npy",
        parse: |bytes| npy::from_bytes(bytes).map(drop),
        // The header's copy, the elements, and once more for Fortran's order.
        factor: 4,
        seal: |_| {},
        whole: || {
            ["plain.npy", "fortran.npy", "scalar.npy", "empty.npy", "version3.npy"].map(stored).to_vec()
        },
    },
    Parser {
        name: "npz",
        parse: |bytes| npz::from_bytes(bytes).map(drop),
        // Deflate makes up to 1032 bytes of one; they are elements, and grow by doubling.
        factor: 4 * 1032,
        seal: seal::seal_zip,
        whole: || ["arrays.npz", "compressed.npz"].map(stored).to_vec(),
    },
    Parser {
        name: "safetensors",
        parse: |bytes| safetensors::from_bytes(bytes).map(drop),
        // `[[],[],...]` makes a value of 32 bytes of each three, in lists that grow by doubling.
        factor: 64,
        seal: |_| {},
        whole: || vec![stored("python.safetensors"), safetensors::to_bytes(&[], &[]).unwrap()],
    },
    Parser {
        name: "pth",
        parse: |bytes| pth::from_bytes(bytes).map(drop),
        // A byte of a pickle can make an object of 32 bytes, its number, and eight times that in the tree.
        factor: 1024,
        seal: seal::seal_zip,
        whole: || {
            let foreign = ["dtypes.pth", "views.pth", "training.pth"].map(stored).to_vec();
            [foreign, vec![pth::to_bytes(&tree()).unwrap()]].concat()
        },
    },
    Parser {
        name: "checkpoint",
        parse: |bytes| checkpoint::from_bytes(bytes).map(drop),
        // A value of one byte is a node and then a value, 48 bytes each, in lists that grow by doubling.
        factor: 256,
        seal: seal::seal_checkpoint,
        whole: || vec![checkpoint::to_bytes(&tree()).unwrap(), checkpoint::to_bytes(&Value::None).unwrap()],
    },
    Parser {
        name: "json",
        parse: |bytes| Value::from_json("json", bytes).map(drop),
        // `[[],[],...]` makes a node of 32 bytes of each three, in lists that grow by doubling, and then a value.
        factor: 96,
        seal: |_| {},
        whole: || {
            vec![
                text().to_json().unwrap().trim_end().into(),
                b"{\"\\ud83d\\ude00\": [-1.5e-300, {}]}".to_vec(),
            ]
        },
    },
];

fn parser(name: &str) -> &'static Parser {
    PARSERS.iter().find(|parser| parser.name == name).unwrap()
}

fn stored(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)).unwrap()
}

/// A value with one of each kind.
fn tree() -> Value {
    Value::map()
        .with("model", Value::map().with("w", tensor([[1.0, 2.0], [3.0, 4.0]])).with("n", tensor([1, 2])))
        .with("list", vec![Value::None, true.into(), (-5).into(), 0.5.into(), "text".into()])
        .with(7, Value::Bytes(vec![0, 200, 3]))
}

/// The tree as far as JSON has words for it.
fn text() -> Value {
    Value::map()
        .with("a \"name\"\n", vec![Value::None, true.into(), i64::MIN.into(), 0.1.into(), f64::NAN.into()])
        .with("é", Value::map().with("list", vec![1.5; 9]).with("empty", Value::map()))
}

impl Parser {
    /// Parses, and checks what the parser held and how its error reads.
    #[track_caller]
    fn check(&self, bytes: &[u8]) -> rushlight_array::Result<()> {
        // What a thread keeps of freed arrays would count as held.
        rushlight_array::set_memory_limit(0);
        let (result, most) = memory::most_held(|| (self.parse)(bytes));
        let limit = SLACK + self.factor * bytes.len();
        assert!(most <= limit, "{}: {most} bytes held for a file of {}, {result:?}", self.name, bytes.len());
        if let Err(error) = &result {
            let error = error.to_string();
            let rest = error.strip_prefix(&format!("{}: byte ", self.name));
            let parts = rest.and_then(|rest| rest.split_once(": "));
            let good = parts.is_some_and(|(at, reason)| {
                at.parse().is_ok_and(|at: usize| at <= bytes.len()) && reason.len() > 4
            });
            assert!(good, "{error} (a file of {} bytes)", bytes.len());
        }
        result
    }
}
