//! Elements that a mask names.
//!
//! Chunks are counted first, so that each knows where its part of the result begins; then all are filled at once.

use super::contiguous;
use super::threads::for_each_slice;
use super::{check_one_dtype, with_carrier};
use crate::array::Array;
use crate::dtype::Element;

/// Elements of the mask in a chunk of work.
const CHUNK: usize = 1 << 14;

/// Elements that are packed at once, in a buffer that has room for all: whether each stays costs no branch.
const BLOCK: usize = 64;

/// The number of true elements before each chunk, and behind the last one.
fn starts(mask: &[bool]) -> Vec<usize> {
    let mut counts = vec![0; mask.len().div_ceil(CHUNK)];
    for_each_slice(&mut counts, 1, CHUNK / 8, &|chunk, count| count[0] = count_true(part(mask, chunk)));
    let mut sum = 0;
    let mut starts = vec![0];
    starts.extend(counts.iter().map(|&count| {
        sum += count;
        sum
    }));
    starts
}

fn part(mask: &[bool], chunk: usize) -> &[bool] {
    &mask[chunk * CHUNK..mask.len().min((chunk + 1) * CHUNK)]
}

fn count_true(mask: &[bool]) -> usize {
    // Sums of bytes, which vectors hold most of, as long as they cannot overflow.
    mask.chunks(255).map(|mask| usize::from(mask.iter().map(|&flag| u8::from(flag)).sum::<u8>())).sum()
}

/// Calls `fill(chunk, part of the result)` for all chunks; each has `width` elements for a true one.
fn for_each_part<T: Send>(
    out: &mut [T],
    starts: &[usize],
    width: usize,
    fill: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    let mut parts = Vec::with_capacity(starts.len());
    let mut rest = out;
    for pair in starts.windows(2) {
        let (part, behind) = rest.split_at_mut((pair[1] - pair[0]) * width);
        parts.push(part);
        rest = behind;
    }
    for_each_slice(&mut parts, 1, CHUNK, &|chunk, part| fill(chunk, part[0]));
}

/// Calls `take` with the values of true elements, some at a time; `value` is given places in the mask.
fn pack<T: Element>(mask: &[bool], value: impl Fn(usize) -> T, mut take: impl FnMut(&[T])) {
    for (block, flags) in mask.chunks(BLOCK).enumerate() {
        if flags.iter().fold(false, |any, &flag| any | flag) {
            let (mut kept, mut count) = ([T::default(); BLOCK], 0);
            for (i, &flag) in flags.iter().enumerate() {
                kept[count % BLOCK] = value(block * BLOCK + i);
                count += usize::from(flag);
            }
            take(&kept[..count]);
        }
    }
}

pub(crate) fn nonzero(mask: &Array) -> Array {
    let mask = contiguous(mask);
    let flags = mask.as_slice::<bool>().expect("it was made contiguous");
    let (starts, rank) = (starts(flags), mask.rank());
    let count = *starts.last().expect("there is one more than chunks");
    Array::build([count, rank], |out: &mut [i64]| {
        for_each_part(out, &starts, rank, &|chunk, out| {
            let mut out = out;
            let mut places = Places::new(mask.shape());
            pack(
                part(flags, chunk),
                |i| (chunk * CHUNK + i) as i64,
                |numbers| {
                    let (now, rest) = std::mem::take(&mut out).split_at_mut(numbers.len() * rank);
                    match rank {
                        0 => {}
                        1 => now.copy_from_slice(numbers),
                        _ => {
                            now.chunks_exact_mut(rank).zip(numbers).for_each(|(out, &i)| places.write(i, out))
                        }
                    }
                    out = rest;
                },
            );
        });
    })
}

/// Turns rising row-major numbers into places.
struct Places<'a> {
    shape: &'a [usize],
    number: i64,
    place: Vec<i64>,
}

impl<'a> Places<'a> {
    fn new(shape: &'a [usize]) -> Self {
        Places { shape, number: 0, place: vec![0; shape.len()] }
    }

    fn write(&mut self, number: i64, out: &mut [i64]) {
        let last = self.place.len() - 1;
        self.place[last] += number - self.number;
        self.number = number;
        // Mostly in the same row: a division only where one is left.
        let (mut d, mut over) = (last, self.place[last]);
        while d > 0 && over >= self.shape[d] as i64 {
            self.place[d] = over % self.shape[d] as i64;
            over = self.place[d - 1] + over / self.shape[d] as i64;
            d -= 1;
            self.place[d] = over;
        }
        for (out, &place) in out.iter_mut().zip(&self.place) {
            *out = place;
        }
    }
}

pub(crate) fn masked_select(x: &Array, mask: &Array) -> Array {
    let (x, mask) = (contiguous(x), contiguous(mask));
    let flags = mask.as_slice::<bool>().expect("it was made contiguous");
    let starts = starts(flags);
    let count = *starts.last().expect("there is one more than chunks");
    let out = with_carrier!(x.dtype(), T => {
        let data = x.dense::<T>();
        Array::build(count, |out: &mut [T]| {
            for_each_part(out, &starts, 1, &|chunk, out| {
                let (mut out, data) = (out, &data[chunk * CHUNK..]);
                pack(part(flags, chunk), |i| data[i], |values| {
                    let (now, rest) = std::mem::take(&mut out).split_at_mut(values.len());
                    now.copy_from_slice(values);
                    out = rest;
                });
            });
        })
    });
    out.retype(x.dtype())
}

pub(crate) fn masked_scatter(x: &Array, mask: &Array, source: &Array) -> Result<Array, usize> {
    check_one_dtype("masked_scatter", x, source);
    let (x, mask, source) = (contiguous(x), contiguous(mask), contiguous(source));
    let flags = mask.as_slice::<bool>().expect("it was made contiguous");
    let starts = starts(flags);
    let count = *starts.last().expect("there is one more than chunks");
    if count > source.numel() {
        return Err(count);
    }
    if count == 0 {
        return Ok(x);
    }
    let out = with_carrier!(x.dtype(), T => {
        let data = x.dense::<T>();
        let values = &source.dense::<T>()[..count];
        Array::build(x.shape(), |out: &mut [T]| {
            for_each_slice(out, CHUNK, 2, &|first, out| {
                let mut next = starts[first / CHUNK];
                for ((o, &x), &flag) in out.iter_mut().zip(&data[first..]).zip(&flags[first..]) {
                    // No branch: behind the last one any will do.
                    let value = values[next.min(count - 1)];
                    *o = if flag { value } else { x };
                    next += usize::from(flag);
                }
            });
        })
    });
    Ok(out.retype(x.dtype()))
}
