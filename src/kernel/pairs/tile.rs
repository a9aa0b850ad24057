//! Many points against many points: blocks of registers that keep every machine busy.
//!
//! Points lie in *panels*: a few points side by side, component after component, so that one load fetches the same component of as many
//! points as a register holds. The register tile takes `ROWS` points of one panel and all points of another: it loads three registers
//! of the second, spreads one number of the first over a register, and so has `3 * ROWS` independent totals under way. On AVX-512 that
//! is 83% of the machine's peak (98 of 118 GFLOP/s in f64 where this was measured), with the same panels on both sides.
//!
//! A total over `d` components is a sum of sums over [`DEPTH`] components each. Its value depends on the two points alone: not on where
//! they lie, on the other points or on the number of threads. With a symmetric step, the total of `(a, b)` is that of `(b, a)` to the
//! bit.

use super::finish::Finish;
use super::panels::{Panels, per_line};
use super::step::Step;
use crate::kernel::ahead::{expect_line_later, expect_reads, expect_write};
use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Isa, Simd, Task, dispatch_on};

/// Components that are summed before they go into the total: two panels of that depth fit into 48 KiB of first-level cache.
pub(crate) const DEPTH: usize = 128;

/// The side of a square of totals; a multiple of every panel's width. Three of them in f64 fit into 1 MiB of second-level cache.
pub(crate) const TILE: usize = 192;

/// Points of the first panel at a time, at most; every smaller number of them divides it.
const MOST_ROWS: usize = 8;

/// Components of a point that is short: some panels of such points fit into the first-level cache together.
const SHORT: usize = 8;

/// Points in the widest panel.
const WIDEST: usize = 48;

/// Where finished totals go, away from the square: a matrix from their first entry on.
#[derive(Clone, Copy)]
pub(super) struct Place<F> {
    pub(super) to: *mut F,
    /// From one row to the next.
    pub(super) stride: usize,
    /// Columns of the matrix that are theirs; its rows are the points of `x`.
    pub(super) columns: usize,
}

/// What `map` makes of the totals of the points of `x` from `i` on against those of `y` from `j` on, as many as there are, up to [`TILE`] of each, and
/// the least of the watched numbers: of these points, and of the zeros that fill incomplete panels.
///
/// `i` and `j` are multiples of `TILE`. What becomes of points `i + r` and `j + c` is `square[r * TILE + c]`; what stands in the rest of the square has no
/// meaning. With a place, it goes there instead, and of at most [`DEPTH`] components the square is not used.
///
/// # Safety
/// The place, if there is one, is writable for every point of `x` and all its columns, which are as many as there are points of `y`.
pub(super) unsafe fn filled<F: Element, P: Step<F>, M: Finish<F>>(
    (step, map): (P, M),
    [(x, i), (y, j)]: [(&Panels<F>, usize); 2],
    square: &mut [F],
    place: Option<Place<F>>,
) -> F {
    assert!(x.dim == y.dim && x.isa == y.isa && i.is_multiple_of(TILE) && j.is_multiple_of(TILE));
    assert!(square.len() == TILE * TILE || place.is_some() && (1..=DEPTH).contains(&x.dim));
    let [[x_part, x_beside], [y_part, y_beside]] = [x.part(i), y.part(j)];
    // Points against themselves: half of the totals are the other half.
    let half = std::ptr::eq(x, y) && i == j && place.is_none();
    let n = TILE.min(x.n.saturating_sub(i));
    let beside = [x_beside, y_beside];
    dispatch_on(x.isa, Square { step, map, dim: x.dim, x: x_part, n, y: y_part, beside, half, square, place })
}

/// A total, not watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsItIs;

impl<F: Element> Finish<F> for AsItIs {
    const WATCHES: bool = false;

    #[inline(always)]
    fn finish<S: Simd>(self, total: Lanes<F, S>, _: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        (total, total)
    }
}

struct Square<'a, F, P, M> {
    step: P,
    map: M,
    dim: usize,
    x: &'a [F],
    /// Points in `x`, without those that fill its last panel.
    n: usize,
    y: &'a [F],
    /// The numbers beside both.
    beside: [&'a [F]; 2],
    half: bool,
    square: &'a mut [F],
    place: Option<Place<F>>,
}

