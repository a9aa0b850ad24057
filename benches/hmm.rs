//! Hidden Markov models: nanoseconds per observation, best of several runs, with the answer beside each.
//!
//! `cargo bench --bench hmm [-- FILTER]`; `peers/hmm.py` does the same work through hmmlearn on the same numbers, and compares the answers.
#![allow(clippy::print_stdout, missing_docs)]

use std::time::Instant;

use sapwood::data::Sequences;
use sapwood::hmm::{Categorical, Emission, Gaussian};
use sapwood::ndarray::{Array1, Array2, Array3, Axis};
use sapwood::{CategoricalHmm, GaussianHmm, Hmm, with_threads};

/// Knuth's linear congruential generator: four lines in any language.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn matrix(&mut self, rows: usize, columns: usize) -> Array2<f64> {
        Array2::from_shape_simple_fn((rows, columns), || self.next())
    }
}

fn normal(p: &Array2<f64>) -> Array2<f64> {
    p / &p.sum_axis(Axis(1)).insert_axis(Axis(1))
}

/// Best seconds of seven runs, and the answer.
fn best(mut f: impl FnMut() -> f64) -> (f64, f64) {
    let mut timed = || {
        let start = Instant::now();
        let answer = f();
        (start.elapsed().as_secs_f64(), answer)
    };
    let first = timed();
    (1..7).fold(first, |best, _| (best.0.min(timed().0), best.1))
}

fn transitions(lcg: &mut Lcg, k: usize) -> Array2<f64> {
    normal(&(lcg.matrix(k, k) + 0.1 + Array2::<f64>::eye(k) * (0.5 * k as f64)))
}

fn is_asked(id: &str) -> bool {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with("--")).unwrap_or_default();
    id.contains(&filter)
}

fn report<E: Emission<Float = f64>>(id: &str, model: &Hmm<E>, x: Array2<E::Elem>, lengths: Vec<usize>) {
    if !is_asked(id) {
        return;
    }
    let n = x.nrows() as f64;
    let x = Sequences::new(x, lengths).expect("lengths that fit");
    let print = |what: &str, (seconds, answer): (f64, f64)| {
        println!("hmm/{id}/{what} {:.3} {answer:.15e}", seconds * 1e9 / n);
    };
    print("score", best(|| model.score(&x).expect("valid rows")));
    let sums = || {
        let sums = model.expected_sums(&x).expect("possible rows");
        sums.transitions.diag().sum() + sums.log_likelihood
    };
    print("em", best(sums));
    print("viterbi", best(|| model.viterbi(&x).expect("possible rows").log_probabilities.sum()));
    // What goes through every observation one after another: the backward probabilities, and models that answer at once.
    if x.n_sequences() == 1 && model.n_states() <= 32 {
        print("backward", best(|| model.backward(&x).expect("possible rows").column(0).sum()));
        let rows = || x.records().rows().into_iter().map(|row| row.to_slice().expect("a row"));
        let mut online = model.online();
        let filter = || {
            online.reset();
            rows().for_each(|row| {
                online.step(row).expect("a possible row");
            });
            online.log_likelihood()
        };
        print("online", best(filter));
        let lag = || {
            let mut lagged = model.fixed_lag(8).expect("a short lag");
            rows().filter_map(|row| lagged.step(row).expect("a possible row").map(|p| p[0])).sum()
        };
        print("lag_8", best(lag));
    }
    if x.n_sequences() > 1 {
        // Threads are started once: a pool is kept by who has one.
        print("em_2_threads", with_threads(2, || best(sums)));
    }
}

fn main() {
    with_threads(1, run);
}

