//! Large arrays: large pages behind them, and no write before the first that counts.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Asks for large pages behind an array that was not written yet; a wish that nothing depends on.
///
/// A page is handed out and cleared when it is first written. In an array of megabytes that can cost more than the writing: a page of 2 MiB comes
/// at a fraction of the price of 512 small ones.
pub(crate) fn large_pages<T>(room: &mut [T]) {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        const SMALL_PAGE: usize = 1 << 12;
        const LARGE_PAGE: usize = 1 << 21;
        let bytes = size_of_val(room);
        let start = room.as_mut_ptr().cast::<u8>();
        let skip = start.align_offset(SMALL_PAGE);
        if bytes >= 2 * LARGE_PAGE {
            let whole_pages = (bytes - skip) & !(SMALL_PAGE - 1);
            // SAFETY: the pages lie in `room`, which is ours alone; the advice changes no content, and where it is refused nothing happens.
            unsafe {
                libc::madvise(start.add(skip).cast(), whole_pages, libc::MADV_HUGEPAGE);
            }
        }
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = room;
}

/// Room for a vector that is written once, by many threads, without being cleared before.
///
/// It is filled through [`Fill`], cut into parts where threads share it. What was written is counted, and only room that is full becomes a vector.
#[derive(Debug)]
pub(crate) struct Room<T> {
    /// Of length zero, with space for `len` values.
    values: Vec<T>,
    len: usize,
    /// Values written by fills that are gone.
    written: AtomicUsize,
    is_given: bool,
}

impl<T: Copy + Send> Room<T> {
    /// Room for `len` values.
    pub(crate) fn new(len: usize) -> Self {
        let mut values = Vec::with_capacity(len);
        large_pages(&mut values.spare_capacity_mut()[..len]);
        Self { values, len, written: AtomicUsize::new(0), is_given: false }
    }

    /// The whole of it, to be filled.
    ///
    /// # Panics
    /// When called again.
    pub(crate) fn fill(&mut self) -> Fill<'_, T> {
        assert!(!self.is_given, "room is filled once");
        self.is_given = true;
        Fill { room: &mut self.values.spare_capacity_mut()[..self.len], n: 0, written: &self.written }
    }

    /// Room for `len` values of another kind in the same memory, until it is filled itself; none where that is too little or not aligned for them.
    ///
    /// A page that was written once need not be cleared again.
    ///
    /// # Panics
    /// When it was given to be filled.
    pub(crate) fn lend<U: Copy + Send>(&mut self, len: usize) -> Option<Lent<'_, U>> {
        assert!(!self.is_given, "room is lent before it is filled");
        let room = &mut self.values.spare_capacity_mut()[..self.len];
        if align_of::<U>() > align_of::<T>() || size_of_val(room).checked_div(size_of::<U>())? < len {
            return None;
        }
        // SAFETY: the memory is as long and as aligned as `len` values of `U` need, and borrowed for as long as they are; anything is a value that may
        // not have been written, for both kinds.
        let room = unsafe { std::slice::from_raw_parts_mut(room.as_mut_ptr().cast(), len) };
        Some(Lent { room, written: AtomicUsize::new(0), is_given: false })
    }

    /// The values.
    ///
    /// # Panics
    /// When some were not written.
    pub(crate) fn into_vec(mut self) -> Vec<T> {
        assert_eq!(*self.written.get_mut(), self.len, "room is filled to its end");
        // SAFETY: the capacity is at least `len`. The parts of the one fill that was given do not overlap, each was written from its start without
        // a gap and counted once, and the counts add up to `len`: so every value was written, before the borrow of `self` ended.
        unsafe { self.values.set_len(self.len) };
        self.values
    }
}

/// The memory of a [`Room`] with values of another kind, filled in the same way.
#[derive(Debug)]
pub(crate) struct Lent<'a, U> {
    room: &'a mut [MaybeUninit<U>],
    written: AtomicUsize,
    is_given: bool,
}

impl<'a, U: Copy + Send> Lent<'a, U> {
    /// The whole of it, to be filled.
    ///
    /// # Panics
    /// When called again.
    pub(crate) fn fill(&mut self) -> Fill<'_, U> {
        assert!(!self.is_given, "room is filled once");
        self.is_given = true;
        Fill { room: self.room, n: 0, written: &self.written }
    }

    /// The values.
    ///
    /// # Panics
    /// When some were not written.
    pub(crate) fn into_slice(mut self) -> &'a [U] {
        assert_eq!(*self.written.get_mut(), self.room.len(), "room is filled to its end");
        // SAFETY: as in `Room::into_vec`, every value was written, before the borrow of `self` ended.
        unsafe { std::slice::from_raw_parts(self.room.as_ptr().cast(), self.room.len()) }
    }
}

