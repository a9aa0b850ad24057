//! Every kernel against its plain loop, on every instruction set.

use super::ahead::Ahead;
use super::arrows::Arrows;
use super::ends::Ends;
use super::exp::ExpRows;
use super::filter::{AnyFaint, Forward};
use super::gather::{Gather, Scatter};
use super::outer::{AddWeighed, Outer};
use super::path::Best;
use super::smooth::Backward;
use super::watch::Watch;
use super::{MOST_ARROWS, Real};
use crate::kernel::Aligned;
use crate::kernel::simd::{available, dispatch_on, tested};

fn pack(k: usize, m: &[f64]) -> Aligned<f64> {
    let mut packed = Aligned::default();
    super::pack(k, m, &mut packed);
    packed
}

fn numbers(n: usize, seed: usize) -> Vec<f64> {
    (0..n).map(|i| (((i * 7919 + seed * 104_729) % 1009) as f64 + 1.0) / 1010.0).collect()
}

fn stochastic(k: usize) -> Vec<f64> {
    let mut a = numbers(k * k, k);
    a.chunks_exact_mut(k).for_each(|row| {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|p| *p /= sum);
    });
    a
}

/// Scaled to a sum of 1, where the kernel's own scale is not of interest.
fn unit(row: &[f64]) -> Vec<f64> {
    let sum: f64 = row.iter().sum();
    row.iter().map(|v| v / sum).collect()
}

fn assert_close(a: &[f64], b: &[f64], what: &str) {
    a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{what}: {a} {b}"));
}

