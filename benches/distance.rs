//! Times of the distance functions; `benches/peers/distance.py` does the same work elsewhere.
//!
//! `RAYON_NUM_THREADS=1 cargo bench --bench distance` runs all on one thread, `-- pairwise` those whose name contains the word. A line
//! each: name, threads, milliseconds
//! (the least of several runs, allocation included), and a number of the result that the peers must have too.
#![allow(clippy::print_stdout, reason = "a bench reports")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use kiddo::ImmutableKdTree;
use linfa_nn::{KdTree, NearestNeighbour, distance::L2Dist};
use ndarray::Array2;
use sapwood::data::Csr;
use sapwood::distance::{self, *};
use sapwood::index::BruteForce;
use sapwood::sprs::CsMat;
use sapwood::{Float, Index};

/// Numbers in [-1, 1) from a xorshift generator, the same in both types and in the peers' script.
fn points<F: Float>(n: usize, d: usize, seed: u64) -> Array2<F> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed + 1);
    Array2::from_shape_fn((n, d), |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        F::cast((state >> 40) as f64 / f64::from(1_u32 << 23) - 1.0)
    })
}

/// Rows with up to `entries` of `columns` columns filled; of two draws of a column, the first counts.
fn sparse_points(n: usize, columns: usize, entries: usize) -> CsMat<f64> {
    let (places, values) = (points::<f64>(n, entries, 2), points::<f64>(n, entries, 3));
    let (mut starts, mut indices, mut data) = (vec![0], Vec::new(), Vec::new());
    for (places, values) in places.outer_iter().zip(values.outer_iter()) {
        let mut row = BTreeMap::new();
        for (place, &value) in places.iter().zip(values) {
            row.entry(((place + 1.0) / 2.0 * columns as f64) as usize).or_insert(value);
        }
        indices.extend(row.keys());
        data.extend(row.values());
        starts.push(indices.len());
    }
    CsMat::new((n, columns), starts, indices, data)
}

struct Bench {
    filter: Option<String>,
    threads: String,
}

impl Bench {
    fn run(&self, name: &str, mut work: impl FnMut() -> f64) {
        if self.filter.as_ref().is_some_and(|filter| !name.contains(filter.as_str())) {
            return;
        }
        let (mut best, mut total, mut runs, mut result) = (f64::INFINITY, 0.0, 0, 0.0);
        while runs < 3 || (total < 0.5 && runs < 200) {
            let start = Instant::now();
            result = work();
            let seconds = start.elapsed().as_secs_f64();
            best = best.min(seconds);
            total += seconds;
            runs += 1;
        }
        println!("{name:<40} {} {:>10.3} {result:.6e}", self.threads, best * 1e3);
    }

    fn pairwise<F: Float>(&self) {
        for d in [3, 64, 384, 1536] {
            let (x, y) = (points::<F>(2000, d, 0), points::<F>(2000, d, 1));
            let end = |name: &str| format!("{name}/{d}/{}", float::<F>());
            self.run(&end("pairwise/cosine_similarity"), || {
                distance::pairwise(&x, CosineSimilarity).unwrap()[[0, 1999]].as_f64()
            });
            self.run(&end("pairwise/cosine"), || distance::pairwise(&x, Cosine).unwrap()[[0, 1999]].as_f64());
            self.run(&end("pairwise/euclidean"), || {
                distance::pairwise(&x, Euclidean).unwrap()[[0, 1999]].as_f64()
            });
            self.run(&end("between/cosine_similarity"), || {
                distance::between(&x, &y, CosineSimilarity).unwrap()[[0, 1999]].as_f64()
            });
        }
    }

    #[allow(clippy::redundant_closure_for_method_calls, reason = "two traits of `F` have an `abs`")]
    fn metric<F: Float>(&self, name: &str, metric: impl Metric<F> + Send) {
        self.in_cache(name, &metric);
        for d in [3, 32, 128] {
            let [x, y] = [0, 1].map(|seed| points::<F>(1000, d, seed).map(|&v| v.max(-v)));
            self.run(&format!("metric/{name}/{d}/{}", float::<F>()), || {
                distance::between(&x, &y, &metric).unwrap()[[0, 999]].as_f64()
            });
        }
    }

