//! NPY and CSV: whatever the bytes, an error or a table; a table that is written comes back.

use sapwood::io::{self, CsvOptions};
use sapwood::ndarray::Array2;
use sapwood::{Error, Float, Result};

pub(crate) fn target(bytes: &[u8]) {
    let Some((&kind, file)) = bytes.split_first() else { return };
    match kind {
        0..=63 => {
            npy::<f32>(file);
            npy::<f64>(file);
            let _ = refused_by_format(io::parse_npy_i64(file));
        }
        _ => {
            let mut options = CsvOptions::default();
            if kind & 1 == 1 {
                options = options.header(kind & 2 == 2);
            }
            if kind & 4 == 4 {
                options = options.delimiter(b",;\t |a\"\xff"[usize::from(kind >> 3 & 7)]);
            }
            if kind >= 192 {
                options = options.columns(&[usize::from(kind & 1), 0, usize::from(kind >> 1 & 3)]);
            }
            csv::<f32>(file, &options);
            csv::<f64>(file, &options);
        }
    }
}

/// Files are refused with a place in them, options by their name.
pub(super) fn refused_by_format<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::Format { .. } | Error::Parameter { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Equal bits, or both NaN.
pub(super) fn same<F: Float>(a: &Array2<F>, b: &Array2<F>) -> bool {
    let equal = |(a, b): (&F, &F)| {
        (a == b && a.is_sign_negative() == b.is_sign_negative()) || (a.is_nan() && b.is_nan())
    };
    a.dim() == b.dim() && a.iter().zip(b).all(equal)
}

fn npy<F: Float + io::NpyElement>(file: &[u8]) {
    let Some(table) = refused_by_format(io::parse_npy::<F>(file)) else { return };
    let mut written = Vec::new();
    io::write_npy_to(&mut written, &table).expect("memory takes all");
    assert!(same(&table, &io::parse_npy(&written).expect("what was written")));
}

fn csv<F: Float>(file: &[u8], options: &CsvOptions) {
    let Some(table) = refused_by_format(io::parse_csv::<F>(file, options)) else { return };
    assert!(!table.is_empty());
    let mut written = Vec::new();
    io::write_csv_to(&mut written, &table).expect("memory takes all");
    let plain = CsvOptions::default().header(false);
    assert!(same(&table, &io::parse_csv(&written, &plain).expect("what was written")));
}
