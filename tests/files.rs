//! Files of every format: the variants that other programs write, what is written reads back, and damage is
//! harmless.

mod memory;

use memory::peak_of;
use ndarray::{Array2, ShapeBuilder, array};
use proptest::prelude::*;
use sapwood::io::{self, CsvOptions, XYZ};

fn npy(version: u8, dictionary: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0];
    let len = (dictionary.len() as u32).to_le_bytes();
    bytes.extend(if version == 1 { &len[..2] } else { &len });
    bytes.extend(dictionary.bytes());
    bytes.extend(body);
    bytes
}

fn bytes_of<const N: usize>(values: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
    values.into_iter().flatten().collect()
}

#[test]
fn npy_of_every_version_order_and_byte_order_is_read() {
    let rows = [1.5_f32, -2.0, 3.0, 4.0, 5.0, 6.0];
    let columns = [1.5_f32, 4.0, -2.0, 5.0, 3.0, 6.0];
    let expected = array![[1.5, -2.0, 3.0], [4.0, 5.0, 6.0]];
    for version in [1, 2, 3] {
        for (fortran, values) in [("False", rows), ("True", columns)] {
            for (descr, body) in [
                ("<f4", bytes_of(values.map(f32::to_le_bytes))),
                (">f4", bytes_of(values.map(f32::to_be_bytes))),
                ("=f4", bytes_of(values.map(f32::to_ne_bytes))),
                ("<f8", bytes_of(values.map(|x| f64::from(x).to_le_bytes()))),
                (">f8", bytes_of(values.map(|x| f64::from(x).to_be_bytes()))),
            ] {
                let header =
                    format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': (2, 3), }}\n");
                let file = npy(version, &header, &body);
                let x = io::parse_npy::<f64>(&file).unwrap();
                assert_eq!(x, expected, "{version} {header}");
                assert!(x.is_standard_layout());
                assert_eq!(io::parse_npy::<f32>(&file).unwrap(), expected.mapv(|x| x as f32));
            }
        }
    }
}

#[test]
fn npy_of_integers_and_booleans_is_converted() {
    for (descr, body, expected) in [
        ("|i1", vec![0xff, 2], [-1, 2]),
        ("|u1", vec![0xff, 2], [255, 2]),
        ("|b1", vec![0, 1], [0, 1]),
        ("<i2", bytes_of([-1_i16, 2].map(i16::to_le_bytes)), [-1, 2]),
        (">u2", bytes_of([65535_u16, 2].map(u16::to_be_bytes)), [65535, 2]),
        (">i4", bytes_of([-1_i32, 2].map(i32::to_be_bytes)), [-1, 2]),
        ("<u4", bytes_of([u32::MAX, 2].map(u32::to_le_bytes)), [0xffff_ffff, 2]),
        ("<i8", bytes_of([-1_i64, 2].map(i64::to_le_bytes)), [-1, 2]),
        (">u8", bytes_of([1_u64 << 40, 2].map(u64::to_be_bytes)), [1 << 40, 2]),
    ] {
        let file = npy(1, &format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2,), }}"), &body);
        assert_eq!(io::parse_npy_i64(&file).unwrap().to_vec(), expected, "{descr}");
        let expected = array![[expected[0] as f64], [expected[1] as f64]];
        assert_eq!(io::parse_npy::<f64>(&file).unwrap(), expected, "{descr}");
    }
}

#[test]
fn npy_headers_of_other_hands_are_read() {
    for header in [
        "{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"<f4\"}",
        "  { 'fortran_order' : True , 'descr' : '<f4' , 'shape' : ( 1L , 2L , ) , }   \n",
    ] {
        let file = npy(1, header, &bytes_of([1.0_f32, 2.0].map(f32::to_le_bytes)));
        assert_eq!(io::parse_npy::<f64>(&file).unwrap(), array![[1.0, 2.0]]);
    }
    let empty = npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }", &[]);
    assert_eq!(io::parse_npy::<f64>(&empty).unwrap().dim(), (0, 3));
}

