//! Disjoint sets that many threads merge at once.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::par;

/// What is said of numbers that are in no set.
const NONE: u32 = u32::MAX;

/// Sets of the numbers `0..n`; at first each is alone.
///
/// Every number points to itself or to a smaller one, so chains end. A root is linked by compare-and-swap, which fails where another thread linked
/// it first; the loser looks for the new root and tries again, so some thread always gets on (Anderson and Woll, 1991). Only the numbers
/// themselves are shared, and nothing is published through them, so relaxed ordering is enough; the end of a parallel section orders the rest.
#[derive(Debug)]
pub(crate) struct UnionFind {
    /// A last entry, [`NONE`], stands for all numbers from `n` on.
    parent: Vec<AtomicU32>,
}

impl UnionFind {
    pub(crate) fn new(n: u32) -> Self {
        let parent = |x| AtomicU32::new(if x < n as usize { x as u32 } else { NONE });
        Self { parent: par::tabulate(n as usize + 1, parent) }
    }

    /// A number of the set of `x`, most often the root, in one step; all ones for every `x` that is in no set.
    #[inline]
    pub(crate) fn ancestor(&self, x: u32) -> u32 {
        self.parent[(x as usize).min(self.parent.len() - 1)].load(Relaxed)
    }

    /// The root of the set of `x`; while no thread merges, the smallest number of the set.
    #[inline]
    pub(crate) fn find(&self, mut x: u32) -> u32 {
        loop {
            let parent = self.parent[x as usize].load(Relaxed);
            if parent == x {
                return x;
            }
            let above = self.parent[parent as usize].load(Relaxed);
            if above == parent {
                return parent;
            }
            // Halve the path. A lost race leaves a longer path, never a wrong one: both values are ancestors of `x`.
            self.parent[x as usize].store(above, Relaxed);
            x = above;
        }
    }

    /// Merges the sets of `a` and `b`.
    #[inline]
    pub(crate) fn union(&self, mut a: u32, mut b: u32) {
        loop {
            (a, b) = (self.find(a), self.find(b));
            if a == b {
                return;
            }
            let (low, high) = (a.min(b), a.max(b));
            if self.parent[high as usize].compare_exchange(high, low, Relaxed, Relaxed).is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn a_root_is_the_smallest_of_its_set() {
        let sets = UnionFind::new(6);
        for (a, b) in [(5, 3), (4, 1), (3, 4)] {
            sets.union(a, b);
        }
        assert_eq!((0..6).map(|x| sets.find(x)).collect::<Vec<_>>(), [0, 1, 2, 1, 1, 1]);
        assert!((0..6).all(|x| sets.find(sets.ancestor(x)) == sets.find(x)));
        assert_eq!([6, u32::MAX].map(|x| sets.ancestor(x)), [u32::MAX; 2]);
    }

    #[test]
    fn threads_that_merge_at_once_give_the_sets_of_one_thread() {
        let (n, per_thread) = if cfg!(miri) { (100, 25) } else { (20_000, 5000) };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
        let edges: Vec<(u32, u32)> = (0..n).map(|_| (rng.gen_range(0..n), rng.gen_range(0..n))).collect();
        let join = |sets: &UnionFind, edges: &[(u32, u32)]| edges.iter().for_each(|&(a, b)| sets.union(a, b));
        let roots = |sets: &UnionFind| (0..n).map(|x| sets.find(x)).collect::<Vec<_>>();
        let alone = UnionFind::new(n);
        join(&alone, &edges);
        for _ in 0..5 {
            let together = UnionFind::new(n);
            std::thread::scope(|scope| {
                edges.chunks(per_thread).for_each(|edges| {
                    scope.spawn(|| join(&together, edges));
                });
            });
            assert_eq!(roots(&together), roots(&alone));
        }
    }
}
