//! PLY, PCD and LAS: whatever the bytes, an error or points; PLY points that are written come back.

use sapwood::io::{self, XYZ};
use sapwood::{Float, Result, ndarray::Array2};

use super::tables::{refused_by_format, same};

pub(crate) fn target(bytes: &[u8]) {
    let Some((&kind, file)) = bytes.split_first() else { return };
    let fields: &[&str] = match kind / 3 % 4 {
        0 | 1 => &XYZ,
        2 => &["x"],
        _ => &["intensity", "x", "x"],
    };
    match kind % 3 {
        0 => {
            if let Some(points) = in_both(|| io::parse_ply(file, fields), || io::parse_ply(file, fields)) {
                ply_comes_back(&points);
            }
        }
        1 => drop(in_both(|| io::parse_pcd(file, fields), || io::parse_pcd(file, fields))),
        _ => drop(in_both(|| io::parse_las(file), || io::parse_las(file))),
    }
}

/// Reads as `f32` and as `f64`: both are refused, or they agree. In text, a number beyond the range of its type is refused.
fn in_both(
    narrow: impl FnOnce() -> Result<Array2<f32>>,
    wide: impl FnOnce() -> Result<Array2<f64>>,
) -> Option<Array2<f64>> {
    let (narrow, wide) = (refused_by_format(narrow()), refused_by_format(wide()));
    let Some(wide) = wide else {
        assert!(narrow.is_none());
        return None;
    };
    match narrow {
        None => assert!(wide.iter().any(|x| x.is_finite() && (*x as f32).is_infinite())),
        // Digits are rounded once; through f64, twice.
        Some(narrow) => assert!(narrow.iter().zip(&wide).all(|(&a, &b)| {
            let b = b as f32;
            a == b || (a.is_nan() && b.is_nan()) || a == b.next_up() || a == b.next_down()
        })),
    }
    Some(wide)
}

fn ply_comes_back<F: Float>(points: &Array2<F>) {
    if points.ncols() != 3 {
        return;
    }
    let labels: Vec<Option<usize>> = (0..points.nrows()).map(|row| row.checked_sub(1)).collect();
    let mut written = Vec::new();
    io::write_ply_to(&mut written, points, &labels).expect("memory takes all");
    assert!(same(points, &io::parse_ply(&written, &XYZ).expect("what was written")));
}
