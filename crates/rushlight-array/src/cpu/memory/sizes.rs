//! Size classes: four steps per power of two, so that a freed block fits the next request of about its size.

/// The least size, the alignment of every block and the unit of sizes: a cache line, which is also a full
/// AVX-512 vector.
pub(super) const LINE: usize = 64;

/// One of the sizes that blocks have: 64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280 bytes
/// and so on. Above 256 bytes the next class is at most a quarter larger, so at most a fifth of a block is idle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Class(u8);

impl Class {
    /// The number of classes: enough for every `usize`.
    pub(super) const COUNT: usize = 224;

    /// The size of each class in bytes.
    pub(super) const SIZES: [usize; Self::COUNT] = {
        let mut sizes = [0; Self::COUNT];
        let mut index = 0;
        while index < Self::COUNT {
            let (power, step) = (index / 4, index % 4);
            sizes[index] = LINE * if power == 0 { step + 1 } else { (step + 5) << (power - 1) };
            index += 1;
        }
        sizes
    };

    /// The smallest class that holds so many bytes, at least one and at most `isize::MAX`.
    #[inline]
    pub(super) const fn of(bytes: usize) -> Class {
        debug_assert!(bytes != 0);
        let last = (bytes - 1) / LINE;
        if last < 4 {
            return Class(last as u8);
        }
        let power = last.ilog2() as usize;
        Class((4 * (power - 1) + ((last >> (power - 2)) & 3)) as u8)
    }

    /// The size of its blocks in bytes.
    #[inline]
    pub(super) fn size(self) -> usize {
        Self::SIZES[self.index()]
    }

    /// Its number, below [`Class::COUNT`].
    #[inline]
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_rise_by_at_most_a_quarter_above_256_bytes() {
        let sizes: Vec<usize> = (0..Class::COUNT).map(|i| Class(i as u8).size()).collect();
        assert_eq!(sizes[..10], [64, 128, 192, 256, 320, 384, 448, 512, 640, 768]);
        assert_eq!(sizes.last(), Some(&(1 << 63)));
        for pair in sizes[3..].windows(2) {
            assert!(pair[0] < pair[1] && pair[1] - pair[0] <= pair[0] / 4, "{pair:?}");
        }
    }

    #[test]
    fn a_class_is_the_smallest_that_holds_the_bytes() {
        for index in 0..Class::COUNT {
            let class = Class(index as u8);
            assert_eq!(Class::of(class.size()), class);
            if index + 1 < Class::COUNT {
                assert_eq!(Class::of(class.size() + 1).index(), index + 1);
            }
        }
        assert_eq!(Class::of(1).size(), 64);
        assert_eq!(Class::of(isize::MAX as usize).index(), Class::COUNT - 1);
    }
}
