//! How the tree is built: select, mask, partition, from the root down.

use super::{NO_ROW, Node};
use crate::float::Float;
use crate::kernel::{BLOCK, partition};
use crate::par;

/// Nodes with at least so many blocks are built side by side.
const PARALLEL_BLOCKS: usize = 128;

/// Points up to which the split value is selected from all of them, not from a sample first.
const SMALL: usize = 2048;

/// Entries of that sample, and the ranks in it on both sides of the wanted one: over three standard deviations of a random sample at the median.
const SAMPLE: usize = 512;
const SLACK: usize = 40;

/// Points of a node: column `j` at `columns[j m..(j + 1) m]` for `m` points.
pub(super) struct Part<'a, F> {
    pub(super) columns: &'a mut [F],
    pub(super) rows: &'a mut [u32],
}

/// Where in the tree a part belongs.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) n: usize,
    pub(super) d: usize,
    pub(super) first: usize,
    pub(super) node: usize,
    pub(super) parent: usize,
    /// Whether the points stand in the array in which they are to end.
    pub(super) stays: bool,
}

/// Builds the subtree over the points in `here`; `spare` is room of the same size, `nodes` and `boxes` are those of the subtree.
pub(super) fn build<F: Float>(
    here: Part<'_, F>,
    spare: Part<'_, F>,
    nodes: &mut [Node],
    boxes: &mut [f64],
    place: Place,
) {
    let Place { n, d, first, node, parent, stays } = place;
    let n_blocks = n.div_ceil(BLOCK);
    let (bounds, boxes) = boxes.split_at_mut(2 * d);
    let mut widest = (0, f64::NEG_INFINITY);
    for j in 0..d {
        let (lo, hi) = F::min_max(&here.columns[j * n..(j + 1) * n]);
        (bounds[j], bounds[d + j]) = (lo.as_f64(), hi.as_f64());
        if bounds[d + j] - bounds[j] > widest.1 {
            widest = (j, bounds[d + j] - bounds[j]);
        }
    }
    let number = |i: usize| u32::try_from(i).expect("there are fewer nodes than rows");
    nodes[0] = Node { first: number(first), n_blocks: number(n_blocks), right: 0, parent: number(parent) };

    if n_blocks == 1 {
        let (from, to) = if stays { (spare, here) } else { (here, spare) };
        if !stays {
            to.rows.copy_from_slice(from.rows);
            to.columns.copy_from_slice(from.columns);
        }
        // The last block: spread its columns out to 32 places each, the last column first.
        for j in (0..d).rev().take_while(|_| n < BLOCK) {
            to.columns.copy_within(j * n..(j + 1) * n, j * BLOCK);
            to.columns[j * BLOCK + n..(j + 1) * BLOCK].fill(F::NAN);
        }
        return;
    }

    let left_blocks = n_blocks / 2;
    let n_left = left_blocks * BLOCK;
    let mask = split_mask(&here.columns[widest.0 * n..(widest.0 + 1) * n], n_left);
    let (left_columns, right_columns) = spare.columns.split_at_mut(n_left * d);
    let (left_rows, right_rows) = spare.rows.split_at_mut(n_left);
    let n_right = n - n_left;
    for j in 0..d {
        let left = &mut left_columns[j * n_left..(j + 1) * n_left];
        let right = &mut right_columns[j * n_right..(j + 1) * n_right];
        partition(&here.columns[j * n..(j + 1) * n], &mask, left, right);
    }
    partition(&here.rows[..n], &mask, left_rows, &mut right_rows[..n_right]);
    right_rows[n_right..].fill(NO_ROW);
    drop(mask);

    let right = 2 * left_blocks;
    nodes[0].right = number(node + right);
    let (left_nodes, right_nodes) = nodes[1..].split_at_mut(right - 1);
    let (left_boxes, right_boxes) = boxes.split_at_mut((right - 1) * 2 * d);
    let (spare_left, spare_right) = here.columns.split_at_mut(n_left * d);
    let (spare_left_rows, spare_right_rows) = here.rows.split_at_mut(n_left);
    let below = Place { parent: node, stays: !stays, ..place };
    let build_left = || {
        let here = Part { columns: left_columns, rows: left_rows };
        let spare = Part { columns: spare_left, rows: spare_left_rows };
        build(here, spare, left_nodes, left_boxes, Place { n: n_left, node: node + 1, ..below });
    };
    let build_right = || {
        let here = Part { columns: right_columns, rows: right_rows };
        let spare = Part { columns: spare_right, rows: spare_right_rows };
        let place = Place { n: n_right, first: first + left_blocks, node: node + right, ..below };
        build(here, spare, right_nodes, right_boxes, place);
    };
    par::join(n_blocks >= PARALLEL_BLOCKS, build_left, build_right);
}

/// The `n_left` smallest entries as a bit mask; among equal ones, the first.
fn split_mask<F: Float>(column: &[F], n_left: usize) -> Vec<u64> {
    let (value, mut ties) = select(column, n_left);
    let mut mask = vec![0; column.len().div_ceil(64)];
    F::at_most(column, value.below(), &mut mask);
    if ties > 0 {
        let mut up_to = vec![0; mask.len()];
        F::at_most(column, value, &mut up_to);
        for (word, up_to) in mask.iter_mut().zip(up_to) {
            let mut equal = up_to & !*word;
            while equal != 0 && ties > 0 {
                *word |= equal & equal.wrapping_neg();
                equal &= equal - 1;
                ties -= 1;
            }
        }
    }
    mask
}

