//! Blocks of middle size, cut out of huge pages: a network's activations are hundreds of them, and in pages of 4 KB the
//! processor would look up addresses again and again. The small GPT of `workloads` trains 3 % faster for it.

use super::block::{HUGE, large};
use std::alloc::Layout;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// The least size. A smaller block would be a small part of the huge page that it makes the system fill with zeros.
pub(super) const LEAST: usize = 64 << 10;

/// The addresses of an arena; the system sets memory aside for the huge pages that are touched.
const SIZE: usize = 4 * HUGE;

const LAYOUT: Layout = match Layout::from_size_align(SIZE, 64) {
    Ok(layout) => layout,
    Err(_) => unreachable!(),
};

static ARENAS: Mutex<Vec<Arena>> = Mutex::new(Vec::new());

struct Arena {
    base: *mut u8,
    map: Map,
}

// SAFETY: the memory is owned, and reached through the blocks alone.
unsafe impl Send for Arena {}

/// What of an arena is free: places and lengths, in order, with something in use between any two.
struct Map {
    free: Vec<(usize, usize)>,
    /// What lies behind was never lent, so it holds the zeros of the system.
    touched: usize,
}

impl Map {
    fn new() -> Map {
        Map { free: vec![(0, SIZE)], touched: 0 }
    }

    /// The first place with so much room, and how many of its bytes may hold something.
    fn take(&mut self, size: usize) -> Option<(usize, usize)> {
        let found = self.free.iter().position(|&(_, len)| len >= size)?;
        let (at, len) = self.free[found];
        if len == size {
            self.free.remove(found);
        } else {
            self.free[found] = (at + size, len - size);
        }
        let used = self.touched.saturating_sub(at).min(size);
        self.touched = self.touched.max(at + size);
        Some((at, used))
    }

    /// Takes back what was lent, and says which huge pages nobody needs any more, from the first to the one behind the last.
    fn put(&mut self, at: usize, size: usize) -> Range<usize> {
        let next = self.free.partition_point(|&(start, _)| start < at);
        let joins_next = self.free.get(next).is_some_and(|&(start, _)| start == at + size);
        let joins_last = next > 0 && self.free[next - 1].0 + self.free[next - 1].1 == at;
        match (joins_last, joins_next) {
            (true, true) => {
                self.free[next - 1].1 += size + self.free[next].1;
                self.free.remove(next);
            }
            (true, false) => self.free[next - 1].1 += size,
            (false, true) => self.free[next] = (at, size + self.free[next].1),
            (false, false) => self.free.insert(next, (at, size)),
        }
        let (start, len) = self.free[next - usize::from(joins_last)];
        let first = start.div_ceil(HUGE).max(at / HUGE);
        first..((start + len) / HUGE).min((at + size).div_ceil(HUGE)).max(first)
    }

    fn is_free(&self) -> bool {
        self.free == [(0, SIZE)]
    }
}

/// So many zeros, from [`LEAST`] to a huge page; null if the system refuses.
pub(super) fn obtain(size: usize) -> *mut u8 {
    let mut arenas = ARENAS.lock().unwrap_or_else(PoisonError::into_inner);
    let found = arenas.iter_mut().find_map(|arena| Some((arena.base, arena.map.take(size)?)));
    let Some((base, (at, used))) = found.or_else(|| {
        let base = large::obtain(LAYOUT);
        if base.is_null() {
            return None;
        }
        let mut map = Map::new();
        let place = map.take(size).expect("no block is as large as an arena");
        arenas.push(Arena { base, map });
        Some((base, place))
    }) else {
        return std::ptr::null_mut();
    };
    drop(arenas);
    let block = base.wrapping_add(at);
    // SAFETY: `size` bytes from here on are in nobody's hands but ours, and `used` is no more.
    unsafe { block.write_bytes(0, used) };
    block
}

