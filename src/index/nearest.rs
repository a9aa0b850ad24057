//! The nearest few rows, by kiddo's k-d tree.
//!
//! kiddo takes the dimension as a constant. Here it is rounded up to one of a few, and the columns that are too many hold zeros, which add exactly nothing to
//! a distance. Coordinates are widened to `f64`, which is exact.
//!
//! What kiddo 6.3 does with difficult points, as found with the tests of this crate: a million identical points, points that share a coordinate, `-0.0` and offsets of 1e9 are answered
//! rightly by its immutable tree; NaN is not refused, and makes answers wrong, so [`Index`](super::Index) refuses it before. On a lattice its radius search misses pairs at exactly the radius, because
//! it prunes by a bound that is updated from node to node and rounds differently than the distance: hence the radius search of [`tree`](super::tree).

use std::num::NonZero;

use kiddo::{ImmutableKdTree, SquaredEuclidean};

use super::Neighbour;
use super::tree::{NO_ROW, Tree};
use crate::float::Float;
use crate::kernel::BLOCK;

/// kiddo's tree for each dimension that it is compiled for.
#[derive(Debug)]
pub(super) enum Nearest {
    D2(Kd<2>),
    D3(Kd<3>),
    D4(Kd<4>),
    D8(Kd<8>),
    D16(Kd<16>),
}

impl Nearest {
    /// The points of `tree`, of at most 16 dimensions.
    pub(super) fn new<F: Float>(tree: &Tree<F>) -> Self {
        match tree.n_features() {
            0..=2 => Self::D2(Kd::new(tree)),
            3 => Self::D3(Kd::new(tree)),
            4 => Self::D4(Kd::new(tree)),
            5..=8 => Self::D8(Kd::new(tree)),
            _ => Self::D16(Kd::new(tree)),
        }
    }

    /// Appends the `k` nearest rows; `1 <= k <= n`.
    pub(super) fn nearest<F: Float>(&self, query: &[F], k: usize, neighbours: &mut Vec<Neighbour>) {
        match self {
            Self::D2(kd) => kd.nearest(query, k, neighbours),
            Self::D3(kd) => kd.nearest(query, k, neighbours),
            Self::D4(kd) => kd.nearest(query, k, neighbours),
            Self::D8(kd) => kd.nearest(query, k, neighbours),
            Self::D16(kd) => kd.nearest(query, k, neighbours),
        }
    }
}

pub(super) struct Kd<const K: usize>(ImmutableKdTree<f64, K>);

impl<const K: usize> std::fmt::Debug for Kd<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kd<{K}>({} points)", self.0.size())
    }
}

impl<const K: usize> Kd<K> {
    fn new<F: Float>(tree: &Tree<F>) -> Self {
        let mut points = vec![[0.0; K]; tree.n_points()];
        for (place, &row) in tree.rows().iter().enumerate().filter(|(_, row)| **row != NO_ROW) {
            let columns = tree.block(place / BLOCK).chunks_exact(BLOCK);
            for (x, column) in points[row as usize].iter_mut().zip(columns) {
                *x = column[place % BLOCK].as_f64();
            }
        }
        let kd = ImmutableKdTree::new_from_slice(&points);
        Self(kd.expect("rows are finite, at least one and fewer than 2^32"))
    }

    fn nearest<F: Float>(&self, query: &[F], k: usize, neighbours: &mut Vec<Neighbour>) {
        let mut point = [0.0; K];
        point.iter_mut().zip(query).for_each(|(x, query)| *x = query.as_f64());
        let k = NonZero::new(k).expect("the index asks for at least one");
        let found = self.0.query(&point).nearest_n::<SquaredEuclidean<f64>>(k).execute();
        neighbours.extend(
            found.iter().map(|item| Neighbour { row: item.item as usize, distance: item.distance.sqrt() }),
        );
    }
}