/// `numpy.save` of `numpy.array([[1, -2]], '>i2')`, byte for byte.
#[test]
fn a_file_of_numpy_is_read_and_ours_is_the_same_as_numpys() {
    let mut file =
        b"\x93NUMPY\x01\x00v\x00{'descr': '>i2', 'fortran_order': False, 'shape': (1, 2), }".to_vec();
    file.resize(127, b' ');
    file.extend(b"\n\x00\x01\xff\xfe");
    assert_eq!(io::parse_npy::<f64>(&file).unwrap(), array![[1.0, -2.0]]);

    let mut ours = Vec::new();
    io::write_npy_to(&mut ours, &array![1_i64]).unwrap();
    let mut numpys =
        b"\x93NUMPY\x01\x00v\x00{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }".to_vec();
    numpys.resize(127, b' ');
    numpys.extend(b"\n\x01\0\0\0\0\0\0\0");
    assert_eq!(ours, numpys);
}

/// A `.ply` with an element and a list before the vertices, and a list and others among their properties.
fn rich_ply(format: &str) -> Vec<u8> {
    let header = format!(
        "ply\r\nformat {format} 1.0\ncomment by hand\nobj_info none\nelement camera 2\nproperty double a\n\
         property uchar b\nelement face 2\nproperty list ushort int indices\nelement vertex 2\nproperty int8 z\n\
         property list uchar float64 more\nproperty float x\nproperty uchar red\nproperty double y\n\
         element tail 1\nproperty int c\nend_header\n"
    );
    let mut bytes = header.into_bytes();
    match format {
        "ascii" => bytes.extend(b"0.5 1\n0.5 1\n2 7 8\n0\n-3 1 9.5 1.5 255 2\n\n-6 0 4.5 255 5\r\n99\n"),
        "binary_little_endian" => {
            bytes.extend(bytes_of([[0; 9], [0; 9]]));
            bytes.extend(bytes_of([2_u16.to_le_bytes()]));
            bytes.extend(bytes_of([7_i32, 8].map(i32::to_le_bytes)));
            bytes.extend([0, 0]);
            for (z, more, x, y) in [(-3_i8, &[9.5][..], 1.5_f32, 2.0_f64), (-6, &[], 4.5, 5.0)] {
                bytes.extend([z.cast_unsigned(), more.len() as u8]);
                more.iter().for_each(|more: &f64| bytes.extend(more.to_le_bytes()));
                bytes.extend(x.to_le_bytes());
                bytes.push(255);
                bytes.extend(y.to_le_bytes());
            }
            bytes.extend(99_i32.to_le_bytes());
        }
        _ => {
            bytes.extend(bytes_of([[0; 9], [0; 9]]));
            bytes.extend(bytes_of([2_u16.to_be_bytes()]));
            bytes.extend(bytes_of([7_i32, 8].map(i32::to_be_bytes)));
            bytes.extend([0, 0]);
            for (z, more, x, y) in [(-3_i8, &[9.5][..], 1.5_f32, 2.0_f64), (-6, &[], 4.5, 5.0)] {
                bytes.extend([z.cast_unsigned(), more.len() as u8]);
                more.iter().for_each(|more: &f64| bytes.extend(more.to_be_bytes()));
                bytes.extend(x.to_be_bytes());
                bytes.push(255);
                bytes.extend(y.to_be_bytes());
            }
            bytes.extend(99_i32.to_be_bytes());
        }
    }
    bytes
}

