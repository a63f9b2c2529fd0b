//! Writing an array into evenly spaced places of another.

use super::threads::for_each_slice;
use super::walk::Walk;
use crate::array::Array;
use crate::dtype::Element;
use crate::layout::Layout;

/// Elements of the result in a chunk, about.
const CHUNK: usize = 1 << 16;

pub(crate) fn place<T: Element>(x: Array, region: &Layout, source: &Array) -> Array {
    let count = source.numel();
    if count == 0 {
        return x;
    }
    let walk = Walk::new([region, source.layout()]);
    let dtype = x.dtype();
    let mut x = x.retype(T::DTYPE);
    let (data, out) = (source.host::<T>(), x.make_mut::<T>());
    match Bands::of(region) {
        Some(bands) => {
            let rows = (CHUNK / bands.height).max(1);
            let end = out.len().min(bands.start + bands.count * bands.height);
            for_each_slice(&mut out[bands.start..end], rows * bands.height, 2, &|start, out| {
                let first = start / bands.height;
                let last = (first + rows).min(bands.count);
                let each = count / bands.count;
                write(&walk, [first * each, last * each], data, out, bands.start + start);
            });
        }
        None => write(&walk, [0, count], data, out, 0),
    }
    x.retype(dtype)
}

/// How a region falls into equal parts, none of which reaches into another's stretch of the result.
struct Bands {
    /// Where the first stretch begins.
    start: usize,
    height: usize,
    count: usize,
}

impl Bands {
    fn of(region: &Layout) -> Option<Bands> {
        let axis = region.shape().iter().position(|&size| size > 1)?;
        let height = usize::try_from(region.strides()[axis]).ok().filter(|&height| height > 0)?;
        let inside = region.shape().iter().zip(region.strides()).skip(axis + 1);
        let mut reach = region.offset() % height;
        for (&size, &stride) in inside {
            reach += (size - 1) * usize::try_from(stride).ok()?;
        }
        let start = region.offset() - region.offset() % height;
        (reach < height).then_some(Bands { start, height, count: region.shape()[axis] })
    }
}

/// Writes the elements of these row-major numbers into `out`, which begins at place `base` of the result.
fn write<T: Element>(walk: &Walk<2>, [from, to]: [usize; 2], data: &[T], out: &mut [T], base: usize) {
    let steps = walk.inner();
    walk.rows(from, to, &mut |row| {
        let (at, first) = (row.at[0] - base, row.at[1]);
        match steps {
            [1, 1] => out[at..at + row.len].copy_from_slice(&data[first..first + row.len]),
            [1, 0] => out[at..at + row.len].fill(data[first]),
            [p, q] => {
                let (mut to, mut from) = (at as isize, first as isize);
                for _ in 0..row.len {
                    out[to as usize] = data[from as usize];
                    (to, from) = (to + p, from + q);
                }
            }
        }
    });
}