/// # Safety
/// The pointer is from [`obtain`] with this size and is not used again.
pub(super) unsafe fn give_back(block: *mut u8, size: usize) {
    let mut arenas = ARENAS.lock().unwrap_or_else(PoisonError::into_inner);
    let place = |arena: &Arena| block.addr().wrapping_sub(arena.base.addr());
    let found = arenas.iter().position(|arena| place(arena) < SIZE).expect("a block of an arena");
    let (at, base) = (place(&arenas[found]), arenas[found].base);
    let pages = arenas[found].map.put(at, size);
    // Else a program that takes and drops one block would map an arena for it each time.
    let is_spare = |arena: &Arena| arena.map.is_free();
    if is_spare(&arenas[found]) && arenas.iter().filter(|&arena| is_spare(arena)).count() > 1 {
        arenas.swap_remove(found);
        drop(arenas);
        // SAFETY: a mapping of `large::obtain`, of which no block is left.
        unsafe { large::give_back(base, LAYOUT) };
    } else if !pages.is_empty() {
        // SAFETY: whole pages of the mapping, all of them free as long as the lock is held.
        unsafe { large::discard(base.wrapping_add(pages.start * HUGE), pages.len() * HUGE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_is_told_apart_from_what_is_lent() {
        let mut map = Map::new();
        let mut lent: Vec<(usize, usize)> = Vec::new();
        let mut state = 1u64;
        let mut random = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let mut ever = vec![false; SIZE >> 14];
        for round in 0..4000 {
            // More and more is lent, then less and less.
            let wants = random(4) < if round / 500 % 2 == 0 { 3 } else { 1 };
            if wants || lent.is_empty() {
                let size = (4 + random(125)) << 14;
                let Some((at, used)) = map.take(size) else { continue };
                assert!(at + size <= SIZE && used <= size);
                assert!(lent.iter().all(|&(other, len)| at + size <= other || other + len <= at));
                for (page, ever) in ever.iter_mut().enumerate().skip(at >> 14).take(size >> 14) {
                    assert!(!*ever || (page << 14) < at + used, "it would not be made zero");
                    *ever = true;
                }
                lent.push((at, size));
            } else {
                let (at, size) = lent.swap_remove(random(lent.len()));
                let pages = map.put(at, size);
                let (start, end) = (pages.start * HUGE, pages.end * HUGE);
                assert!(pages.is_empty() || start < at + size && at < end, "others were idle before");
                for (page, used) in (0..SIZE / HUGE).map(|page| {
                    let start = page * HUGE;
                    (page, lent.iter().any(|&(other, len)| other < start + HUGE && start < other + len))
                }) {
                    let touches = page * HUGE < at + size && at < (page + 1) * HUGE;
                    assert_eq!(pages.contains(&page), touches && !used);
                }
            }
            let both: usize = map.free.iter().chain(&lent).map(|&(_, len)| len).sum();
            assert_eq!(both, SIZE);
            assert!(
                map.free.windows(2).all(|pair| pair[0].0 + pair[0].1 < pair[1].0),
                "in order, and joined"
            );
            assert_eq!(map.is_free(), lent.is_empty());
        }
        assert!(ever.iter().filter(|&&ever| ever).count() > ever.len() / 2);
    }

    #[test]
    fn blocks_are_zero_whoever_had_them_before() {
        let size = 200 << 10;
        for _ in 0..2 {
            let blocks: Vec<*mut u8> = (0..100).map(|_| obtain(size)).collect();
            for &block in &blocks {
                assert!(!block.is_null() && block.addr() % 4096 == 0);
                // SAFETY: `size` bytes of our own.
                let bytes = unsafe { std::slice::from_raw_parts_mut(block, size) };
                assert!(bytes.iter().all(|&byte| byte == 0));
                bytes.fill(7);
            }
            // Every other one first.
            let halves = blocks.iter().step_by(2).chain(blocks.iter().skip(1).step_by(2));
            // SAFETY: each once, with its size.
            halves.for_each(|&block| unsafe { give_back(block, size) });
        }
    }
}