impl<F: Element, P: Step<F>, M: Finish<F>> Task for Square<'_, F, P, M> {
    type Output = F;

    #[inline(always)]
    fn run<S: Simd>(self) -> F {
        // Three totals for each row, three registers of the second panel and one of the first.
        match S::ISA {
            _ if P::LONG => self.by_rows::<S, 1>(),
            // Twice as many numbers at a time.
            Isa::Avx512 if P::TWOS => self.by_rows::<S, 4>(),
            Isa::Avx2 | Isa::Portable if P::TWOS => self.by_rows::<S, 2>(),
            Isa::Avx512 if M::LONG => self.by_rows::<S, 4>(),
            Isa::Avx512 => self.by_rows::<S, 8>(),
            Isa::Avx2 | Isa::Portable => self.by_rows::<S, 4>(),
        }
    }
}

impl<F: Element, P: Step<F>, M: Finish<F>> Square<'_, F, P, M> {
    #[inline(always)]
    fn by_rows<S: Simd, const ROWS: usize>(self) -> F {
        let Self { step, map, dim, x, n, y, beside, half, square, place } = self;
        let width = 3 * Lanes::<F, S>::N;
        if dim == 0 {
            let (nothing, watched) = map.finish(Lanes::<F, S>::zero(), Lanes::zero());
            square.chunks_exact_mut(Lanes::<F, S>::N).for_each(|square| nothing.store(square));
            return watched.least();
        }
        let mut least = Lanes::<F, S>::of(f64::INFINITY);
        let (panel, rows) = (width * dim, x.len() / (width * dim));
        assert!(n <= TILE && x.len() <= TILE * dim && y.len() <= TILE * dim);
        let sums = square.as_mut_ptr();
        let away = place.is_some();
        let Place { to, stride, columns } = place.unwrap_or(Place { to: sums, stride: TILE, columns: TILE });
        let mut edge = [F::ZERO; MOST_ROWS * WIDEST];
        // Columns of panels stay in the first-level cache; those of short points do all at once, and the results are written in longer runs.
        let by_rows = dim <= SHORT;
        let (groups, panels) = (n.div_ceil(ROWS), y.len() / panel);
        let (outer, inner) = if by_rows { (groups, panels) } else { (panels, groups) };
        for start in (0..dim).step_by(DEPTH) {
            let end = dim.min(start + DEPTH);
            let part = Part { more: start > 0, last: (end == dim).then_some(map), away };
            // Components that are wanted after these: of the same points, or the first ones of the next square to the right.
            let later = if end < dim {
                [&x[end * width..], &y[end * width..]].map(<[F]>::as_ptr)
            } else {
                [x.as_ptr(), y.as_ptr().wrapping_add(y.len())]
            };
            for a in 0..outer {
                for b in 0..inner {
                    let (group, column) = if by_rows { (a, b) } else { (b, a) };
                    let (row, first) = (group / (width / ROWS), group % (width / ROWS) * ROWS);
                    if half && row < column {
                        continue;
                    }
                    let [x, y] = [(x, row), (y, column)]
                        .map(|(points, i)| &points[i * panel..][start * width..end * width]);
                    // What the next call reads, and this one has not: other points of `x`, or of the next `y` after the last.
                    let soon = match first + ROWS {
                        _ if row + 1 == rows => y.as_ptr().wrapping_add(panel + first),
                        next if next < width => x.as_ptr().wrapping_add(next),
                        _ => x.as_ptr().wrapping_add(panel),
                    };
                    let piece = group * (end - start) / far::<F>(width, ROWS) * per_line::<F>();
                    let later = later.map(|start| start.wrapping_add(column * panel + piece));
                    let (r, c) = (row * width + first, column * width);
                    let at = (first, [x, y], Ahead { soon, later });
                    let beside = if M::BESIDE {
                        [&beside[0][r..r + ROWS], &beside[1][c..c + width]]
                    } else {
                        [&beside[0][..0]; 2]
                    };
                    let sums = (sums.wrapping_add(r * TILE + c), TILE);
                    let place = to.wrapping_add(r * stride + c);
                    // A block that reaches over the edge of a matrix goes there by a detour.
                    let inside = !away || r + ROWS <= n && c + width <= columns;
                    let to = if inside { (place, stride) } else { (edge.as_mut_ptr(), width) };
                    // SAFETY: `x` and `y` have at most `TILE` points and `width` and `ROWS` divide it, so these rows and columns are in the
                    // square, as they are in `edge`; the other place has `n` rows and `columns` columns. Where it is given, the only part of the
                    // sums is the last.
                    let watched =
                        unsafe { registers::<F, S, P, M, ROWS>(step, part, at, beside, [sums, to]) };
                    if M::WATCHES && end == dim {
                        least = least.min(watched);
                    }
                    if !inside {
                        let n_columns = width.min(columns - c);
                        for row in 0..ROWS.min(n - r) {
                            // SAFETY: row `r + row < n` of the place, and columns `c ..` of it, below `columns`.
                            unsafe {
                                let from = edge[row * width..][..n_columns].as_ptr();
                                place.wrapping_add(row * stride).copy_from_nonoverlapping(from, n_columns);
                            }
                        }
                    }
                }
            }
        }
        if half {
            for row in 0..n {
                for column in row + 1..n {
                    square[row * TILE + column] = square[column * TILE + row];
                }
            }
        }
        least.least()
    }
}