/// The value with `rank` entries before it in sorted order, and how many of those are equal to it.
///
/// A sorted sample gives two values that hold it between them nearly always, so that only a few entries have to be looked at twice
/// (Floyd and Rivest, 1975).
fn select<F: Float>(column: &[F], rank: usize) -> (F, usize) {
    let n = column.len();
    let mut some = Vec::new();
    let mut below = 0;
    if n > SMALL {
        // A fixed stride could meet a period of the data; these places have none.
        let mut sample: Vec<F> = (0..SAMPLE).map(|i| column[(i * n + i * 7919 % n) / SAMPLE]).collect();
        sample.sort_unstable_by(F::total_order);
        let near = rank * SAMPLE / n;
        let lo = near.checked_sub(SLACK).map_or(F::neg_infinity(), |i| sample[i]);
        let hi = sample.get(near + SLACK).copied().unwrap_or(F::infinity());
        let (mut before, mut up_to) = (vec![0; n.div_ceil(64)], vec![0; n.div_ceil(64)]);
        F::at_most(column, lo.below(), &mut before);
        F::at_most(column, hi, &mut up_to);
        let count = |mask: &[u64]| mask.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        below = count(&before);
        let n_between = count(&up_to) - below;
        // One of many equal values: nothing is left to sort.
        if lo == hi && below <= rank && rank < below + n_between {
            return (lo, rank - below);
        }
        some.reserve_exact(n_between);
        for ((entries, before), up_to) in column.chunks(64).zip(before).zip(up_to) {
            let mut between = up_to & !before;
            while between != 0 {
                some.push(entries[between.trailing_zeros() as usize]);
                between &= between - 1;
            }
        }
    }
    if !(below <= rank && rank < below + some.len()) {
        some.clear();
        some.extend_from_slice(column);
        below = 0;
    }
    let (before, &mut value, _) = some.select_nth_unstable_by(rank - below, F::total_order);
    let equal = before.iter().filter(|&&x| x == value).count();
    (value, equal)
}

#[cfg(test)]
mod tests {
    use super::super::Tree;
    use super::*;
    use ndarray::Array2;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn holds_every_row_once_in_tight_boxes(x: &Array2<f64>) {
        let tree = Tree::new(x.view()).unwrap();
        let d = x.ncols();
        let mut rows: Vec<u32> = tree.rows().iter().copied().filter(|&row| row != NO_ROW).collect();
        assert_eq!(rows.len(), x.nrows());
        for (i, node) in tree.nodes().iter().enumerate() {
            let places = (node.first as usize * BLOCK..).take(tree.len(*node));
            let points: Vec<usize> = places.map(|place| rows[place] as usize).collect();
            for j in 0..d {
                let (lo, hi) = points
                    .iter()
                    .map(|&row| x[[row, j]])
                    .fold((f64::MAX, f64::MIN), |(lo, hi), x| (lo.min(x), hi.max(x)));
                assert_eq!((tree.bounds(i)[j], tree.bounds(i)[d + j]), (lo, hi));
            }
            if !node.is_leaf() {
                assert_eq!(tree.nodes()[i + 1].parent as usize, i);
                assert_eq!(tree.nodes()[node.right as usize].parent as usize, i);
            }
        }
        for block in 0..tree.n_blocks() {
            for i in 0..BLOCK {
                let row = tree.rows()[block * BLOCK + i];
                assert_eq!(row != NO_ROW, tree.filled(block) >> i & 1 == 1);
                for j in 0..d {
                    let value = tree.block(block)[j * BLOCK + i];
                    assert!(if row == NO_ROW { value.is_nan() } else { value == x[[row as usize, j]] });
                }
            }
        }
        rows.sort_unstable();
        assert!(rows.iter().copied().eq(0..u32::try_from(x.nrows()).unwrap()));
    }

    #[test]
    fn a_tree_holds_every_row_once_in_tight_boxes() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        for n in [1, 2, 31, 32, 33, 64, 65, 100, 1000, 5000, 20_000] {
            for d in [1, 2, 3, 7] {
                holds_every_row_once_in_tight_boxes(&Array2::from_shape_fn((n, d), |_| {
                    rng.gen_range(-1.0..1.0)
                }));
                holds_every_row_once_in_tight_boxes(&Array2::from_shape_fn((n, d), |_| {
                    f64::from(rng.gen_range(0..3))
                }));
            }
        }
        holds_every_row_once_in_tight_boxes(&Array2::zeros((5000, 2)));
    }

    #[test]
    fn the_mask_takes_the_smallest_and_the_first_of_equal_ones() {
        assert_eq!(split_mask(&[3.0, 1.0, 2.0, 2.0, 2.0], 2), [0b00110]);
        let equal = vec![0.5_f32; 10_000];
        let mask = split_mask(&equal, 4992);
        assert!((0..10_000).all(|i| (mask[i / 64] >> (i % 64) & 1 == 1) == (i < 4992)));
    }
}