#[test]
fn filters_smoothers_and_best_paths_equal_the_plain_recursions() {
    const N: usize = 21;
    for isa in available() {
        for k in tested(1..=if cfg!(miri) { 9 } else { 70 }) {
            let what = format!("{isa:?} {k}");
            let (a, b) = (stochastic(k), numbers(N * k, 3));
            let at: Vec<f64> = (0..k * k).map(|i| a[i % k * k + i / k]).collect();
            let mut alpha = numbers(k, 4);
            alpha.resize((N + 1) * k, 0.0);
            let exponent =
                dispatch_on(isa, Forward { k, first: 1, a: &pack(k, &a), b: &b, alpha: &mut alpha });
            assert_eq!(exponent, Some(0), "nothing so small that it needs a scale");
            for t in 0..N {
                let plain = |j: usize| -> f64 {
                    (0..k).map(|i| alpha[t * k + i] * a[i * k + j]).sum::<f64>() * b[t * k + j]
                };
                let row: Vec<f64> = (0..k).map(plain).collect();
                assert_close(&alpha[(t + 1) * k..][..k], &row, &what);
            }

            for watched in [false, true] {
                let after = numbers(k, 5);
                let (mut v, mut beta) = (after.clone(), vec![0.0; 3 * k]);
                let (mut gamma, mut u) = (vec![0.0; N * k], vec![0.0; N * k]);
                let job = Backward {
                    watched,
                    k,
                    first: 1,
                    at: &pack(k, &at),
                    alpha: &alpha[k..],
                    b: &b,
                    v: &mut v,
                    beta: &mut beta,
                    gamma: &mut gamma,
                    u: &mut u,
                };
                assert!(dispatch_on(isa, job));
                let mut plain_v = after;
                for t in (0..N).rev() {
                    let beta: Vec<f64> =
                        (0..k).map(|i| (0..k).map(|j| a[i * k + j] * plain_v[j]).sum()).collect();
                    let joint: Vec<f64> = (0..k).map(|i| alpha[(t + 1) * k + i] * beta[i]).collect();
                    let n: f64 = joint.iter().sum();
                    assert_close(&gamma[t * k..][..k], &unit(&joint), &what);
                    let scaled: Vec<f64> = plain_v.iter().map(|v| v / n).collect();
                    let relative: Vec<f64> =
                        u[t * k..][..k].iter().zip(&scaled).map(|(a, b)| a / b).collect();
                    assert_close(&unit(&relative), &vec![1.0 / k as f64; k], &what);
                    plain_v = (0..k).map(|j| b[t * k + j] * beta[j]).collect();
                }
                assert_close(&unit(&v), &unit(&plain_v), &what);
            }

            let mut delta = numbers(k, 6);
            delta.resize((N + 1) * k, 0.0);
            dispatch_on(isa, Best { k, log_a: &pack(k, &a), log_b: &b, delta: &mut delta });
            for t in 0..N {
                for j in 0..k {
                    let ways = (0..k).map(|i| delta[t * k + i] + a[i * k + j]);
                    let best = ways.fold(f64::NEG_INFINITY, f64::max) + b[t * k + j];
                    assert_eq!(delta[(t + 1) * k + j].to_bits(), best.to_bits(), "{what}");
                }
            }

            if k <= MOST_ARROWS {
                let mut row = delta[..k].to_vec();
                let mut bytes = [[0; 8]; N];
                let (delta_row, arrows) = (&mut row[..], &mut bytes[..]);
                dispatch_on(isa, Arrows { k, log_a: &pack(k, &a), log_b: &b, delta: delta_row, arrows });
                assert_eq!(row, delta[N * k..], "{what}");
                for (t, arrows) in bytes.iter().enumerate() {
                    for j in 0..k {
                        let way = |i: usize| delta[t * k + i] + a[i * k + j];
                        let best = (0..k).map(way).fold(f64::NEG_INFINITY, f64::max);
                        for (i, to) in arrows[..k].iter().enumerate() {
                            assert_eq!(to >> j & 1 == 1, way(i) == best, "{what}");
                        }
                    }
                }
            }

            let (x, y, mut acc) = (numbers(N * k, 7), numbers(N * k, 8), vec![f64::NAN; k * k]);
            dispatch_on(isa, Outer { k, x: &x, y: &y, acc: &mut acc });
            for (at, &sum) in acc.iter().enumerate() {
                let plain: f64 = (0..N).map(|t| x[t * k + at / k] * y[t * k + at % k]).sum();
                assert!((sum - plain).abs() < 1e-12, "{what}");
            }
            let mut total = a.clone();
            assert!(dispatch_on(isa, AddWeighed { sums: &acc, weights: &b[..k], total: &mut total }));
            for (at, &sum) in total.iter().enumerate() {
                let added = if at < k { acc[at] * b[at] } else { 0.0 };
                assert!((sum - a[at] - added).abs() < 1e-12, "{what}");
            }
            acc[k * k / 2] = f64::INFINITY;
            let before = total.clone();
            assert!(!dispatch_on(isa, AddWeighed { sums: &acc, weights: &a, total: &mut total }));
            assert_eq!(total, before, "{what}");

            let after = numbers(k, 5);
            let (mut v, mut out) = ([&after[..], &after].concat(), vec![0.0; N * k]);
            let job = Ahead { k, at: &pack(k, &at), b: &b, v: &mut v, out: &mut out };
            assert_eq!(dispatch_on(isa, job), Some(false), "{what}");
            let mut plain_v = after;
            for t in (0..N).rev() {
                let beta: Vec<f64> =
                    (0..k).map(|i| (0..k).map(|j| a[i * k + j] * plain_v[j]).sum()).collect();
                assert_close(&out[t * k..][..k], &unit(&beta), &what);
                plain_v = (0..k).map(|j| b[t * k + j] * beta[j]).collect();
            }
            assert_close(&unit(&v[..k]), &unit(&plain_v), &what);

            let (mut watched, mut upper) = (alpha[..k].to_vec(), alpha[..2 * k].to_vec());
            watched.resize((N + 1) * k, 0.0);
            let packed = pack(k, &a);
            let job = Watch { k, a: [&packed; 2], b: [&b; 2], alpha: &mut watched, upper: &mut upper };
            assert_eq!(dispatch_on(isa, job), Some(0), "{what}");
            assert_close(&watched, &alpha, &what);
            assert_close(&upper[..k], &alpha[N * k..], &what);

            let table = numbers(5 * k, 11);
            for n in [0, 1, N] {
                let symbols: Vec<usize> = (0..n).map(|t| t * t % 6).collect();
                let mut rows = vec![0.0; n * k];
                let job = Gather { k, table: &table, numbers: &symbols, beyond: 7.0, out: &mut rows };
                dispatch_on(isa, job);
                for (at, &found) in rows.iter().enumerate() {
                    let symbol = symbols[at / k];
                    let plain = if symbol < 5 { table[symbol * k + at % k] } else { 7.0 };
                    assert_eq!(found, plain, "{what}");
                }
                let mut sums = table.clone();
                dispatch_on(isa, Scatter { k, rows: &rows, numbers: &symbols, table: &mut sums });
                for (at, &sum) in sums.iter().enumerate() {
                    let of_symbol = (0..n).filter(|&t| symbols[t] == at / k).map(|t| rows[t * k + at % k]);
                    assert!((sum - table[at] - of_symbol.sum::<f64>()).abs() < 1e-12, "{what}");
                }
            }

            let len = k.next_multiple_of(8);
            let (mut front, mut back) = (numbers(k, 9), numbers(k, 10));
            front.resize(2 * len, 0.0);
            back.resize(2 * len, 0.0);
            let (mut x, mut y) = (front[..k].to_vec(), back[..k].to_vec());
            let job = Ends {
                k,
                a: &pack(k, &a),
                at: &pack(k, &at),
                front: &b[..5 * k],
                back: &b[5 * k..10 * k],
                x: &mut front,
                y: &mut back,
            };
            assert_eq!(dispatch_on(isa, job), Some(0), "{what}");
            for t in 0..5 {
                x = (0..k).map(|j| (0..k).map(|i| x[i] * a[i * k + j]).sum::<f64>() * b[t * k + j]).collect();
                y = (0..k)
                    .map(|i| (0..k).map(|j| a[i * k + j] * y[j]).sum::<f64>() * b[(9 - t) * k + i])
                    .collect();
            }
            assert_close(&front[..k], &x, &what);
            assert_close(&back[..k], &y, &what);
        }
    }
}

