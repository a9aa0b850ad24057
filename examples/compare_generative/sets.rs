//! Sets of rows with classes: made ones, real ones.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::linfa::Dataset;
use sapwood::ndarray::{Array2, s};
use sapwood::{Error, io};

pub(crate) type Data = Dataset<f64, usize, sapwood::ndarray::Ix1>;

/// Twenty features; Gaussian classes with one covariance, or lognormal ones, which LDA does not expect.
fn made(skewed: bool) -> Data {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut normal = move || (0..12).map(|_| rng.r#gen::<f64>()).sum::<f64>() - 6.0;
    let x = Array2::from_shape_fn((6000, 20), |(i, j)| {
        let value = normal() + if i % 2 == 1 { 0.9 / (1.0 + j as f64 / 4.0) } else { 0.0 };
        if skewed { (1.5 * value).exp() } else { value }
    });
    Dataset::new(x, (0..6000).map(|i| i % 2).collect())
}

/// Columns of numbers, the last one the class.
fn table(rows: Array2<f64>) -> Data {
    let y = rows.column(rows.ncols() - 1).mapv(|v| v as usize);
    Dataset::new(rows.slice(s![.., ..-1]).to_owned(), y)
}

fn digits() -> Data {
    let lines: Vec<&[u8]> =
        include_str!("../../tests/fixtures/digits.txt").lines().map(str::as_bytes).collect();
    let digit = |c: u8| (c as char).to_digit(17).unwrap_or(0) as usize;
    let x = Array2::from_shape_fn((lines.len(), 64), |(i, j)| digit(lines[i][j]) as f64);
    Dataset::new(x, lines.iter().map(|line| digit(line[65])).collect())
}

/// Each set by its name.
pub(crate) fn sets() -> Result<Vec<(&'static str, Data)>, Error> {
    let options = io::CsvOptions::default().delimiter(b' ').header(false);
    let cancer = io::parse_csv(include_bytes!("../../tests/fixtures/breast_cancer.txt"), &options)?;
    let mut sets = vec![
        ("Gaussian", made(false)),
        ("lognormal", made(true)),
        ("breast cancer", table(cancer)),
        ("digits", digits()),
    ];
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/cls");
    if let Ok(x) = io::read_npy::<f64>(format!("{directory}/spambase/X.npy")) {
        let y = io::read_npy_i64(format!("{directory}/spambase/y.npy"))?;
        sets.push(("spambase", Dataset::new(x, y.mapv(|y| y as usize))));
    }
    let options = io::CsvOptions::default().header(false);
    if let Ok(rows) = io::read_csv(format!("{directory}/banknote/banknote.csv"), &options) {
        sets.push(("banknote", table(rows)));
    }
    Ok(sets)
}
