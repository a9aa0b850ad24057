//! Compressed clouds: those that the reference compressor wrote are read to the last digit, damaged ones are errors.

mod memory;

use memory::peak_of;
use sapwood::ndarray::Array2;
use sapwood::{Error, io};

struct Cloud {
    name: String,
    bytes: Vec<u8>,
    points: Array2<f64>,
}

/// The clouds of `make_laz.py`, with the points that went in.
fn clouds() -> Vec<Cloud> {
    let fixtures: serde_json::Value = serde_json::from_str(include_str!("fixtures/laz.json")).unwrap();
    let cloud = |file: &serde_json::Value| {
        let hex = file["hex"].as_str().unwrap();
        let bytes =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        let n = file["n"].as_u64().unwrap() as usize;
        let whole = |i: i64| match file["points"].as_str() {
            Some("lattice") => [i % 250, i / 250, 0],
            _ => [i * i * 37 % 10007 - 5000, i * 911 % 4001 + i, i % 7 * 1000 - i * i],
        };
        let (scales, offsets) = ([0.01, 0.001, 0.5], [1000.0, -20.0, 3.25]);
        let points =
            Array2::from_shape_fn((n, 3), |(i, k)| whole(i as i64)[k] as f64 * scales[k] + offsets[k]);
        Cloud {
            name: format!("format {}, extra {}, {n} points", file["format"], file["extra"]),
            bytes,
            points,
        }
    };
    fixtures["files"].as_array().unwrap().iter().map(cloud).collect()
}

#[test]
fn what_laszip_wrote_is_read_to_the_last_digit() {
    let clouds = clouds();
    assert!(clouds.len() >= 16);
    for Cloud { name, bytes, points } in clouds {
        assert_eq!(io::parse_las::<f64>(&bytes).unwrap(), points, "{name}");
        assert_eq!(io::parse_las::<f32>(&bytes).unwrap(), points.mapv(|x| x as f32), "{name}");
    }
    let path = std::env::temp_dir().join(format!("sapwood_{}.LAZ", std::process::id()));
    let Cloud { bytes, points, .. } = self::clouds().remove(0);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(io::read_points::<f64>(&path).unwrap(), points);
    std::fs::remove_file(path).unwrap();
}

/// Reads bytes that may be damaged: an answer or an error of format, and memory in proportion to both.
fn read(bytes: &[u8], name: &str) -> Option<String> {
    let (result, peak) = peak_of(|| io::parse_las::<f64>(bytes));
    let points = result.as_ref().map_or(0, Array2::nrows);
    // The models of a decoder take 300 kB or so, the backtrace of one of its assertions up to 50 MB; a length taken on trust up to 4 GB.
    assert!(peak <= (100 << 20) + 256 * points, "{name}: {peak} bytes");
    match result {
        Ok(_) => None,
        Err(Error::Format { .. }) => Some(result.unwrap_err().to_string()),
        Err(error) => panic!("{name}: {error}"),
    }
}

#[test]
fn a_damaged_file_is_an_error_or_other_points() {
    for Cloud { name, bytes, .. } in clouds().into_iter().filter(|cloud| cloud.bytes.len() < 4000).step_by(6)
    {
        for end in (0..bytes.len()).step_by(61) {
            read(&bytes[..end], &format!("{name}, the first {end} bytes"));
        }
        for at in (94..bytes.len()).step_by(3) {
            let mut damaged = bytes.clone();
            damaged[at] = [0, 1, 0x7f, 0xff, bytes[at] ^ 0x10][at * 7 % 5];
            read(&damaged, &format!("{name}, byte {at} is {}", damaged[at]));
        }
    }
}

#[test]
fn a_compressed_file_that_lies_is_named() {
    let file = |format: &str| {
        let cloud = clouds().into_iter().find(|cloud| cloud.name.starts_with(format)).unwrap();
        let vlr = cloud.bytes.windows(14).position(|bytes| bytes == b"laszip encoded").unwrap() + 52;
        (cloud.bytes, vlr)
    };
    let (stream, vlr) = file("format 1, ");
    let set = |bytes: &[u8], at: usize, with: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[at..at + with.len()].copy_from_slice(with);
        read(&bytes, "a lie").expect("an error")
    };
    assert!(
        set(&stream, 107, &[0xff; 4]).contains("expected at most 1024 points a byte, found 4294967295 in ")
    );
    assert!(set(&stream, 107, &[0xff, 0, 0, 0]).contains("expected 255 compressed points, found "));
    assert!(set(&stream, 105, &[29]).contains("expected items that make a record, found 28 bytes of 29"));
    assert!(set(&stream, vlr, &[0]).contains("expected compressor 1 to 3 and coder 0, found 0 and 0"));
    assert!(set(&stream, vlr, &[3]).contains("expected items of one record, the point first"));
    assert!(set(&stream, vlr + 12, &[0; 4]).contains("expected chunks of one size"));
    assert!(set(&stream, vlr + 32, &[0, 0]).contains("expected 1 to 16 items of compression, found 0 in "));
    assert!(
        set(&stream, vlr + 34, &[99]).contains("expected items of compression, found Item with type code")
    );
    assert!(
        set(&stream, vlr - 50, b"L")
            .contains("expected an entry `laszip encoded` before the points, found none")
    );
    let (layers, _) = file("format 6, ");
    let data = u32::from_le_bytes([0, 1, 2, 3].map(|i| layers[96 + i])) as usize;
    // The number of points of the chunk, and the size of its first layer.
    assert!(set(&layers, data + 8 + 30, &[0; 4]).contains("found a chunk of 0 points and "));
    assert!(set(&layers, data + 8 + 34, &[0xff; 4]).contains("found a chunk of 90 points and 42949"));
}