/// What is done with the sums of some components.
#[derive(Clone, Copy)]
struct Part<M> {
    /// They are added to those of the components before.
    more: bool,
    /// They are the last, and what becomes of the totals.
    last: Option<M>,
    /// That is written into a matrix, away from the sums.
    away: bool,
}

/// Where numbers lie that are wanted next, from one on in each place of a panel, and those wanted later, line after line.
#[derive(Clone, Copy)]
struct Ahead<F> {
    soon: *const F,
    later: [*const F; 2],
}

/// Components after which one more line is asked for ahead of time, so that a square asks for as many panels as it uses.
const fn far<F>(width: usize, rows: usize) -> usize {
    per_line::<F>() * (TILE / width) / rows
}

/// Totals of points `first .. first + ROWS` of panel `x` against all points of panel `y`, and the least of the watched numbers; `beside` has those of
/// these points, if they are of interest.
///
/// # Safety
/// Both places, for `sums` on the way and for what becomes of the last of them, have `ROWS` rows, so many entries apart as is said with each, of as
/// many entries as `y` has points.
#[inline(always)]
unsafe fn registers<F: Element, S: Simd, P: Step<F>, M: Finish<F>, const ROWS: usize>(
    step: P,
    part: Part<M>,
    (first, [x, y], ahead): (usize, [&[F]; 2], Ahead<F>),
    beside: [&[F]; 2],
    [(sums, from_sum_to_sum), (to, stride)]: [(*mut F, usize); 2],
) -> Lanes<F, S> {
    let n = Lanes::<F, S>::N;
    let width = 3 * n;
    assert!(first + ROWS <= width);
    let mut totals = [[Lanes::<F, S>::zero(); 3]; ROWS];
    if part.away {
        for row in 0..ROWS {
            (0..3).for_each(|l| expect_write(to.wrapping_add(row * stride + l * n)));
        }
    }
    let run = far::<F>(width, ROWS) * width;
    for (line, (x, y)) in x.chunks(run).zip(y.chunks(run)).enumerate() {
        ahead.later.iter().for_each(|start| expect_line_later(start.wrapping_add(line * per_line::<F>())));
        let soon = ahead.soon.wrapping_add(line * run);
        let (mut x, mut y) = (x, y);
        if P::TWOS {
            for (x, y) in x.chunks_exact(2 * width).zip(y.chunks_exact(2 * width)) {
                let y = |l: usize| [Lanes::load(&y[l * n..]), Lanes::load(&y[width + l * n..])];
                let y = [y(0), y(1), y(2)];
                for (row, totals) in totals.iter_mut().enumerate() {
                    let x = [x[first + row], x[width + first + row]].map(Lanes::splat);
                    for (total, y) in totals.iter_mut().zip(y) {
                        *total = step.two(*total, x, y);
                    }
                }
            }
            let whole = x.len() / (2 * width) * (2 * width);
            (x, y) = (&x[whole..], &y[whole..]);
        }
        for (k, (x, y)) in x.chunks_exact(width).zip(y.chunks_exact(width)).enumerate() {
            expect_reads(soon.wrapping_add(k * width), 1);
            let y = [Lanes::load(y), Lanes::load(&y[n..]), Lanes::load(&y[2 * n..])];
            for (row, totals) in totals.iter_mut().enumerate() {
                let x = Lanes::splat(x[first + row]);
                for (total, y) in totals.iter_mut().zip(y) {
                    *total = step.step(*total, x, y);
                }
            }
        }
    }
    // Loops of little each, over constants: what stays a loop has the totals in memory.
    let sum = |row: usize, l: usize| sums.wrapping_add(row * from_sum_to_sum + l * n);
    let mut least = Lanes::of(f64::INFINITY);
    // SAFETY: in each of the two places that the caller promises.
    unsafe {
        if part.more {
            for (row, totals) in totals.iter_mut().enumerate() {
                for (l, total) in totals.iter_mut().enumerate() {
                    *total = step.join(Lanes::read(sum(row, l)), *total);
                }
            }
        }
        if let (true, Some(map)) = (M::LONG, part.last) {
            for (row, &totals) in totals.iter().enumerate() {
                let mut sums = [Lanes::zero(); 3];
                if M::BESIDE {
                    for (l, sum) in sums.iter_mut().enumerate() {
                        *sum = Lanes::splat(beside[0][row]) + Lanes::load(&beside[1][l * n..]);
                    }
                }
                for (l, (value, watched)) in map.three(totals, sums).into_iter().enumerate() {
                    least = least.min(watched);
                    value.write(to.wrapping_add(row * stride + l * n));
                }
            }
        } else if let Some(map) = part.last {
            for (row, totals) in totals.iter().enumerate() {
                for (l, total) in totals.iter().enumerate() {
                    let beside = if M::BESIDE {
                        Lanes::splat(beside[0][row]) + Lanes::load(&beside[1][l * n..])
                    } else {
                        Lanes::zero()
                    };
                    let (value, watched) = map.finish(*total, beside);
                    least = least.min(watched);
                    value.write(to.wrapping_add(row * stride + l * n));
                }
            }
        } else {
            for (row, totals) in totals.iter().enumerate() {
                for (l, total) in totals.iter().enumerate() {
                    total.write(sum(row, l));
                }
            }
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pairs::tests::tile;
    use crate::kernel::simd::available;
    use crate::kernel::{
        LargestDifference, Product, SquaredDifference, SquaredDifferenceInParts, TwoRelativeDifferences,
    };

    /// Of the numbers of components, in Miri.
    const FEW: usize = if cfg!(miri) { 4 } else { usize::MAX };

    fn value(i: usize, k: usize) -> f64 {
        ((i * 31 + k * 17 + i * k) % 23) as f64 / 8.0 - 1.0
    }

    fn agrees<F: linfa::Float + Element, S: Step<F>>(step: S, naive: fn(f64, f64, f64) -> f64) {
        for isa in available() {
            for dim in (0..=9).chain([31, 32, 33, 64, 70, 127, 128, 129, 300]).take(FEW) {
                let (n, m) = (1 + dim % 50, TILE + 3);
                let panels = |n, shift: usize| {
                    Panels::new_on(isa, n, dim, |i, point: &mut [F]| {
                        point.iter_mut().enumerate().for_each(|(k, v)| *v = F::cast(value(i + shift, k)));
                        i
                    })
                };
                let ((x, numbers), (y, _)) = (panels(n, 0), panels(m, 5));
                assert!(numbers.into_iter().eq(0..n));
                let (mut out, mut turned) = (vec![F::zero(); TILE * TILE], vec![F::zero(); TILE * TILE]);
                for j in [0, TILE] {
                    tile(step, &x, 0, &y, j, &mut out);
                    tile(step, &y, j, &x, 0, &mut turned);
                    for r in 0..n {
                        for c in 0..TILE.min(m - j) {
                            let term = |total, k| naive(total, value(r, k), value(j + c + 5, k));
                            let (expected, got) = ((0..dim).fold(0.0, term), out[r * TILE + c]);
                            assert_eq!(got, F::cast(expected), "{isa:?} dim {dim}, {r} {c}");
                            assert_eq!(got, turned[c * TILE + r]);
                        }
                    }
                }
            }
        }
    }

    /// Terms over one denominator are those over their own, also where components are 0 or at the ends of the range.
    fn terms_agree<F: linfa::Float + Element + crate::kernel::exp::Exponential>() {
        let range = TwoRelativeDifferences::range::<F>(F::epsilon().to_f64().unwrap());
        let near_least = 1.0 + F::epsilon().to_f64().unwrap();
        let kinds = [0.0, *range.start(), *range.start() * near_least, -0.7, 1.0, 1.5, *range.end()];
        let component = |i: usize, k: usize| F::cast(kinds[(i * 5 + k * 3 + i * k / 7) % 7]);
        for isa in available() {
            for dim in (0..=70).take(FEW) {
                let panels = |n, shift: usize| {
                    Panels::new_on(isa, n, dim, |i, point: &mut [F]| {
                        point.iter_mut().enumerate().for_each(|(k, v)| *v = component(i + shift, k));
                    })
                    .0
                };
                let (x, y) = (panels(30, 0), panels(20, 3));
                let (mut out, mut turned) = (vec![F::zero(); TILE * TILE], vec![F::zero(); TILE * TILE]);
                tile(TwoRelativeDifferences, &x, 0, &y, 0, &mut out);
                tile(TwoRelativeDifferences, &y, 0, &x, 0, &mut turned);
                for r in 0..30 {
                    for c in 0..20 {
                        let term = |k| {
                            let (a, b): (F, F) = (component(r, k), component(c + 3, k));
                            let (a, b) = (a.to_f64().unwrap(), b.to_f64().unwrap());
                            if a == b { 0.0 } else { (a - b).abs() / (a.abs() + b.abs()) }
                        };
                        let (expected, got) = ((0..dim).map(term).sum::<f64>(), out[r * TILE + c]);
                        let error = (got.to_f64().unwrap() - expected).abs();
                        let bound = expected * F::epsilon().to_f64().unwrap() * 40.0;
                        assert!(error <= bound, "{isa:?} dim {dim}, {r} {c}: {got} {expected}");
                        assert_eq!(got, turned[c * TILE + r]);
                    }
                }
            }
        }
    }

    #[test]
    fn two_terms_over_one_denominator_are_the_naive_terms() {
        terms_agree::<f64>();
        terms_agree::<f32>();
    }

    #[test]
    fn differences_of_numbers_in_two_parts_keep_the_digits_of_the_second() {
        for isa in available() {
            // One third and what is left of it, and a number that differs in the last place of the second part.
            let first = 1.0 / 3.0_f32;
            let second = (1.0 / 3.0 - f64::from(first)) as f32;
            let component = |i: usize, k: usize| match k % 2 {
                0 => first,
                _ => second + i as f32 * 2f32.powi(-48),
            };
            for dim in [2, 4, 6, 8].into_iter().take(FEW) {
                let write = |i: usize, point: &mut [f32]| {
                    point.iter_mut().enumerate().for_each(|(k, v)| *v = component(i, k));
                };
                let (x, _) = Panels::new_on(isa, 20, dim, write);
                let mut out = vec![0.0_f32; TILE * TILE];
                tile(SquaredDifferenceInParts, &x, 0, &x, 0, &mut out);
                for r in 0..20 {
                    for c in 0..20 {
                        let d = f64::from(component(r, 1)) - f64::from(component(c, 1));
                        let expected = (dim / 2) as f64 * d * d;
                        let got = f64::from(out[r * TILE + c]);
                        assert!(
                            (got - expected).abs() <= 1e-6 * expected,
                            "{isa:?} {r} {c}: {got} {expected}"
                        );
                        assert_eq!(out[r * TILE + c], out[c * TILE + r]);
                    }
                }
            }
        }
    }

    #[test]
    fn tiles_of_every_width_and_depth_are_the_naive_totals() {
        // Eighths below 4: every sum is exact in both types, in any order.
        agrees::<f64, _>(Product, |total, a, b| total + a * b);
        agrees::<f32, _>(Product, |total, a, b| total + a * b);
        agrees::<f64, _>(SquaredDifference, |total, a, b| total + (a - b) * (a - b));
        agrees::<f32, _>(LargestDifference, |total, a, b| f64::max(total, (a - b).abs()));
    }
}
