//! The header, as bincode writes it.
//!
//! Lists are read element by element and texts are borrowed, so that no length in a file asks for memory.

use super::LONGEST_HEADER;
use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::de::{BorrowDecode, BorrowDecoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Encode, config};

type Config = Configuration<LittleEndian, Fixint, Limit<LONGEST_HEADER>>;

const CONFIG: Config =
    config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<LONGEST_HEADER>();

/// The tree in preorder, and the table of its tensors.
pub(super) struct Header<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) tensors: Vec<Entry<'a>>,
}

/// One value of the tree. Those that belong to a list or a map follow it; in a map each has its key before it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// A place in the table.
    Tensor(u32),
    List(u32),
    Map(u32),
}

/// A tensor of the table.
pub(super) struct Entry<'a> {
    /// Its path in the tree.
    pub(super) name: &'a str,
    /// The place of its dtype in `DType::ALL`.
    pub(super) dtype: u8,
    pub(super) sizes: Vec<u64>,
    /// Where it begins in the payload.
    pub(super) start: u64,
    /// Its length in bytes.
    pub(super) len: u64,
    pub(super) crc: u32,
}

impl<'a> Header<'a> {
    /// The bytes, if they are not too many.
    pub(super) fn encode(&self) -> Result<Vec<u8>, String> {
        let bytes = bincode::encode_to_vec(self, CONFIG).map_err(|error| error.to_string())?;
        // bincode limits what it reads and not what it writes.
        if bytes.len() > LONGEST_HEADER {
            return Err(format!(
                "the values beside the tensors have {} bytes; at most {LONGEST_HEADER} are allowed: keep large lists \
                 as tensors",
                bytes.len()
            ));
        }
        Ok(bytes)
    }

    /// The header that these bytes are, all of them.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Header<'a>, String> {
        let (header, read) =
            bincode::borrow_decode_from_slice(bytes, CONFIG).map_err(|error| error.to_string())?;
        // bincode does not mind what follows.
        if read != bytes.len() {
            return Err(format!("{} bytes follow the header", bytes.len() - read));
        }
        Ok(header)
    }
}

/// A list as bincode writes a `Vec`.
fn encode_list<E: Encoder, T: Encode>(list: &[T], encoder: &mut E) -> Result<(), EncodeError> {
    (list.len() as u64).encode(encoder)?;
    list.iter().try_for_each(|element| element.encode(encoder))
}

/// The inverse of [`encode_list`]. bincode's own would ask for all the memory before it reads an element.
fn decode_list<'de, D: BorrowDecoder<'de>, T: BorrowDecode<'de, D::Context>>(
    decoder: &mut D,
) -> Result<Vec<T>, DecodeError> {
    let len = u64::borrow_decode(decoder)?;
    let mut list = Vec::new();
    for _ in 0..len {
        list.push(T::borrow_decode(decoder)?);
    }
    Ok(list)
}

impl Encode for Header<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        encode_list(&self.nodes, encoder)?;
        encode_list(&self.tensors, encoder)
    }
}

impl<'de, C> BorrowDecode<'de, C> for Header<'de> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Header { nodes: decode_list(decoder)?, tensors: decode_list(decoder)? })
    }
}

impl Encode for Node<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        match self {
            Node::None => 0_u8.encode(encoder),
            Node::Bool(value) => (1_u8, value).encode(encoder),
            Node::Int(value) => (2_u8, value).encode(encoder),
            Node::Float(value) => (3_u8, value).encode(encoder),
            Node::Text(value) => (4_u8, value).encode(encoder),
            Node::Bytes(value) => (5_u8, value).encode(encoder),
            Node::Tensor(value) => (6_u8, value).encode(encoder),
            Node::List(value) => (7_u8, value).encode(encoder),
            Node::Map(value) => (8_u8, value).encode(encoder),
        }
    }
}

impl<'de, C> BorrowDecode<'de, C> for Node<'de> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(match u8::borrow_decode(decoder)? {
            0 => Node::None,
            1 => Node::Bool(bool::borrow_decode(decoder)?),
            2 => Node::Int(i128::borrow_decode(decoder)?),
            3 => Node::Float(f64::borrow_decode(decoder)?),
            4 => Node::Text(<&str>::borrow_decode(decoder)?),
            5 => Node::Bytes(<&[u8]>::borrow_decode(decoder)?),
            6 => Node::Tensor(u32::borrow_decode(decoder)?),
            7 => Node::List(u32::borrow_decode(decoder)?),
            8 => Node::Map(u32::borrow_decode(decoder)?),
            other => return Err(DecodeError::OtherString(format!("no value has the kind {other}"))),
        })
    }
}

impl Encode for Entry<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.name, self.dtype).encode(encoder)?;
        encode_list(&self.sizes, encoder)?;
        (self.start, self.len, self.crc).encode(encoder)
    }
}

impl<'de, C> BorrowDecode<'de, C> for Entry<'de> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Entry {
            name: <&str>::borrow_decode(decoder)?,
            dtype: u8::borrow_decode(decoder)?,
            sizes: decode_list(decoder)?,
            start: u64::borrow_decode(decoder)?,
            len: u64::borrow_decode(decoder)?,
            crc: u32::borrow_decode(decoder)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_the_bytes_do_not_bear_out_ask_for_no_memory() {
        for hostile in [u64::MAX, 1 << 40, 1 << 24] {
            let mut bytes = hostile.to_le_bytes().to_vec();
            bytes.extend([0; 16]);
            let reason = Header::decode(&bytes).err().unwrap();
            assert!(reason.contains("nexpectedEnd"), "{reason}");
            let mut text = 1_u64.to_le_bytes().to_vec();
            text.push(4);
            text.extend(hostile.to_le_bytes());
            assert!(Header::decode(&text).is_err());
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_documented_form() {
        let nodes = vec![Node::Map(1), Node::Text("a"), Node::Bool(true)];
        let tensors =
            vec![Entry { name: "n", dtype: 2, sizes: vec![3], start: 64, len: 6, crc: 0x0102_0304 }];
        let bytes = Header { nodes, tensors }.encode().unwrap();
        let mut expected = vec![3, 0, 0, 0, 0, 0, 0, 0];
        expected.extend([8, 1, 0, 0, 0]);
        expected.extend([4, 1, 0, 0, 0, 0, 0, 0, 0, b'a']);
        expected.extend([1, 1]);
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, b'n', 2]);
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([64, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1]);
        assert_eq!(bytes, expected);
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(Header::decode(&longer).err().unwrap(), "1 bytes follow the header");
    }
}
