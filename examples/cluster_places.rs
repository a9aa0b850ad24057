//! Places on the earth by great-circle distance: regions where airports lie close together.
//!
//! `cargo run --release --example cluster_places`: takes the runways of `../shared/data` if they are there (longitude and latitude in degrees), and else
//! places made around a few cities, on both sides of the date line. Writes `places.svg`.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use std::f64::consts::PI;

use sapwood::dbscan::Metric;
use sapwood::distance::{Haversine, points};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array2, Axis, array, s};
use sapwood::{Dbscan, io, plot::Figure};

/// Mean radius of the earth, km.
const EARTH: f64 = 6371.0088;

/// Two places this near are neighbours, km.
const NEAR: f64 = 150.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/points/runways_lonlat/X.npy");
    let lon_lat = if std::fs::exists(file)? { io::read_points::<f64>(file)? } else { around_cities() };

    // The distance wants latitude first, in radians.
    let mut radians = lon_lat.mapv(f64::to_radians);
    radians.invert_axis(Axis(1));
    let params = Dbscan::params(20).eps(NEAR / EARTH).metric(Metric::Haversine);
    let model = params.fit(&DatasetBase::from(radians.view()))?;
    println!("{} places, {} regions, {} places alone", lon_lat.nrows(), model.n_clusters(), model.n_noise());

    let mut sizes = vec![0; model.n_clusters()];
    model.labels().iter().flatten().for_each(|&label| sizes[label] += 1);
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&label| std::cmp::Reverse(sizes[label]));
    println!("places   one of them (lat, lon)");
    for &label in order.iter().take(8) {
        let row = model.labels().iter().position(|l| *l == Some(label)).ok_or("a region without a place")?;
        println!("{:6}   {:7.2}, {:7.2}", sizes[label], lon_lat[[row, 1]], lon_lat[[row, 0]]);
    }

    // Where does a traveller land who asks for a region? Berlin, Fiji, and the middle of the Pacific.
    let asked = array![[52.52, 13.405], [-17.75, 177.45], [0.0, -140.0]].mapv(f64::to_radians);
    println!("Berlin, Fiji, the Pacific: {:?}", model.try_predict(&asked)?.to_vec());
    assert_eq!(model.try_predict(&asked)?[2], None);

    Figure::clusters(&lon_lat.slice(s![.., ..2]), model.labels())?
        .title("Regions where places lie close together")
        .subtitle(format!("at least 20 within {NEAR} km, along the great circle"))
        .axes(["longitude (degrees)", "latitude (degrees)"])
        .save("places.svg")?;
    println!("wrote places.svg");

    // A core point has 20 places within reach, itself included, by the formula too.
    let core = model.core_samples()[0];
    let reach = |row: usize| points(radians.row(core), radians.row(row), Haversine);
    let near = (0..radians.nrows()).filter(|&row| reach(row).is_ok_and(|d| d * EARTH <= NEAR)).count();
    assert!(near >= 20);
    Ok(())
}

/// Longitude and latitude of 3,000 places; some around Fiji, where longitudes jump from 180 to -180.
fn around_cities() -> Array2<f64> {
    let cities = [[13.4, 52.5], [-74.0, 40.7], [179.9, -17.0], [139.7, 35.7], [-46.6, -23.5]];
    let mut state = 3_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    Array2::from_shape_fn((3000, 2), |(i, j)| {
        let city = cities[i % cities.len()];
        let shifted =
            city[j] + 3.0 * (random() - 0.5) / if j == 0 { (city[1] * PI / 180.0).cos() } else { 1.0 };
        if shifted > 180.0 { shifted - 360.0 } else { shifted }
    })
}
