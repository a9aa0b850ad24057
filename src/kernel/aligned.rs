//! Memory that begins where a cache line does.

use std::fmt::{Debug, Formatter};
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

use super::ahead::LINE;
use super::large_pages;

/// Numbers from the beginning of a cache line on.
///
/// A load of a whole register that crosses a line costs two. Over rows of 16 to 128 numbers the kernels of hidden Markov models take 1.3 to
/// 1.6 times as long with memory that begins anywhere, and a step of an LSTM of 64 units twice.
#[derive(Default)]
pub(crate) struct Aligned<F> {
    room: Vec<F>,
    start: usize,
    len: usize,
}

impl<F: Copy + Default> Aligned<F> {
    /// Becomes a copy of `x`.
    pub(crate) fn copy(&mut self, x: &[F]) {
        self.resize(x.len());
        self.copy_from_slice(x);
    }

    /// Makes room for `len` numbers; what they are is of no interest. Memory is kept when there is enough.
    pub(crate) fn resize(&mut self, len: usize) {
        let most = LINE / size_of::<F>().max(1);
        if self.room.capacity() < len + most {
            // The old memory goes first.
            self.room = Vec::new();
            self.room = vec![F::default(); len + most];
            large_pages(&mut self.room);
            self.start = self.room.as_ptr().align_offset(LINE).min(most);
        }
        self.grow(len);
    }

    /// Becomes empty, with memory for `len` numbers, which [`grow`](Self::grow) then takes bit by bit: each is written for the first time when it is
    /// soon to be written again, and comes from far away once.
    pub(crate) fn reserve(&mut self, len: usize) {
        let most = LINE / size_of::<F>().max(1);
        if self.room.capacity() < len + most {
            self.room = Vec::new();
            self.room = Vec::with_capacity(len + most);
            large_pages(self.room.spare_capacity_mut());
            self.start = self.room.as_ptr().align_offset(LINE).min(most);
        }
        self.grow(0);
    }

    /// Becomes `len` numbers, at most as many as were made room for; those that were there stay.
    pub(crate) fn grow(&mut self, len: usize) {
        if self.room.len() < self.start + len {
            self.room.resize(self.start + len, F::default());
        }
        self.len = len;
    }

    /// `len` numbers, which `write` writes.
    ///
    /// # Safety
    /// It writes every one.
    pub(crate) unsafe fn written(len: usize, write: impl FnOnce(&mut [MaybeUninit<F>])) -> Self {
        let most = LINE / size_of::<F>().max(1);
        let mut room: Vec<F> = Vec::with_capacity(len + most);
        let start = room.as_ptr().align_offset(LINE).min(most);
        room.resize(start, F::default());
        let numbers: &mut [MaybeUninit<F>] = &mut room.spare_capacity_mut()[..len];
        large_pages(numbers);
        write(numbers);
        // SAFETY: the capacity is at least `start + len`; the first `start` numbers were there before, the others were written as promised.
        unsafe { room.set_len(start + len) };
        Self { room, start, len }
    }
}

impl<F: Debug> Debug for Aligned<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

/// The copy begins at a line of its own.
impl<F: Clone> Clone for Aligned<F> {
    fn clone(&self) -> Self {
        let mut room: Vec<F> = Vec::with_capacity(self.room.capacity());
        let before = room.as_ptr().align_offset(LINE).min(room.capacity() - self.len);
        room.extend(self.room.iter().cycle().take(before).cloned());
        let start = room.len();
        room.extend_from_slice(self);
        Self { room, start, len: self.len }
    }
}

impl<F: PartialEq> PartialEq for Aligned<F> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(feature = "serde")]
impl<F: serde::Serialize> serde::Serialize for Aligned<F> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<F> Deref for Aligned<F> {
    type Target = [F];

    fn deref(&self) -> &[F] {
        &self.room[self.start..self.start + self.len]
    }
}

impl<F> DerefMut for Aligned<F> {
    fn deref_mut(&mut self) -> &mut [F] {
        &mut self.room[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_begins_at_a_line_too() {
        for len in [0, 1, 100, 1000] {
            let write = |room: &mut [MaybeUninit<f64>]| {
                for (i, place) in (0..).zip(room) {
                    place.write(f64::from(i));
                }
            };
            // SAFETY: it writes all places.
            let numbers = unsafe { Aligned::written(len, write) };
            assert_eq!((numbers.len(), numbers.as_ptr() as usize % LINE), (len, 0));
            assert!((0..).zip(&*numbers).all(|(i, &v)| v == f64::from(i)));
        }
    }

    #[test]
    fn numbers_begin_at_a_line_whatever_their_number() {
        let mut numbers = Aligned::<f32>::default();
        for len in [0, 3, 100, 17, 5000, 64] {
            numbers.resize(len);
            assert_eq!((numbers.len(), numbers.as_ptr() as usize % LINE), (len, 0));
            let again = numbers.clone();
            assert!(again == numbers && (again.as_ptr() as usize).is_multiple_of(LINE));
        }
    }

    #[test]
    fn numbers_stay_where_they_are_when_more_follow() {
        let mut numbers = Aligned::<f64>::default();
        numbers.reserve(1000);
        let place = numbers.as_ptr();
        for len in [1, 10, 1000] {
            numbers.grow(len);
            numbers[len - 1] = len as f64;
            let again = numbers.clone();
            assert!(again == numbers && (again.as_ptr() as usize).is_multiple_of(LINE));
        }
        assert_eq!((numbers[0], numbers[9], numbers[999]), (1.0, 10.0, 1000.0));
        numbers.resize(1000);
        assert!(numbers.as_ptr() == place && (place as usize).is_multiple_of(LINE));
    }
}
