//! A file larger than memory: mapped, cut into parts with a halo, clustered part by part, and merged to the labels of one run.
//!
//! `cargo run --release --example cluster_in_parts [FILE.npy EPS MIN_SAMPLES PARTS]`: f32 points in C order. Without arguments it writes 400,000 points of a
//! street to a temporary file first, and checks the merged labels against those of one run.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

#[path = "cluster_point_cloud/scene.rs"]
mod scene;

use std::time::Instant;

use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::ArrayView2;
use sapwood::{Dbscan, dbscan, io};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, eps, min_samples, parts, is_ours) = match &arguments[..] {
        [path, eps, min_samples, parts] => {
            (path.into(), eps.parse()?, min_samples.parse()?, parts.parse()?, false)
        }
        _ => {
            let path = std::env::temp_dir().join(format!("street-{}.npy", std::process::id()));
            io::write_npy(&path, &scene::street(400_000, 1).0)?;
            (path, 0.5, 10, 8, true)
        }
    };

    // SAFETY: nobody writes to the file while it is mapped.
    #[allow(unsafe_code, reason = "the operating system cannot promise that for us")]
    let map = unsafe { memmap2::Mmap::map(&std::fs::File::open(&path)?)? };
    let points = view_npy(&map).ok_or("not a matrix of f32 in C order, in NPY version 1")?;

    // Each part is copied out of the map, clustered, and forgotten but for its labels. Another machine could do it as well.
    let params = Dbscan::params(min_samples).eps(eps);
    let start = Instant::now();
    let mut found = Vec::new();
    for part in dbscan::partition(&points, eps, parts)? {
        found.push(params.cluster_part(&part)?);
        let (owned, around) = (part.owned().len(), part.rows().len() - part.owned().len());
        println!("part {}: {owned} points, {around} more around them", found.len());
    }
    let clusters = dbscan::merge(&found)?;
    println!(
        "{} points in {} clusters, {} noise, after {:.2} s",
        points.nrows(),
        clusters.n_clusters(),
        clusters.n_noise(),
        start.elapsed().as_secs_f64()
    );

    if is_ours {
        let model = params.fit(&DatasetBase::from(points))?;
        assert_eq!(clusters.labels(), model.labels());
        assert_eq!(clusters.core_samples(), model.core_samples());
        std::fs::remove_file(&path)?;
        println!("one run gives the same labels");
    }
    Ok(())
}

/// The matrix that a NPY file holds, where it lies.
fn view_npy(bytes: &[u8]) -> Option<ArrayView2<'_, f32>> {
    let body = 10 + usize::from(u16::from_le_bytes([*bytes.get(8)?, *bytes.get(9)?]));
    let header = str::from_utf8(bytes.get(10..body)?).ok()?;
    if !header.contains("'descr': '<f4'") || !header.contains("'fortran_order': False") {
        return None;
    }
    let (_, shape) = header.split_once("'shape': (")?;
    let mut sizes = shape.split([',', ')']).map(|size| size.trim().parse::<usize>());
    let (rows, columns) = (sizes.next()?.ok()?, sizes.next()?.ok()?);
    // SAFETY: every pattern of bits is an f32.
    #[allow(unsafe_code, reason = "the bytes of a file become numbers without a copy")]
    let (before, values, _) = unsafe { bytes[body..].align_to::<f32>() };
    let values = values.get(..rows.checked_mul(columns)?).filter(|_| before.is_empty())?;
    ArrayView2::from_shape((rows, columns), values).ok()
}
