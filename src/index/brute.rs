//! Every row against the query: any dimension, and what the tree is tested against.

use std::ops::ControlFlow;

use ndarray::ArrayView2;

use super::Neighbour;
use crate::float::Float;
use crate::kernel::{BLOCK, Norm, Radius, bits, totals_of};

/// The rows in blocks of 32, in their order.
#[derive(Debug)]
pub(super) struct Brute<F> {
    n: usize,
    d: usize,
    blocks: Vec<F>,
}

impl<F: Float> Brute<F> {
    pub(super) fn new(records: ArrayView2<'_, F>) -> Self {
        let (n, d) = records.dim();
        let mut blocks = vec![F::NAN; n.div_ceil(BLOCK) * BLOCK * d];
        for (row, x) in records.rows().into_iter().enumerate() {
            let start = row / BLOCK * BLOCK * d + row % BLOCK;
            for (j, &x) in x.iter().enumerate() {
                blocks[start + j * BLOCK] = x;
            }
        }
        Self { n, d, blocks }
    }

    pub(super) fn n_points(&self) -> usize {
        self.n
    }

    fn blocks(&self) -> impl Iterator<Item = (usize, &[F])> {
        self.blocks.chunks_exact(BLOCK * self.d).enumerate().map(|(i, block)| (i * BLOCK, block))
    }

    pub(super) fn visit_within<N: Norm>(
        &self,
        query: &[F],
        radius: &Radius<F, N>,
        visit: &mut impl FnMut(Neighbour) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for (first, block) in self.blocks() {
            let hits = F::hits_of(query, block, radius);
            if hits != 0 {
                let totals = totals_of::<N, F>(query, block);
                for i in bits(hits) {
                    visit(Neighbour { row: first + i, distance: N::distance_of(totals[i]) })?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    pub(super) fn count_within<N: Norm>(&self, query: &[F], radius: &Radius<F, N>, limit: usize) -> usize {
        let mut count = 0;
        for (_, block) in self.blocks() {
            if count >= limit {
                break;
            }
            count += F::hits_of(query, block, radius).count_ones() as usize;
        }
        count
    }

    pub(super) fn nearest<N: Norm>(&self, query: &[F], k: usize, neighbours: &mut Vec<Neighbour>) {
        let mut best = Best::new(k, neighbours);
        for (first, block) in self.blocks() {
            best.offer(&totals_of::<N, F>(query, block), |i| first + i);
        }
        best.finish::<N>();
    }
}

/// The `k` smallest totals met so far, as a heap with the largest on top.
pub(super) struct Best<'a> {
    k: usize,
    /// `distance` holds the total until the end.
    heap: &'a mut Vec<Neighbour>,
}

impl<'a> Best<'a> {
    pub(super) fn new(k: usize, heap: &'a mut Vec<Neighbour>) -> Self {
        heap.clear();
        Self { k, heap }
    }

    /// What a total has to be below.
    pub(super) fn bound(&self) -> f64 {
        if self.heap.len() < self.k { f64::INFINITY } else { self.heap[0].distance }
    }

    /// Whether a place is free yet: an infinite distance then counts too.
    pub(super) fn is_open(&self) -> bool {
        self.heap.len() < self.k
    }

    /// Takes what is near enough; NaN never is.
    pub(super) fn offer(&mut self, totals: &[f64; BLOCK], row: impl Fn(usize) -> usize) {
        for (i, &total) in totals.iter().enumerate() {
            if total < self.bound() || (self.is_open() && total == f64::INFINITY) {
                self.push(Neighbour { row: row(i), distance: total });
            }
        }
    }

    fn push(&mut self, new: Neighbour) {
        let heap = &mut *self.heap;
        if heap.len() < self.k {
            heap.push(new);
            let mut i = heap.len() - 1;
            while i > 0 && heap[(i - 1) / 2].distance < heap[i].distance {
                heap.swap(i, (i - 1) / 2);
                i = (i - 1) / 2;
            }
            return;
        }
        heap[0] = new;
        let mut i = 0;
        loop {
            let children = 2 * i + 1..(2 * i + 3).min(heap.len());
            let Some(child) = children.max_by(|&a, &b| heap[a].distance.total_cmp(&heap[b].distance)) else {
                return;
            };
            if heap[child].distance <= heap[i].distance {
                return;
            }
            heap.swap(i, child);
            i = child;
        }
    }

    /// Turns totals into distances.
    pub(super) fn finish<N: Norm>(self) {
        self.heap.iter_mut().for_each(|near| near.distance = N::distance_of(near.distance));
    }
}
