//! Mends the checksums of a damaged file, so that the damage reaches the parser behind them.

use sha2::{Digest, Sha256};

/// Sets lengths and hashes of a checkpoint to what its bytes are.
pub(crate) fn seal_checkpoint(bytes: &mut [u8]) {
    let Some(payload_end) = bytes.len().checked_sub(32).filter(|&end| end >= 64) else { return };
    let claimed = u64::from_le_bytes(bytes[16..24].try_into().expect("eight bytes"));
    let header = usize::try_from(claimed).unwrap_or(0).min(payload_end - 64);
    bytes[16..24].copy_from_slice(&(header as u64).to_le_bytes());
    bytes[24..32].copy_from_slice(&((payload_end - 64 - header) as u64).to_le_bytes());
    let head = Sha256::new().chain_update(&bytes[..32]).chain_update(&bytes[64..64 + header]).finalize();
    bytes[32..64].copy_from_slice(&head);
    let payload = Sha256::digest(&bytes[64 + header..payload_end]);
    bytes[payload_end..].copy_from_slice(&payload);
}

/// Sets the checksums of the stored entries of an archive to those of their bytes.
pub(crate) fn seal_zip(bytes: &mut [u8]) {
    let u16_at = |bytes: &[u8], at: usize| {
        Some(usize::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
    };
    let u32_at =
        |bytes: &[u8], at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let Some(end) = bytes.len().checked_sub(22) else { return };
    let Some(mut at) = u32_at(bytes, end + 16) else { return };
    while bytes.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x01\x02")) {
        let entry = (|| {
            let len = 46 + u16_at(bytes, at + 28)? + u16_at(bytes, at + 30)? + u16_at(bytes, at + 32)?;
            if u16_at(bytes, at + 10)? != 0 {
                return Some((None, len));
            }
            let (size, header) = (u32_at(bytes, at + 20)?, u32_at(bytes, at + 42)?);
            let start = header
                .checked_add(30 + u16_at(bytes, header.checked_add(26)?)? + u16_at(bytes, header + 28)?)?;
            let crc = crc32fast::hash(bytes.get(start..start.checked_add(size)?)?);
            Some((Some(crc), len))
        })();
        let Some((crc, len)) = entry else { return };
        if let (Some(crc), Some(field)) = (crc, bytes.get_mut(at + 16..at + 20)) {
            field.copy_from_slice(&crc.to_le_bytes());
        }
        at += len;
    }
}

/// An archive of stored entries.
pub(crate) fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, contents) in entries {
        let header = bytes.len() as u32;
        let mut fields = [20_u16, 0, 0, 0, 0].map(u16::to_le_bytes).concat();
        fields.extend(crc32fast::hash(contents).to_le_bytes());
        fields.extend([contents.len() as u32; 2].map(u32::to_le_bytes).concat());
        fields.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
        bytes.extend([b"PK\x03\x04", &fields[..], name.as_bytes(), contents].concat());
        let tail = [&[0; 10][..], &header.to_le_bytes()].concat();
        directory.extend([b"PK\x01\x02\x14\x00", &fields[..], &tail, name.as_bytes()].concat());
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([entries.len() as u16; 2].map(u16::to_le_bytes).concat());
    bytes.extend([directory.len() as u32, start].map(u32::to_le_bytes).concat());
    bytes.extend([0, 0]);
    bytes
}

/// What PyTorch would write around this pickle, with one storage of 16 bytes.
pub(crate) fn pth_of(pickle: &[u8]) -> Vec<u8> {
    archive(&[("a/data.pkl", pickle), ("a/data/0", b"0123456789abcdef"), ("a/version", b"3\n")])
}
