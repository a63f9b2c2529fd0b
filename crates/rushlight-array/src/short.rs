//! The list behind shapes and strides.

use std::ops::{Deref, DerefMut};

/// How many items lie inline: PyTorch's users rarely go beyond (batch, channels, depth, height, width).
const INLINE: usize = 5;

/// A list of numbers, inline up to five of them. A copy is a copy of some words, without a call: lists of
/// this kind are copied several times for each operation, and that would show.
#[derive(Clone)]
pub(crate) struct Short<T> {
    len: usize,
    items: [T; INLINE],
    spilled: Spilled<T>,
}

/// All items, once there were more than fit: a word that is empty in the usual case.
#[allow(clippy::box_collection, reason = "one word in the usual case")]
struct Spilled<T>(Option<Box<Vec<T>>>);

// Arrays are copied and dropped everywhere. What happens to a list on the heap stands in two functions, which do not
// unwind (as `extern "C"` says to callers): in line it would be a good part of all code.

impl<T: Clone> Clone for Spilled<T> {
    #[inline]
    fn clone(&self) -> Self {
        #[cold]
        #[inline(never)]
        #[allow(clippy::box_collection, clippy::ptr_arg, reason = "one word, as it is kept")]
        extern "C" fn copy<T: Clone>(list: &Vec<T>) -> Box<Vec<T>> {
            Box::new(list.clone())
        }
        Spilled(self.0.as_ref().map(|list| copy(list)))
    }
}

impl<T> Drop for Spilled<T> {
    #[inline]
    fn drop(&mut self) {
        #[cold]
        #[inline(never)]
        #[allow(clippy::box_collection, clippy::boxed_local, reason = "one word, as it is kept")]
        extern "C" fn free<T>(list: Box<Vec<T>>) {
            drop(list);
        }
        if let Some(list) = self.0.take() {
            free(list);
        }
    }
}

impl<T: Copy + Default> Short<T> {
    #[inline]
    pub(crate) fn new() -> Self {
        Short { len: 0, items: [T::default(); INLINE], spilled: Spilled(None) }
    }

    #[inline]
    pub(crate) fn from_slice(slice: &[T]) -> Self {
        let mut list = Short::new();
        if slice.len() > INLINE {
            list.spilled.0 = Some(Box::new(slice.to_vec()));
        } else {
            // A loop, not a call of memcpy.
            for (to, &from) in list.items.iter_mut().zip(slice) {
                *to = from;
            }
            list.len = slice.len();
        }
        list
    }

    #[inline]
    pub(crate) fn filled(value: T, len: usize) -> Self {
        match len <= INLINE {
            true => Short { len, items: [value; INLINE], spilled: Spilled(None) },
            false => {
                Short { len: 0, items: [value; INLINE], spilled: Spilled(Some(Box::new(vec![value; len]))) }
            }
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        match &mut self.spilled.0 {
            None if self.len < INLINE => {
                self.items[self.len] = item;
                self.len += 1;
            }
            _ => self.spill().push(item),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let last = *self.last()?;
        self.remove(self.len() - 1);
        Some(last)
    }

    pub(crate) fn insert(&mut self, at: usize, item: T) {
        if self.spilled.0.is_some() || self.len == INLINE {
            return self.spill().insert(at, item);
        }
        self.items.copy_within(at..self.len, at + 1);
        self.items[at] = item;
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, at: usize) {
        if let Some(spilled) = &mut self.spilled.0 {
            spilled.remove(at);
            return;
        }
        self.items.copy_within(at + 1..self.len, at);
        self.len -= 1;
    }

    #[cold]
    fn spill(&mut self) -> &mut Vec<T> {
        self.spilled.0.get_or_insert_with(|| Box::new(self.items[..self.len].to_vec()))
    }
}

impl<T: Copy + Default> Default for Short<T> {
    fn default() -> Self {
        Short::new()
    }
}

impl<T> Deref for Short<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        match &self.spilled.0 {
            None => &self.items[..self.len],
            Some(spilled) => spilled,
        }
    }
}

impl<T> DerefMut for Short<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.spilled.0 {
            None => &mut self.items[..self.len],
            Some(spilled) => spilled,
        }
    }
}

impl<'a, T> IntoIterator for &'a Short<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Copy + Default> FromIterator<T> for Short<T> {
    #[inline]
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = Short::new();
        items.into_iter().for_each(|item| list.push(item));
        list
    }
}

impl<T: PartialEq> PartialEq for Short<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // Item by item: for so few of them a call of memcmp costs more.
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a == b)
    }
}

impl<T: Eq> Eq for Short<T> {}

impl<T: std::hash::Hash> std::hash::Hash for Short<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Short<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every change, at every length around the limit, against a vector.
    #[test]
    fn a_short_list_behaves_as_a_vector_does() {
        for len in 0..2 * INLINE {
            let vec: Vec<usize> = (10..10 + len).collect();
            let list = Short::from_slice(&vec);
            assert_eq!(*list, *vec);
            assert_eq!(list, vec.iter().copied().collect());
            assert_eq!(*Short::filled(7, len), *vec![7; len]);
            for at in 0..=len {
                let (mut a, mut b) = (list.clone(), vec.clone());
                a.insert(at, 99);
                b.insert(at, 99);
                assert_eq!(*a, *b);
                assert_ne!(a, list);
                a.remove(at);
                assert_eq!(a, list);
            }
            let (mut a, mut b) = (list.clone(), vec.clone());
            a.push(5);
            b.push(5);
            assert_eq!(*a, *b);
            for _ in 0..len + 2 {
                assert_eq!(a.pop(), b.pop());
                assert_eq!(*a, *b);
            }
        }
    }
}
