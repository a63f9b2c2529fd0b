//! PNG files (W3C Portable Network Graphics, third edition) of eight bits a channel.

/// Colour types by their number of channels: grey, grey with alpha, RGB, RGBA.
const COLOR_TYPES: [u8; 4] = [0, 4, 2, 6];

/// A picture as the bytes of a PNG file. Of 1 to 4 channels; `pixels` has `height` rows of `width` pixels.
///
/// Rows are filtered by the difference to the left neighbour where that has the smaller sum of absolute values.
pub(crate) fn encode(width: usize, height: usize, channels: usize, pixels: &[u8]) -> Vec<u8> {
    debug_assert_eq!(pixels.len(), width * height * channels);
    let mut rows = Vec::with_capacity(pixels.len() + height);
    for row in pixels.chunks(width * channels) {
        let left = |i: usize| if i < channels { 0 } else { row[i - channels] };
        let sub: Vec<u8> = (0..row.len()).map(|i| row[i].wrapping_sub(left(i))).collect();
        let cost =
            |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte.cast_signed().unsigned_abs())).sum();
        let (plain, differences): (u64, u64) = (cost(row), cost(&sub));
        rows.push(u8::from(differences < plain));
        rows.extend_from_slice(if differences < plain { &sub } else { row });
    }
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend((width as u32).to_be_bytes());
    header.extend((height as u32).to_be_bytes());
    header.extend([8, COLOR_TYPES[channels - 1], 0, 0, 0]);
    chunk(*b"IHDR", &header, &mut file);
    chunk(*b"IDAT", &miniz_oxide::deflate::compress_to_vec_zlib(&rows, 6), &mut file);
    chunk(*b"IEND", &[], &mut file);
    file
}

fn chunk(kind: [u8; 4], bytes: &[u8], file: &mut Vec<u8>) {
    file.extend((bytes.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend_from_slice(bytes);
    let checksum = crc32fast::hash(&file[start..]);
    file.extend(checksum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_decoder_reads_the_same_pixels() {
        for (channels, color) in [
            (1, png::ColorType::Grayscale),
            (2, png::ColorType::GrayscaleAlpha),
            (3, png::ColorType::Rgb),
            (4, png::ColorType::Rgba),
        ] {
            // Half of the rows smooth, half not, so that both filters are chosen.
            let (width, height) = (37, 20);
            let at = |i: usize| if i < width * channels * 10 { i / 9 } else { i * i * 31 };
            let pixels: Vec<u8> = (0..width * height * channels).map(|i| at(i) as u8).collect();
            let file = encode(width, height, channels, &pixels);
            let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
            let mut read = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut read).unwrap();
            assert_eq!((info.width, info.height, info.color_type), (37, 20, color));
            assert_eq!(read, pixels);
        }
    }
}