#[test]
fn lost_digits_are_told_and_small_sums_are_rescaled() {
    for isa in available() {
        for k in [1, 2, 7, 16, 33] {
            let a = pack(k, &stochastic(k));
            let mut alpha = vec![1.0 / k as f64; 3 * k];
            let b = vec![1e-120; 2 * k];
            let exponent = dispatch_on(isa, Forward { k, first: 1, a: &a, b: &b, alpha: &mut alpha });
            let sum: f64 = alpha[2 * k..].iter().sum();
            let log = sum.ln() + exponent.expect("no digit is lost") as f64 * std::f64::consts::LN_2;
            assert!((log - 240.0 * 0.1_f64.ln()).abs() < 1e-9);
            let b = vec![1e-300; 2 * k];
            assert_eq!(dispatch_on(isa, Forward { k, first: 1, a: &a, b: &b, alpha: &mut alpha }), None);
        }
    }
}

#[test]
fn exponentials_are_right_to_two_units_in_the_last_place() {
    for isa in available() {
        for k in tested(1..=70) {
            let mut x: Vec<f64> = numbers(2 * k, 9).iter().map(|v| -v * v * 600.0).collect();
            let plain = x.clone();
            let log_scale = dispatch_on(isa, ExpRows { k, x: &mut x });
            let maxima: Vec<f64> =
                plain.chunks(k).map(|row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max)).collect();
            assert!((log_scale - maxima.iter().sum::<f64>()).abs() < 1e-12);
            for (at, (found, x)) in x.iter().zip(&plain).enumerate() {
                let expected = (x - maxima[at / k]).exp();
                assert!((found - expected).abs() <= 5e-16 * expected, "{found} {expected}");
            }
        }
        let mut x = [f64::NEG_INFINITY, f64::NEG_INFINITY, -800.0, 0.0];
        assert_eq!(dispatch_on(isa, ExpRows { k: 2, x: &mut x }), f64::NEG_INFINITY);
        assert_eq!(x, [0.0, 0.0, 0.0, 1.0]);
        let mut x = [0.0_f32, -1.0, -10.0, -86.0, -100.0];
        dispatch_on(isa, ExpRows { k: 5, x: &mut x });
        for (found, x) in x.iter().zip([0.0_f32, -1.0, -10.0, -86.0]) {
            assert!((found - x.exp()).abs() <= 3e-7 * x.exp());
        }
        assert_eq!(x[4], 0.0);
    }
}