    /// A hundred calls whose result of 256 x 256 stays in the second-level cache, and of one distance each: what a call costs beside its work.
    #[allow(clippy::redundant_closure_for_method_calls, reason = "two traits of `F` have an `abs`")]
    fn in_cache<F: Float>(&self, name: &str, metric: impl Metric<F> + Send) {
        for n in [256, 1] {
            let [x, y] = [0, 1].map(|seed| points::<F>(n, 3, seed).map(|&v| v.max(-v)));
            let mut out = Array2::zeros((n, n));
            self.run(&format!("in_cache/{name}/{n}/{}", float::<F>()), || {
                for _ in 0..100 {
                    distance::between_into(&x, &y, &metric, out.view_mut()).unwrap();
                }
                out[[0, n - 1]].as_f64()
            });
        }
    }

    /// Radius queries of 50,000 among a million points, in no order, with about 10 and 50 neighbours each: milliseconds on one thread, divide by
    /// 50 for microseconds a query.
    fn index<const D: usize>(&self) {
        if self.filter.as_ref().is_some_and(|filter| !format!("index/{D}").contains(&**filter)) {
            return;
        }
        let n = 1_000_000;
        let x = points::<f64>(n, D, 0);
        let rows: Vec<[f64; D]> = x.outer_iter().map(|row| std::array::from_fn(|k| row[k])).collect();
        let (ours, kiddo) =
            (Index::new(&x).unwrap(), ImmutableKdTree::<f64, D>::new_from_slice(&rows).unwrap());
        let linfa = KdTree::new().from_batch(&x, L2Dist).unwrap();
        let queries: Vec<usize> = (0..50_000).map(|i| i * 7919 % n).collect();
        for neighbours in [10.0, 50.0] {
            // The ball of that volume in a cube of side 2.
            let share = neighbours / n as f64;
            let radius = match D {
                2 => (share * 4.0 / std::f64::consts::PI).sqrt(),
                _ => (share * 6.0 / std::f64::consts::PI).cbrt(),
            };
            self.run(&format!("index/{D}/{neighbours}/count"), || {
                let count = |&i: &usize| ours.count_within(x.row(i), radius, usize::MAX).unwrap();
                queries.iter().map(count).sum::<usize>() as f64
            });
            self.run(&format!("index/{D}/{neighbours}/visit"), || {
                let mut seen = 0;
                for &i in &queries {
                    let visit = |_| {
                        seen += 1;
                        ControlFlow::Continue(())
                    };
                    ours.visit_within(x.row(i), radius, visit).unwrap();
                }
                f64::from(seen)
            });
            // A twentieth of the queries: it is slow.
            self.run(&format!("index/{D}/{neighbours}/linfa_nn_20th"), || {
                let few = queries.iter().step_by(20);
                few.map(|&i| linfa.within_range(x.row(i), radius).unwrap().len()).sum::<usize>() as f64
            });
            self.run(&format!("index/{D}/{neighbours}/count_20th"), || {
                let count = |&i: &usize| ours.count_within(x.row(i), radius, usize::MAX).unwrap();
                queries.iter().step_by(20).map(count).sum::<usize>() as f64
            });
            self.run(&format!("index/{D}/{neighbours}/count_on_2_threads"), || {
                let count = |&i: &usize| ours.count_within(x.row(i), radius, usize::MAX).unwrap();
                let (first, second) = queries.split_at(queries.len() / 2);
                std::thread::scope(|scope| {
                    let other = scope.spawn(|| second.iter().map(count).sum::<usize>());
                    (first.iter().map(count).sum::<usize>() + other.join().unwrap()) as f64
                })
            });
            self.run(&format!("index/{D}/{neighbours}/kiddo_visit"), || {
                let mut seen = 0;
                for &i in &queries {
                    let within =
                        kiddo.query(&rows[i]).within::<kiddo::SquaredEuclidean<f64>>(radius * radius);
                    within.unsorted().visit(|_| seen += 1);
                }
                f64::from(seen)
            });
        }
    }

    /// Radius queries of 1000 among 50,000 points in 16 dimensions, where nearly every box is near: milliseconds are microseconds a query.
    fn index_in_16_dimensions<F: Float>(&self) {
        let name = format!("index/16/count/{}", float::<F>());
        if self.filter.as_ref().is_some_and(|filter| !name.contains(filter.as_str())) {
            return;
        }
        let x = points::<F>(50_000, 16, 0);
        let index = Index::new(&x).unwrap();
        self.run(&name, || {
            let count = |i: usize| index.count_within(x.row(i * 7919 % 50_000), 1.5, usize::MAX).unwrap();
            (0..1000).map(count).sum::<usize>() as f64
        });
    }