fn run() {
    if is_asked("long/k2") {
        let mut lcg = Lcg(2);
        let a = transitions(&mut lcg, 2);
        let emission =
            Categorical::new(normal(&(lcg.matrix(2, 4) + 0.1)).view()).expect("rows that sum to 1");
        let model: CategoricalHmm = Hmm::new(Array1::from_elem(2, 0.5), a, emission).expect("a model");
        let x = lcg.matrix(10_000_000, 1).mapv(|u| (u * 4.0) as usize);
        report("long/k2", &model, x, vec![10_000_000]);
    }
    for (k, n) in [
        (2, 200_000),
        (4, 200_000),
        (8, 100_000),
        (16, 50_000),
        (32, 20_000),
        (64, 8_000),
        (128, 3_000),
        (256, 1_000),
    ] {
        let mut lcg = Lcg(k as u64);
        let a = transitions(&mut lcg, k);
        let b = normal(&(lcg.matrix(k, 4) + 0.1));
        let emission = Categorical::new(b.view()).expect("rows that sum to 1");
        let model: CategoricalHmm =
            Hmm::new(Array1::from_elem(k, 1.0 / k as f64), a, emission).expect("a model");
        let x = lcg.matrix(n, 1).mapv(|u| (u * 4.0) as usize);
        if k <= 4 {
            report(&format!("short/k{k}"), &model, x.clone(), vec![100; n / 100]);
        }
        report(&format!("categorical/k{k}"), &model, x, vec![n]);
    }
    // Each state goes on to itself and the two after it: a state that was lost for rounding might not come back.
    for (k, n) in [(8, 100_000), (32, 20_000)] {
        let mut lcg = Lcg(1000 + k as u64);
        let all = transitions(&mut lcg, k);
        let a = normal(&Array2::from_shape_fn(
            (k, k),
            |(i, j)| {
                if (j + k - i) % k < 3 { all[[i, j]] } else { 0.0 }
            },
        ));
        let b = normal(&(lcg.matrix(k, 4) + 0.1));
        let emission = Categorical::new(b.view()).expect("rows that sum to 1");
        let model: CategoricalHmm =
            Hmm::new(Array1::from_elem(k, 1.0 / k as f64), a, emission).expect("a model");
        let x = lcg.matrix(n, 1).mapv(|u| (u * 4.0) as usize);
        report(&format!("band/k{k}"), &model, x, vec![n]);
    }
    // From left to right: after a while the first states are hardly possible any more.
    for (k, n) in [(8, 100_000), (32, 20_000)] {
        let mut lcg = Lcg(2000 + k as u64);
        let a = Array2::from_shape_fn((k, k), |(i, j)| match j {
            _ if i == j => {
                if i + 1 == k {
                    1.0
                } else {
                    0.75
                }
            }
            _ if i + 1 == j => 0.25,
            _ => 0.0,
        });
        let b = normal(&(lcg.matrix(k, 4) + 0.1));
        let emission = Categorical::new(b.view()).expect("rows that sum to 1");
        let model: CategoricalHmm =
            Hmm::new(Array1::from_elem(k, 1.0 / k as f64), a, emission).expect("a model");
        let x = lcg.matrix(n, 1).mapv(|u| (u * 4.0) as usize);
        report(&format!("left_right/k{k}"), &model, x, vec![n]);
    }
    for (d, k, n) in [(1, 4, 50_000), (3, 8, 20_000), (10, 8, 10_000), (40, 8, 4_000)] {
        let mut lcg = Lcg(d as u64);
        let a = transitions(&mut lcg, k);
        let means = lcg.matrix(k, d) * 4.0;
        let variances = lcg.matrix(k, d) + 0.5;
        let low = (lcg.matrix(d, d) - 0.5) * 0.2 + Array2::<f64>::eye(d);
        let one = low.dot(&low.t());
        let x = lcg.matrix(n, d) * 4.0;
        let initial = Array1::from_elem(k, 1.0 / k as f64);
        let diagonal = Gaussian::diagonal(means.view(), variances.view()).expect("variances");
        let diagonal: GaussianHmm = Hmm::new(initial.clone(), a.clone(), diagonal).expect("a model");
        report(&format!("diag/d{d}"), &diagonal, x.clone(), vec![n]);
        let all = Array3::from_shape_fn((k, d, d), |(j, r, c)| one[[r, c]] * (1.0 + 0.1 * j as f64));
        let full = Gaussian::full(means.view(), all.view()).expect("covariances");
        let full: GaussianHmm = Hmm::new(initial, a, full).expect("a model");
        report(&format!("full/d{d}"), &full, x, vec![n]);
    }
}