#[test]
fn a_bound_that_has_more_than_the_rows_is_told() {
    for isa in available() {
        for k in [2, 7, 8, 16, 21, 33] {
            // The last state is lost, and leads to itself alone: the others fade by 2^-20 a row, and soon it would have had most of all.
            let mut a = vec![0.0; k * k];
            (0..k).for_each(|i| a[i * k + i] = 1.0);
            let mut b = vec![2.0_f64.powi(-20); 40 * k];
            (0..40).for_each(|t| b[(t + 1) * k - 1] = 1.0);
            let a = pack(k, &a);
            let rows = |lost: f64, n: usize| {
                let mut alpha = vec![1.0; (n + 1) * k];
                alpha[k - 1] = 0.0;
                let mut upper = alpha[..k].to_vec();
                upper[k - 1] = lost;
                upper.resize(2 * k, 0.0);
                let b = &b[..n * k];
                let job = Watch { k, a: [&a; 2], b: [b; 2], alpha: &mut alpha, upper: &mut upper };
                dispatch_on(isa, job)
            };
            assert!(rows(0.0, 40).is_some(), "{isa:?} {k}");
            assert!(rows(f64::LOST, 19).is_some() && rows(f64::LOST, 23).is_none(), "{isa:?} {k}");
        }
    }
}

#[test]
fn a_faint_number_is_found_wherever_it_lies() {
    for isa in available() {
        for n in tested(0..=70) {
            let mut values: Vec<f64> = [0.0, 1.0, f64::LOST, f64::NAN].into_iter().cycle().take(n).collect();
            assert!(!dispatch_on(isa, AnyFaint(&values)), "{isa:?} {n}");
            for i in 0..n {
                let before = std::mem::replace(&mut values[i], f64::LOST / 2.0);
                assert!(dispatch_on(isa, AnyFaint(&values)), "{isa:?} {i} of {n}");
                values[i] = before;
            }
        }
    }
}

#[test]
fn both_ends_of_single_precision_are_those_of_double() {
    for isa in available() {
        for k in [8, 16, 64, 72, 80, 128] {
            let single = |x: &[f64]| -> Vec<f32> { x.iter().map(|&v| v as f32).collect() };
            let (a, b) = (stochastic(k), numbers(6 * k, 3));
            let at: Vec<f64> = (0..k * k).map(|i| a[i % k * k + i / k]).collect();
            let (mut x, mut y) = (numbers(k, 4), numbers(k, 5));
            let (mut x32, mut y32) = (single(&x), single(&y));
            let (mut packed, mut packed_at) = (Aligned::default(), Aligned::default());
            super::pack(k, &single(&a), &mut packed);
            super::pack(k, &single(&at), &mut packed_at);
            x32.resize(2 * k, 0.0);
            y32.resize(2 * k, 0.0);
            let b32 = single(&b);
            let (front, back) = b32.split_at(3 * k);
            let (x, y) = (&mut x, &mut y);
            let job = Ends { k, a: &packed, at: &packed_at, front, back, x: &mut x32, y: &mut y32 };
            assert_eq!(dispatch_on(isa, job), Some(0), "{isa:?} {k}");
            for t in 0..3 {
                let product = |v: &[f64], m: &[f64]| -> Vec<f64> {
                    (0..k).map(|j| (0..k).map(|i| v[i] * m[i * k + j]).sum()).collect()
                };
                *x = product(x, &a).iter().zip(&b[t * k..]).map(|(v, b)| v * b).collect();
                *y = product(y, &at).iter().zip(&b[(5 - t) * k..]).map(|(v, b)| v * b).collect();
            }
            for (single, double) in x32[..k].iter().zip(&**x).chain(y32[..k].iter().zip(&**y)) {
                assert!((f64::from(*single) - double).abs() < 1e-5 * double, "{isa:?} {k}");
            }
        }
    }
}
