//! Records of an event file: TensorFlow's framing, and protocol buffers.

/// The table of CRC-32C, whose polynomial (Castagnoli's) is 0x1edc6f41, reflected.
const CRC32C: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| CRC32C[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

/// The checksum as it stands in a record: turned and shifted, because a checksum over bytes that hold one is weak.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A record: length, checksum of the length, the bytes, and their checksum.
pub(super) fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(bytes.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend_from_slice(bytes);
    record.extend(masked(bytes).to_le_bytes());
    record
}

/// How many bytes from the start are whole records, at most `limit`.
pub(super) fn whole_records(bytes: &[u8], limit: u64) -> u64 {
    let mut at = 0;
    while let Some(length) =
        bytes.get(at..at + 8).and_then(|head| head.try_into().ok()).map(u64::from_le_bytes)
    {
        let end = usize::try_from(length).ok().and_then(|length| (at + 16).checked_add(length));
        let Some(end) = end.filter(|&end| end <= bytes.len() && end as u64 <= limit) else { break };
        if framed(&bytes[at + 12..end - 4]) != bytes[at..end] {
            break;
        }
        at = end;
    }
    at as u64
}

/// A message of protocol buffers, written field by field.
#[derive(Default)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn int(mut self, field: u64, value: i64) -> Message {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    pub(super) fn double(mut self, field: u64, value: f64) -> Message {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn float(mut self, field: u64, value: f32) -> Message {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn bytes(mut self, field: u64, bytes: &[u8]) -> Message {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn text(self, field: u64, text: &str) -> Message {
        self.bytes(field, text.as_bytes())
    }

    pub(super) fn message(self, field: u64, message: &Message) -> Message {
        self.bytes(field, &message.0)
    }

    pub(super) fn doubles(self, field: u64, values: &[f64]) -> Message {
        self.bytes(field, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        // Appendix B.4: 32 bytes of zeros, of ones, and 0 to 31.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    }

    #[test]
    fn a_message_is_that_of_the_encoding_guide() {
        // Protocol buffers, "Encoding": field 1 is 150; field 2 is the text "testing"; field 3 is the first message.
        let number = Message::default().int(1, 150);
        assert_eq!(number.0, [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").0, *b"\x12\x07testing");
        assert_eq!(Message::default().message(3, &number).0, [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(Message::default().int(1, -1).0.len(), 11);
    }

    #[test]
    fn whole_records_end_before_a_torn_or_spoilt_one() {
        let (first, second) = (framed(b"abc"), framed(b""));
        let both = [first.clone(), second].concat();
        assert_eq!(whole_records(&both, u64::MAX), both.len() as u64);
        assert_eq!(whole_records(&both, 20), 19);
        for torn in 19..both.len() {
            assert_eq!(whole_records(&both[..torn], u64::MAX), 19);
        }
        let mut spoilt = both.clone();
        spoilt[13] ^= 1;
        assert_eq!(whole_records(&spoilt, u64::MAX), 0);
        assert_eq!(whole_records(&[0xff; 64], u64::MAX), 0);
    }
}
