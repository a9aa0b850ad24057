//! One axis: its limits, where a value lies between them, and ticks at round numbers.

/// Limits of an axis, linear or logarithmic to base 10.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    pub(crate) lo: f64,
    pub(crate) hi: f64,
    log: bool,
}

impl Axis {
    /// The axis that holds the finite ones of `values`, and 0 to 1 where there is none.
    pub(crate) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let (lo, hi) = limits(values.filter(|v| v.is_finite())).unwrap_or((0.0, 1.0));
        // A constant needs room around it.
        let pad = if lo < hi { 0.0 } else { (lo.abs() / 2.0).max(f64::MIN_POSITIVE) };
        let pad = if lo == 0.0 && hi == 0.0 { 1.0 } else { pad };
        Self { lo: (lo - pad).max(f64::MIN), hi: (hi + pad).min(f64::MAX), log: false }
    }

    /// The axis over the decades of the positive ones of `values`.
    pub(crate) fn log(values: impl Iterator<Item = f64>) -> Self {
        let positive = values.filter(|v| *v > 0.0 && v.is_finite()).map(f64::log10);
        let (lo, hi) = limits(positive).unwrap_or((0.0, 1.0));
        let pad = if lo < hi { 0.0 } else { 0.5 };
        Self { lo: lo - pad, hi: hi + pad, log: true }
    }

    /// The same axis, longer at both ends by `share` of its length.
    pub(crate) fn widened(self, share: f64) -> Self {
        let pad = (self.hi / 2.0 - self.lo / 2.0) * (2.0 * share);
        Self { lo: (self.lo - pad).max(f64::MIN), hi: (self.hi + pad).min(f64::MAX), ..self }
    }

    /// Where `value` lies: 0 at the lower limit, 1 at the upper. `None` where an axis cannot show it.
    pub(crate) fn fraction(&self, value: f64) -> Option<f64> {
        let v = if self.log { value.log10() } else { value };
        // Halves, because the length of an axis from -1e308 to 1e308 is no f64.
        let t = (v / 2.0 - self.lo / 2.0) / (self.hi / 2.0 - self.lo / 2.0);
        (v.is_finite() && t.is_finite()).then_some(t)
    }

    /// About `n` ticks at 1, 2 or 5 times a power of ten, each with its text.
    pub(crate) fn ticks(&self, n: usize) -> Vec<(f64, String)> {
        if !self.log {
            return round_ticks(self.lo, self.hi, n);
        }
        if self.hi - self.lo < 2.5 {
            // Few decades: 1, 2 and 5 of each.
            let decades = self.lo.floor() as i32..=self.hi.ceil() as i32;
            let steps = decades.flat_map(|exponent| [1, 2, 5].map(|digit| (digit, exponent)));
            return steps
                .map(|(digit, exponent)| (f64::from(digit) * 10_f64.powi(exponent), digit, exponent))
                .filter(|(value, ..)| (self.lo..=self.hi).contains(&value.log10()))
                .map(|(value, digit, exponent)| (value, power_text(digit, exponent)))
                .collect();
        }
        let stride = ((self.hi - self.lo) / n.max(1) as f64).ceil().max(1.0);
        let (first, last) = ((self.lo / stride).ceil() as i32, (self.hi / stride).floor() as i32);
        (first..=last)
            .map(|i| {
                let exponent = i * stride as i32;
                (10_f64.powi(exponent), power_text(1, exponent))
            })
            .collect()
    }
}

/// `digit` times ten to the `exponent`.
fn power_text(digit: i32, exponent: i32) -> String {
    if (-4..=5).contains(&exponent) {
        plain(f64::from(digit) * 10_f64.powi(exponent), usize::try_from(-exponent).unwrap_or(0))
    } else {
        format!("{digit}e{exponent}").replace('-', "\u{2212}")
    }
}

/// Least and greatest of `values`.
pub(crate) fn limits(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((lo, hi)) => Some((lo.min(v), hi.max(v))),
    })
}

fn round_ticks(lo: f64, hi: f64, n: usize) -> Vec<(f64, String)> {
    let raw = (hi / 2.0 - lo / 2.0) / (n.max(2) as f64 / 2.0);
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&step| step >= raw * (1.0 - 1e-9));
    let Some(step) = step.filter(|step| step.is_normal()) else { return Vec::new() };
    let (first, last) = ((lo / step - 1e-9).ceil(), (hi / step + 1e-9).floor());
    let largest = lo.abs().max(hi.abs());
    let decimals = (-step.log10().floor()).max(0.0);
    (0..=2 * n)
        .map(|i| first + i as f64)
        .take_while(|&i| i <= last)
        .map(|i| {
            let value = i * step + 0.0; // -0 would print its sign
            let text = if largest >= 1e8 || decimals > 5.0 {
                let digits = if value == 0.0 {
                    0.0
                } else {
                    (value.abs().log10().floor() - step.log10().floor()).max(0.0)
                };
                format!("{value:.*e}", digits.min(16.0) as usize)
            } else {
                plain(value, decimals as usize)
            };
            (value, text.replace('-', "\u{2212}"))
        })
        .collect()
}

/// `value` with a comma between thousands from 10,000 on.
fn plain(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if value.abs() < 1e4 || decimals > 0 { text } else { grouped(&text) }
}

/// `n` with commas between its thousands.
pub(crate) fn count(n: usize) -> String {
    grouped(&n.to_string())
}

fn grouped(digits: &str) -> String {
    let start = usize::from(digits.starts_with('-'));
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > start && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: Axis) -> Vec<String> {
        axis.ticks(5).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_stand_at_round_numbers() {
        assert_eq!(texts(Axis::linear([-0.1, 1.05].into_iter())), ["0.0", "0.5", "1.0"]);
        assert_eq!(texts(Axis::linear([-7.0, 11.0].into_iter())), ["\u{2212}5", "0", "5", "10"]);
        assert_eq!(texts(Axis::linear([0.0, 50e3].into_iter()))[1], "10,000");
        assert_eq!(texts(Axis::linear([1e9, 1e9 + 4.0].into_iter()))[1], "1.000000001e9");
        assert_eq!(texts(Axis::log([0.001, 100.0, -3.0].into_iter()))[..2], ["0.001", "0.01"]);
        assert_eq!(texts(Axis::log([0.1, 2.5].into_iter())), ["0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(texts(Axis::log([1e-9, 1e20].into_iter()))[0], "1e\u{2212}6");
    }

    #[test]
    fn every_axis_has_a_length_and_few_ticks() {
        let cases: [&[f64]; 9] = [
            &[],
            &[f64::NAN],
            &[0.0],
            &[7.0, 7.0],
            &[f64::MIN, f64::MAX],
            &[5e-324],
            &[f64::MAX],
            &[1.0, 1.0 + f64::EPSILON],
            &[1e-300, 1e300],
        ];
        for values in cases {
            for axis in [Axis::linear(values.iter().copied()), Axis::log(values.iter().copied())] {
                for axis in [axis, axis.widened(0.03)] {
                    assert!(axis.lo < axis.hi, "{values:?}");
                    assert!(axis.ticks(5).len() <= 11, "{values:?}");
                }
            }
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(["7", "999", "1,000", "1,234,567"], [7, 999, 1000, 1_234_567].map(count)[..]);
        assert_eq!(grouped("-123456"), "-123,456");
    }
}