    fn metrics<F: Float>(&self) {
        self.metric::<F>("cosine", Cosine);
        self.metric::<F>("euclidean", Euclidean);
        self.metric::<F>("squared_euclidean", SquaredEuclidean);
        self.metric::<F>("manhattan", Manhattan);
        self.metric::<F>("chebyshev", Chebyshev);
        self.metric::<F>("minkowski_3", Minkowski { p: F::cast(3) });
        self.metric::<F>("minkowski_1.5", Minkowski { p: F::cast(1.5) });
        self.metric::<F>("canberra", Canberra);
        self.metric::<F>("bray_curtis", BrayCurtis);
        self.metric::<F>("correlation", Correlation);
        self.metric::<F>("hamming", Hamming);
        self.metric::<F>("jaccard", Jaccard);
        self.metric::<F>("jensen_shannon", JensenShannon);
    }
}

fn float<F: Float>() -> &'static str {
    if size_of::<F>() == 4 { "f32" } else { "f64" }
}

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let threads = std::env::var("RAYON_NUM_THREADS").unwrap_or_else(|_| "all".into());
    let bench = Bench { filter, threads };
    bench.pairwise::<f64>();
    bench.pairwise::<f32>();
    bench.metrics::<f64>();
    bench.metrics::<f32>();

    let x = points::<f32>(100_000, 384, 0);
    let query = points::<f32>(1, 384, 1);
    let query = query.row(0);
    bench.run("one_to_many/cosine_similarity/384/f32", || {
        distance::one_to_many(query, &x, CosineSimilarity).unwrap()[99_999].into()
    });
    bench.run("one_to_many/dot/384/f32", || distance::one_to_many(query, &x, Dot).unwrap()[99_999].into());
    bench.run("one_to_many/euclidean/384/f32", || {
        distance::one_to_many(query, &x, Euclidean).unwrap()[99_999].into()
    });

    let values = x.as_slice().unwrap();
    // Every number is read once: the time that no search can beat.
    bench.run("one_to_many/plain_read/384/f32", || {
        let lanes = values.chunks_exact(64).fold([0.0_f32; 64], |mut sums, chunk| {
            sums.iter_mut().zip(chunk).for_each(|(sum, v)| *sum += v);
            sums
        });
        lanes.iter().sum::<f32>().into()
    });

    bench.index::<2>();
    bench.index::<3>();
    bench.index_in_16_dimensions::<f64>();
    bench.index_in_16_dimensions::<f32>();

    let x = points::<f32>(100_000, 128, 0);
    let queries = points::<f32>(10_000, 128, 1);
    bench.run("top_10/cosine/128/f32", || top_10(&queries, &x, Cosine));
    bench.run("top_10/dot/128/f32", || top_10(&queries, &x, Dot));
    bench.run("top_10/euclidean/128/f32", || top_10(&queries, &x, Euclidean));

    let x = points::<f32>(20_000, 128, 0);
    bench.run("brute_force/counts_within/cosine/128/f32", || {
        let index = BruteForce::new(&x, Cosine).unwrap();
        index.counts_within(0.7, usize::MAX).unwrap().into_iter().sum::<usize>() as f64
    });
    bench.run("brute_force/nearest_10_of_100_queries/cosine/128/f32", || {
        let index = BruteForce::new(&x, Cosine).unwrap();
        let nearest = |query| index.nearest(queries.row(query), 10).unwrap();
        (0..100).flat_map(nearest).map(|n| n.row).sum::<usize>() as f64
    });
    bench.run("within/cosine/128/f32", || {
        let mut count = 0;
        distance::within(&x, 0.7, Cosine, |_, _, _| count += 1).unwrap();
        f64::from(count)
    });

    let x = sparse_points(2000, 50_000, 100);
    let x = Csr::new(x.view()).unwrap();
    bench.run("sparse/pairwise/cosine_similarity", || sparse::pairwise(&x, CosineSimilarity).unwrap().sum());
    bench.run("sparse/pairwise/euclidean", || sparse::pairwise(&x, Euclidean).unwrap()[[0, 1999]]);
    bench.run("sparse/pairwise/jaccard", || sparse::pairwise(&x, Jaccard).unwrap().sum());
    bench.run("sparse/top_10/cosine", || {
        sparse::top_k(&x, &x, 10, Cosine).unwrap().indices.column(0).sum() as f64
    });
}

fn top_10(queries: &Array2<f32>, x: &Array2<f32>, metric: impl Metric<f32>) -> f64 {
    distance::top_k(queries, x, 10, metric).unwrap().indices.sum() as f64
}