/// A `.ply` of vertices without lists, its properties in another order.
fn plain_ply(format: &str) -> Vec<u8> {
    let header = format!(
        "ply\nformat {format} 1.0\nelement vertex 2\nproperty short red\nproperty float z\nproperty float x\n\
         property double y\nend_header\n"
    );
    let mut bytes = header.into_bytes();
    for (red, z, x, y) in [(7_i16, -3.0_f32, 1.5_f32, 2.0_f64), (8, -6.0, 4.5, 5.0)] {
        match format {
            "ascii" => bytes.extend(format!("{red} {z} {x}\t{y}\n").bytes()),
            "binary_little_endian" => {
                bytes.extend(red.to_le_bytes());
                bytes.extend([z, x].map(f32::to_le_bytes).concat());
                bytes.extend(y.to_le_bytes());
            }
            _ => {
                bytes.extend(red.to_be_bytes());
                bytes.extend([z, x].map(f32::to_be_bytes).concat());
                bytes.extend(y.to_be_bytes());
            }
        }
    }
    bytes
}

const PLY_FORMATS: [&str; 3] = ["ascii", "binary_little_endian", "binary_big_endian"];

#[test]
fn ply_of_every_format_is_read_past_properties_lists_and_elements() {
    for format in PLY_FORMATS {
        for bytes in [rich_ply(format), plain_ply(format)] {
            let points = io::parse_ply::<f64>(&bytes, &XYZ).unwrap();
            assert_eq!(points, array![[1.5, 2.0, -3.0], [4.5, 5.0, -6.0]], "{format}");
            assert_eq!(io::parse_ply::<f32>(&bytes, &["y", "y"]).unwrap(), array![[2.0, 2.0], [5.0, 5.0]]);
        }
        assert_eq!(io::parse_ply::<f64>(&plain_ply(format), &["red"]).unwrap(), array![[7.0], [8.0]]);
    }
}

#[test]
fn a_ply_of_no_vertices_is_an_empty_cloud() {
    for format in PLY_FORMATS {
        let bytes = format!(
            "ply\nformat {format} 1.0\nelement vertex 0\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
        );
        assert_eq!(io::parse_ply::<f64>(bytes.as_bytes(), &XYZ).unwrap().dim(), (0, 3));
    }
}

/// A `.pcd` of two points with the fields out of order, one of them of three numbers.
fn pcd(data: &str) -> Vec<u8> {
    let mut bytes = format!(
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS ring z normal x y\nSIZE 2 4 4 4 8\nTYPE U F F F F\n\
         COUNT 1 1 3 1 1\nWIDTH 1\nHEIGHT 2\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 2\nDATA {data}\n"
    )
    .into_bytes();
    let rings = [31_u16, 32].map(u16::to_le_bytes);
    let z = [-3.0_f32, f32::NAN].map(f32::to_le_bytes);
    let x = [1.5_f32, f32::NAN].map(f32::to_le_bytes);
    let y = [2.0_f64, f64::NAN].map(f64::to_le_bytes);
    match data {
        "ascii" => bytes.extend(b"31 -3 0 0 1 1.5 2\r\n32 nan 0 0 1 nan nan\n"),
        "binary" => {
            for i in 0..2 {
                bytes.extend([&rings[i][..], &z[i], &[0; 12], &x[i], &y[i]].concat());
            }
        }
        _ => {
            // Field after field. The normals, 24 zeros, are one zero and a copy of 23 from one back.
            let (before, after) = ([rings.concat(), z.concat()].concat(), [x.concat(), y.concat()].concat());
            let lzf = [&[12][..], &before, &[0, 7 << 5, 14, 0, 23], &after].concat();
            bytes.extend((lzf.len() as u32).to_le_bytes());
            bytes.extend((2 * 30_u32).to_le_bytes());
            bytes.extend(lzf);
        }
    }
    bytes
}

#[test]
fn pcd_of_every_encoding_is_read_with_fields_in_any_order() {
    for data in ["ascii", "binary", "binary_compressed"] {
        let points = io::parse_pcd::<f64>(&pcd(data), &XYZ).unwrap();
        let (kept, rows) = io::drop_missing(&points);
        assert_eq!(points.dim(), (2, 3));
        assert_eq!((kept, rows), (array![[1.5, 2.0, -3.0]], vec![0]), "{data}");
        assert_eq!(io::parse_pcd::<f32>(&pcd(data), &["ring"]).unwrap(), array![[31.0], [32.0]]);
    }
}

