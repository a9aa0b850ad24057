//! Several sequences, or windows of them, as time-major rows without padding.

/// Which rows of the records pass through the net together, and in what order.
///
/// Parts are ordered by length, the longest first; the rows of step `t` are those of the parts longer than `t`.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    /// The number of each part, as it was pushed, in the order of the batch.
    pub(super) order: Vec<usize>,
    /// Parts in the order they were pushed: first row of the records, and rows.
    parts: Vec<(usize, usize)>,
    /// Rows of each step.
    pub(super) steps: Vec<usize>,
    /// Row of the records that each row of the batch comes from.
    pub(super) source: Vec<usize>,
    /// The row that takes a row's place when every part is read from its end; after [`find_mirror`](Self::find_mirror).
    pub(super) mirror: Vec<usize>,
    /// The last row of each part, in the order of the batch.
    pub(super) last: Vec<usize>,
    /// First row of each step.
    starts: Vec<usize>,
}

impl Batch {
    /// Fills the batch with parts of the records: `(first row, number of rows)` each, of at least one row.
    pub(super) fn fill(&mut self, parts: impl IntoIterator<Item = (usize, usize)>) {
        let Self { order, parts: all, steps, source, last, starts, .. } = self;
        all.clear();
        all.extend(parts);
        order.clear();
        order.extend(0..all.len());
        // Equal lengths keep their order; unlike a stable sort, this one needs no room.
        order.sort_unstable_by_key(|&part| (std::cmp::Reverse(all[part].1), part));
        steps.clear();
        starts.clear();
        source.clear();
        let mut n = order.len();
        for t in 0.. {
            while n > 0 && all[order[n - 1]].1 <= t {
                n -= 1;
            }
            if n == 0 {
                break;
            }
            steps.push(n);
            starts.push(source.len());
            source.extend(order[..n].iter().map(|&part| all[part].0 + t));
        }
        last.clear();
        last.extend(order.iter().enumerate().map(|(place, &part)| starts[all[part].1 - 1] + place));
    }

    /// Fills `mirror`.
    pub(super) fn find_mirror(&mut self) {
        let Self { order, parts: all, steps, mirror, starts, .. } = self;
        mirror.clear();
        for (t, &n) in steps.iter().enumerate() {
            mirror.extend((0..n).map(|place| starts[all[order[place]].1 - 1 - t] + place));
        }
    }

    pub(super) fn n_rows(&self) -> usize {
        self.source.len()
    }

    pub(super) fn n_sequences(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_time_major_and_the_longest_part_is_first() {
        let mut batch = Batch::default();
        batch.fill([(0, 2), (2, 3), (5, 1), (6, 3)]);
        batch.find_mirror();
        assert_eq!(batch.order, [1, 3, 0, 2]);
        assert_eq!(batch.steps, [4, 3, 2]);
        assert_eq!(batch.source, [2, 6, 0, 5, 3, 7, 1, 4, 8]);
        assert_eq!(batch.last, [7, 8, 6, 3]);
        let mirrored: Vec<_> = batch.mirror.iter().map(|&row| batch.source[row]).collect();
        assert_eq!(mirrored, [4, 8, 1, 5, 3, 7, 0, 2, 6]);
    }
}
