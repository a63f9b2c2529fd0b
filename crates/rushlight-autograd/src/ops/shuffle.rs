//! Channels and pixels that change places.

use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::fail;

/// Channels become pixels: `[.., C r r, H, W]` becomes `[.., C, H r, W r]`. Of each group of `r r` channels the first
/// `r` fill the first row of a square of pixels, and so on.
///
/// Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
/// network", 2016.
///
/// ```
/// use rushlight_autograd::{arange, ops::pixel_shuffle};
/// let y = pixel_shuffle(&arange(0, 8, 1).reshape([4, 1, 2]), 2);
/// assert_eq!(y.shape(), [1, 2, 4]);
/// assert_eq!(y.to_vec::<i64>(), [0, 2, 1, 3, 4, 6, 5, 7]);
/// ```
///
/// # Panics
/// If there are fewer than three dims, the factor is 0, or its square does not divide the channels.
#[track_caller]
pub fn pixel_shuffle(x: &Tensor, upscale_factor: usize) -> Tensor {
    let (shape, r) = (x.shape(), upscale_factor);
    let [ref batch @ .., channels, h, w] = *shape else {
        fail!("pixel_shuffle: shape {shape:?} has fewer than 3 dims (channels, height, width)")
    };
    let square = r.checked_mul(r).filter(|&square| square > 0 && channels % square == 0);
    let Some(square) = square else {
        fail!(
            "pixel_shuffle: {channels} channels of shape {shape:?} are not a multiple of the square of factor {r}"
        )
    };
    let c = channels / square;
    // [.., c, row, column, h, w] -> [.., c, h, row, w, column]
    let apart = x.reshape([batch, &[c, r, r, h, w]].concat());
    let shuffled = apart.permute(behind(batch.len(), [0, 3, 1, 4, 2]));
    shuffled.reshape([batch, &[c, h * r, w * r]].concat())
}

/// Pixels become channels: `[.., C, H r, W r]` becomes `[.., C r r, H, W]`, the inverse of [`pixel_shuffle`].
///
/// # Panics
/// If there are fewer than three dims, or the factor is 0 or does not divide height and width.
#[track_caller]
pub fn pixel_unshuffle(x: &Tensor, downscale_factor: usize) -> Tensor {
    let (shape, r) = (x.shape(), downscale_factor);
    let [ref batch @ .., c, height, width] = *shape else {
        fail!("pixel_unshuffle: shape {shape:?} has fewer than 3 dims (channels, height, width)")
    };
    if r == 0 || height % r != 0 || width % r != 0 {
        fail!("pixel_unshuffle: height and width of shape {shape:?} are not multiples of factor {r}");
    }
    let Some(channels) = r.checked_mul(r).and_then(|square| square.checked_mul(c)) else {
        fail!("pixel_unshuffle: factor {r} gives shape {shape:?} more channels than can be counted")
    };
    let (h, w) = (height / r, width / r);
    // [.., c, h, row, w, column] -> [.., c, row, column, h, w]
    let apart = x.reshape([batch, &[c, h, r, w, r]].concat());
    let shuffled = apart.permute(behind(batch.len(), [0, 2, 4, 1, 3]));
    shuffled.reshape([batch, &[channels, h, w]].concat())
}

/// The dims of a batch in their order, and then others in the given one.
fn behind(batch: usize, order: [usize; 5]) -> Vec<usize> {
    (0..batch).chain(order.map(|dim| batch + dim)).collect()
}

/// Channels dealt out again: `[N, C, ..]` as `groups` rows of channels, read by columns.
///
/// Zhang et al., "ShuffleNet", 2018.
///
/// ```
/// use rushlight_autograd::{arange, ops::channel_shuffle};
/// let y = channel_shuffle(&arange(0, 4, 1).reshape([1, 4, 1]), 2);
/// assert_eq!(y.to_vec::<i64>(), [0, 2, 1, 3]);
/// ```
///
/// # Panics
/// If there are fewer than three dims, or the channels are not a multiple of `groups`.
#[track_caller]
pub fn channel_shuffle(x: &Tensor, groups: usize) -> Tensor {
    let shape = x.shape();
    if shape.len() < 3 {
        fail!("channel_shuffle: shape {shape:?} has fewer than 3 dims (batch, channels, and more)");
    }
    let channels = shape[1];
    if groups == 0 || !channels.is_multiple_of(groups) {
        fail!(
            "channel_shuffle: {channels} channels of shape {shape:?} are not a multiple of {groups} groups"
        );
    }
    let apart = [&shape[..1], &[groups, channels / groups], &shape[2..]].concat();
    x.reshape(apart).transpose(1, 2).reshape(&shape)
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("pixel_shuffle", "torch.nn.functional.pixel_shuffle", |draw| {
        let (mut shape, r) = (vec![2; draw.below(2)], 1 + draw.below(2));
        shape.extend([draw.below(3) * r * r, draw.size(), draw.size()]);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| pixel_shuffle(&x[0], r).exp())
    })
    .rejects(|| {
        vec![
            Reject::new(
                "pixel_shuffle: 3 channels of shape [3, 1, 1] are not a multiple of the square",
                || {
                    pixel_shuffle(&floats([3, 1, 1]), 2);
                },
            ),
            Reject::new(
                "pixel_shuffle: 3 channels of shape [3, 1, 1] are not a multiple of the square of factor 0",
                || {
                    pixel_shuffle(&floats([3, 1, 1]), 0);
                },
            ),
            Reject::new("pixel_shuffle: shape [4, 1] has fewer than 3 dims", || {
                pixel_shuffle(&floats([4, 1]), 2);
            }),
        ]
    }),
    OpInfo::composed("pixel_unshuffle", "torch.nn.functional.pixel_unshuffle", |draw| {
        let (mut shape, r) = (vec![2; draw.below(2)], 1 + draw.below(2));
        shape.extend([draw.below(3), draw.size() * r, draw.size() * r]);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| pixel_unshuffle(&x[0], r).exp())
    })
    .rejects(|| {
        vec![Reject::new(
            "pixel_unshuffle: height and width of shape [1, 3, 3] are not multiples of factor 2",
            || {
                pixel_unshuffle(&floats([1, 3, 3]), 2);
            },
        )]
    }),
    OpInfo::composed("channel_shuffle", "torch.nn.functional.channel_shuffle", |draw| {
        let groups = 1 + draw.below(3);
        let mut shape = vec![draw.below(3), groups * draw.below(3)];
        shape.extend(&*draw.shape(1, 2));
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| channel_shuffle(&x[0], groups).exp())
    })
    .rejects(|| {
        vec![
            Reject::new(
                "channel_shuffle: 4 channels of shape [1, 4, 3] are not a multiple of 3 groups",
                || {
                    channel_shuffle(&floats([1, 4, 3]), 3);
                },
            ),
            Reject::new("channel_shuffle: shape [4, 3] has fewer than 3 dims", || {
                channel_shuffle(&floats([4, 3]), 2);
            }),
        ]
    }),
];