#[test]
fn labelled_points_are_coloured_and_noise_is_grey() {
    let points = Array2::<f32>::from_shape_fn((10, 2), |(i, j)| (i + j) as f32);
    let labels: Vec<_> = (0..9).map(Some).chain([None]).collect();
    let mut bytes = Vec::new();
    io::write_ply_to(&mut bytes, &points, &labels).unwrap();
    let read = |fields: &[&str]| io::parse_ply::<f32>(&bytes, fields).unwrap();
    assert_eq!(read(&["x", "y"]), points);
    assert_eq!(read(&["z"]), Array2::<f32>::zeros((10, 1)));
    assert_eq!(read(&["label"]).into_raw_vec_and_offset().0, [0., 1., 2., 3., 4., 5., 6., 7., 8., -1.]);
    let mut colours: Vec<Vec<i32>> = read(&["red", "green", "blue"])
        .outer_iter()
        .map(|row| row.iter().map(|&x| x as i32).collect())
        .collect();
    assert_eq!(colours[9], [150, 150, 150]);
    colours.sort();
    colours.dedup();
    assert_eq!(colours.len(), 10, "clusters that follow one another differ in colour");
}

/// Valid files of every format, and what reads each.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let x = Array2::from_shape_fn((5, 3), |(i, j)| i as f64 * 1.25 - j as f64);
    let mut files = Vec::new();
    let mut bytes = Vec::new();
    io::write_npy_to(&mut bytes, &x).unwrap();
    files.push(("npy", bytes.clone()));
    bytes.clear();
    io::write_npy_to(&mut bytes, &array![1_i64, 0, -1]).unwrap();
    files.push(("npy", bytes.clone()));
    files.push(("npy", npy(2, "{'descr': '>u2', 'fortran_order': True, 'shape': (2, 3), }", &[7; 12])));
    bytes.clear();
    io::write_csv_to(&mut bytes, &x).unwrap();
    files.push(("csv", bytes.clone()));
    files.push(("csv", b"\xef\xbb\xbf# a\r\n\"x\ny\";z\r\n1;nan\r\n\"2e3\"; -inf\r\n".to_vec()));
    files.push(("csv", b" 1  2 3\n 4 5   6\n\n7 8 9\n".to_vec()));
    bytes.clear();
    io::write_ply_to(&mut bytes, &x, &[Some(0), Some(1), None, None, Some(2)]).unwrap();
    files.push(("ply", bytes));
    for format in PLY_FORMATS {
        files.push(("ply", rich_ply(format)));
        files.push(("ply", plain_ply(format)));
    }
    for data in ["ascii", "binary", "binary_compressed"] {
        files.push(("pcd", pcd(data)));
    }
    files
}

/// Reads the file in every way there is: an answer or an error, no panic and no memory beyond its size.
fn read_harmlessly(format: &str, bytes: &[u8]) {
    let ((), peak) = peak_of(|| match format {
        "npy" => {
            io::parse_npy_i64(bytes).ok();
            io::parse_npy::<f32>(bytes).ok();
            io::parse_npy::<f64>(bytes).ok();
        }
        "csv" => {
            io::parse_csv::<f32>(bytes, &CsvOptions::default().columns(&[1, 0])).ok();
            io::parse_csv::<f64>(bytes, &CsvOptions::default()).ok();
        }
        "ply" => {
            io::parse_ply::<f32>(bytes, &XYZ).ok();
            io::parse_ply::<f64>(bytes, &XYZ).ok();
        }
        _ => {
            io::parse_pcd::<f32>(bytes, &XYZ).ok();
            io::parse_pcd::<f64>(bytes, &XYZ).ok();
        }
    });
    // Beside what the bytes justify: the buffer of the reader of text, and the message of an error.
    assert!(peak <= 16 * bytes.len() + (12 << 10), "{format}: {peak} bytes for {}", bytes.len());
}