/// A part of a [`Room`], filled from its start.
#[derive(Debug)]
pub(crate) struct Fill<'a, T> {
    room: &'a mut [MaybeUninit<T>],
    /// Values written so far.
    n: usize,
    written: &'a AtomicUsize,
}

impl<'a, T: Copy> Fill<'a, T> {
    /// Takes the next `len` values of room off, as a part of their own.
    ///
    /// # Panics
    /// When there are fewer, or when something was written already.
    pub(crate) fn split_off(&mut self, len: usize) -> Fill<'a, T> {
        assert_eq!(self.n, 0, "room is cut before it is filled");
        let room = self.room.split_off_mut(..len).expect("no part is longer than the whole");
        Fill { room, n: 0, written: self.written }
    }

    /// Writes one value.
    ///
    /// # Panics
    /// When the room is full.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: T) {
        self.room[self.n].write(value);
        self.n += 1;
    }

    /// Writes some values.
    ///
    /// # Panics
    /// When there is no room for them.
    #[inline(always)]
    pub(crate) fn extend(&mut self, values: impl ExactSizeIterator<Item = T>) {
        let room = &mut self.room[self.n..][..values.len()];
        let mut n = 0;
        for (to, value) in room.iter_mut().zip(values) {
            to.write(value);
            n += 1;
        }
        self.n += n;
    }

    /// Writes copies of some values.
    ///
    /// # Panics
    /// When there is no room for them.
    #[inline]
    pub(crate) fn copy(&mut self, values: &[T]) {
        self.extend(values.iter().copied());
    }
}

impl<T> Drop for Fill<'_, T> {
    fn drop(&mut self) {
        // Whoever makes a vector of the room has waited for all threads; that orders the rest.
        self.written.fetch_add(self.n, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_filled_in_any_order_make_the_vector() {
        for lens in [vec![], vec![5], vec![3, 0, 4], vec![1; 9]] {
            let n = lens.iter().sum();
            let mut room = Room::new(n);
            let mut all = room.fill();
            let parts: Vec<Fill<'_, usize>> = lens.iter().map(|&len| all.split_off(len)).collect();
            drop(all);
            let mut start = n;
            for (mut part, len) in parts.into_iter().zip(&lens).rev() {
                start -= len;
                let values: Vec<usize> = (start..start + len).collect();
                match start % 3 {
                    0 => part.copy(&values),
                    1 => part.extend(values.into_iter()),
                    _ => values.into_iter().for_each(|value| part.push(value)),
                }
            }
            assert_eq!(room.into_vec(), (0..n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn room_is_lent_before_it_is_filled() {
        let mut room: Room<[u64; 2]> = Room::new(5);
        {
            let mut lent = room.lend::<[u32; 3]>(6).expect("80 bytes for 72");
            let mut all = lent.fill();
            let mut first = all.split_off(2);
            (0..4).for_each(|i| all.push([i; 3]));
            first.copy(&[[8; 3]; 2]);
            drop((first, all));
            assert_eq!(lent.into_slice(), [[8; 3], [8; 3], [0; 3], [1; 3], [2; 3], [3; 3]]);
        }
        assert!(room.lend::<[u32; 3]>(7).is_none() && room.lend::<u128>(1).is_none());
        room.fill().copy(&[[1, 2]; 5]);
        assert_eq!(room.into_vec(), [[1, 2]; 5]);
    }

    #[test]
    #[should_panic(expected = "filled to its end")]
    fn lent_room_with_a_gap_is_no_slice() {
        let mut room: Room<u64> = Room::new(2);
        let mut lent = room.lend::<u32>(4).unwrap();
        lent.fill().copy(&[1, 2, 3]);
        lent.into_slice();
    }

    #[test]
    #[should_panic(expected = "filled to its end")]
    fn room_with_a_gap_is_no_vector() {
        let mut room = Room::new(4);
        let mut all = room.fill();
        let mut first = all.split_off(2);
        first.push(1);
        all.copy(&[2, 3]);
        drop((first, all));
        room.into_vec();
    }

    #[test]
    #[should_panic(expected = "filled once")]
    fn room_is_not_filled_twice() {
        let mut room = Room::new(2);
        room.fill().push(1);
        room.fill().push(1);
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn full_room_takes_nothing() {
        let mut room = Room::new(1);
        let mut all = room.fill();
        all.push(1);
        all.push(2);
    }
}
