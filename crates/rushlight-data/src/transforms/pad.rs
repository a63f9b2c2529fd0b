use super::{Draws, Transform};
use crate::image::{Image, Pixel, Rewrite};
use rushlight_array::fail;

/// What stands beyond the edge of an image.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum PaddingMode {
    /// The fill value.
    #[default]
    Constant,
    /// The last pixel, again and again.
    Edge,
    /// The image mirrored, without its last pixel: `3 2 | 1 2 3`.
    Reflect,
    /// The image mirrored, with its last pixel: `2 1 | 1 2 3`.
    Symmetric,
}

/// How many pixels are added: left, top, right, bottom, as torchvision has it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Padding(pub(super) [usize; 4]);

impl From<usize> for Padding {
    /// On all sides.
    fn from(all: usize) -> Padding {
        Padding([all; 4])
    }
}

impl From<[usize; 2]> for Padding {
    /// Left and right; top and bottom.
    fn from([x, y]: [usize; 2]) -> Padding {
        Padding([x, y, x, y])
    }
}

impl From<[usize; 4]> for Padding {
    fn from(sides: [usize; 4]) -> Padding {
        Padding(sides)
    }
}

/// Adds pixels around the image: torchvision's `Pad`.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Draws, Pad, PaddingMode, Transform};
/// let mut image = Image::from_u8([1, 1, 3], &[1, 2, 3]);
/// Pad::new([2, 0]).padding_mode(PaddingMode::Reflect).apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_u8(), Some(&[3, 2, 1, 2, 3, 2, 1][..]));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pad {
    padding: Padding,
    beyond: Beyond,
}

/// The mode with its fill value.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(super) struct Beyond {
    pub(super) mode: PaddingMode,
    pub(super) fill: f32,
}

impl Pad {
    /// This many pixels, a number for all sides, `[x, y]`, or `[left, top, right, bottom]`; they are 0.
    pub fn new(padding: impl Into<Padding>) -> Pad {
        Pad { padding: padding.into(), beyond: Beyond::default() }
    }

    /// The value of the new pixels, in the units of the image; the default is 0.
    #[must_use]
    pub fn fill(self, fill: f64) -> Self {
        Pad { beyond: Beyond { fill: fill as f32, ..self.beyond }, ..self }
    }

    /// Where the new pixels come from.
    #[must_use]
    pub fn padding_mode(self, mode: PaddingMode) -> Self {
        Pad { beyond: Beyond { mode, ..self.beyond }, ..self }
    }
}

impl Transform for Pad {
    fn apply(&self, image: &mut Image, _: &mut Draws) {
        pad(image, self.padding, self.beyond);
    }
}

pub(super) fn pad(image: &mut Image, Padding([left, top, right, bottom]): Padding, beyond: Beyond) {
    let [_, height, width] = image.dims();
    let size = [height + top + bottom, width + left + right];
    window(image, -(top as isize), -(left as isize), size, beyond);
}

/// The part of the image, continued beyond its edges, of this size from row `top` and column `left` on.
pub(super) fn window(image: &mut Image, top: isize, left: isize, size: [usize; 2], beyond: Beyond) {
    let [channels, height, width] = image.dims();
    if (top, left, size) == (0, 0, [height, width]) {
        return;
    }
    let fits = |start: isize, size: usize, len: usize| {
        let most = match beyond.mode {
            PaddingMode::Constant => return true,
            PaddingMode::Edge => return len > 0,
            PaddingMode::Reflect => len as isize - 1,
            PaddingMode::Symmetric => len as isize,
        };
        -start <= most && start + size as isize - len as isize <= most
    };
    if !fits(top, size[0], height) || !fits(left, size[1], width) {
        fail!(
            "Pad: {:?} cannot continue an image of {height} x {width} to {} x {}; there is not enough of it to mirror",
            beyond.mode,
            size[0],
            size[1]
        );
    }
    let job = Window { from: [height, width], to: size, top, left, beyond };
    image.rewrite([channels, size[0], size[1]], &job);
}

struct Window {
    from: [usize; 2],
    to: [usize; 2],
    top: isize,
    left: isize,
    beyond: Beyond,
}

impl Window {
    /// The place within `len` that place `i` of the endless axis shows, if it is not the fill value.
    fn place(&self, i: isize, len: usize) -> Option<usize> {
        let last = len as isize - 1;
        let place = match (self.beyond.mode, i) {
            (_, i) if (0..=last).contains(&i) => i,
            (PaddingMode::Constant, _) => return None,
            (PaddingMode::Edge, i) => i.clamp(0, last),
            (PaddingMode::Reflect, ..0) => -i,
            (PaddingMode::Reflect, i) => 2 * last - i,
            (PaddingMode::Symmetric, ..0) => -i - 1,
            (PaddingMode::Symmetric, i) => 2 * last - i + 1,
        };
        Some(place as usize)
    }

    fn row<P: Pixel>(&self, from: &[P], to: &mut [P], fill: P) {
        let width = from.len() as isize;
        // The columns [first, end) show the image itself.
        let first = (-self.left).clamp(0, to.len() as isize) as usize;
        let end = (width - self.left).clamp(first as isize, to.len() as isize) as usize;
        if end > first {
            let start = (first as isize + self.left) as usize;
            to[first..end].copy_from_slice(&from[start..start + end - first]);
        }
        for column in (0..first).chain(end..to.len()) {
            let place = self.place(column as isize + self.left, from.len());
            to[column] = place.map_or(fill, |place| from[place]);
        }
    }
}

impl Rewrite for Window {
    fn run<P: Pixel>(&self, from: &[P], to: &mut [P]) {
        let ([height, width], [rows, columns]) = (self.from, self.to);
        let fill = P::truncated(self.beyond.fill);
        if rows * columns == 0 {
            return;
        }
        for (channel, plane) in to.chunks_exact_mut(rows * columns).enumerate() {
            for (y, row) in plane.chunks_exact_mut(columns).enumerate() {
                match self.place(y as isize + self.top, height) {
                    Some(source) => {
                        let start = (channel * height + source) * width;
                        self.row(&from[start..start + width], row, fill);
                    }
                    None => row.fill(fill),
                }
            }
        }
    }
}