#[test]
fn every_truncation_is_harmless() {
    for (format, bytes) in files() {
        for len in 0..=bytes.len() {
            read_harmlessly(format, &bytes[..len]);
        }
    }
}

#[test]
fn every_byte_may_be_a_digit_a_newline_or_all_ones() {
    for (format, mut bytes) in files() {
        for i in 0..bytes.len() {
            let byte = bytes[i];
            for other in [b'9', b'\n', 0xff, 0, byte ^ 0x80] {
                bytes[i] = other;
                read_harmlessly(format, &bytes);
            }
            bytes[i] = byte;
        }
    }
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Any bits, but one NaN for all: on its way through `f64` a signalling one becomes quiet.
fn any_f32() -> impl Strategy<Value = f32> {
    any::<u32>().prop_map(f32::from_bits).prop_map(|x| if x.is_nan() { f32::NAN } else { x })
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn damage_is_harmless(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 1..6),
    ) {
        let files = files();
        let (format, bytes) = which.get(&files);
        let mut bytes = bytes.clone();
        for (at, byte, edit) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        read_harmlessly(format, &bytes);
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn what_is_written_reads_back_with_the_same_bits(
        (n, d, single, double) in (1..8_usize, 1..4_usize).prop_flat_map(|(n, d)| (
            Just(n),
            Just(d),
            prop::collection::vec(any_f32(), n * d),
            prop::collection::vec(any::<u64>().prop_map(f64::from_bits), n * d),
        )),
        fortran in any::<bool>(),
    ) {
        let shape = (n, d).set_f(fortran);
        let single = Array2::from_shape_vec(shape, single).unwrap();
        let double = Array2::from_shape_vec(shape, double).unwrap();
        let mut bytes = Vec::new();

        io::write_npy_to(&mut bytes, &single).unwrap();
        prop_assert_eq!(io::parse_npy::<f32>(&bytes).unwrap().mapv(f32::to_bits), single.mapv(f32::to_bits));
        bytes.clear();
        io::write_npy_to(&mut bytes, &double).unwrap();
        prop_assert_eq!(io::parse_npy::<f64>(&bytes).unwrap().mapv(f64::to_bits), double.mapv(f64::to_bits));
        bytes.clear();
        let whole = double.mapv(f64::to_bits).mapv(u64::cast_signed).column(0).to_owned();
        io::write_npy_to(&mut bytes, &whole).unwrap();
        prop_assert_eq!(io::parse_npy_i64(&bytes).unwrap(), whole);

        let labels: Vec<_> = (0..n).map(|i| i.checked_sub(1)).collect();
        bytes.clear();
        io::write_ply_to(&mut bytes, &single, &labels).unwrap();
        prop_assert_eq!(io::parse_ply::<f32>(&bytes, &XYZ[..d]).unwrap().mapv(f32::to_bits), single.mapv(f32::to_bits));
        bytes.clear();
        io::write_ply_to(&mut bytes, &double, &labels).unwrap();
        prop_assert_eq!(io::parse_ply::<f64>(&bytes, &XYZ[..d]).unwrap().mapv(f64::to_bits), double.mapv(f64::to_bits));

        // Text has one NaN for all of them.
        let options = CsvOptions::default().header(false);
        bytes.clear();
        io::write_csv_to(&mut bytes, &single).unwrap();
        prop_assert_eq!(io::parse_csv::<f32>(&bytes, &options).unwrap().mapv(f32::to_bits), single.mapv(f32::to_bits));
        bytes.clear();
        io::write_csv_to(&mut bytes, &double).unwrap();
        let one_nan = |x: f64| if x.is_nan() { 0 } else { x.to_bits() };
        prop_assert_eq!(io::parse_csv::<f64>(&bytes, &options).unwrap().mapv(one_nan), double.mapv(one_nan));
    }
}
