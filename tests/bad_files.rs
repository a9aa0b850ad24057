//! Bad files give an error that names the place, or a result that the docs define: no panic, no hang, and no
//! memory beyond what the bytes present can justify. The numbers are those of the project's list of bad
//! inputs.

mod memory;

use std::fmt::Debug;
use std::path::PathBuf;
use std::{env, fs, process};

use memory::peak_of;
use ndarray::{Array2, array};
use sapwood::io::{self, CsvOptions, XYZ};
use sapwood::{Error, Result};

/// The message of an error of format, from a parse that took little memory.
fn refused<T: Debug>(bytes: &[u8], parse: impl FnOnce(&[u8]) -> Result<T>) -> String {
    let (result, peak) = peak_of(|| parse(bytes));
    assert!(peak <= 16 * bytes.len() + (12 << 10), "{peak} bytes for {}", bytes.len());
    let error = result.expect_err("a bad file");
    assert!(matches!(error, Error::Format { .. }), "{error:?}");
    error.to_string()
}

fn bad_npy(bytes: &[u8]) -> String {
    refused(bytes, io::parse_npy_i64);
    refused(bytes, io::parse_npy::<f32>);
    refused(bytes, io::parse_npy::<f64>)
}

fn bad_ply(bytes: &[u8]) -> String {
    refused(bytes, |bytes| io::parse_ply::<f32>(bytes, &XYZ));
    refused(bytes, |bytes| io::parse_ply::<f64>(bytes, &XYZ))
}

fn bad_pcd(bytes: &[u8]) -> String {
    refused(bytes, |bytes| io::parse_pcd::<f32>(bytes, &XYZ));
    refused(bytes, |bytes| io::parse_pcd::<f64>(bytes, &XYZ))
}

fn bad_csv(bytes: &[u8]) -> String {
    refused(bytes, csv::<f32>);
    refused(bytes, csv::<f64>)
}

fn csv<F: sapwood::Float>(bytes: &[u8]) -> Result<Array2<F>> {
    io::parse_csv(bytes, &CsvOptions::default())
}

fn npy(dictionary: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((dictionary.len() as u16).to_le_bytes());
    bytes.extend(dictionary.bytes());
    bytes.extend(body);
    bytes
}

fn npy_of_shape(shape: &str, body: &[u8]) -> Vec<u8> {
    npy(&format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n"), body)
}

/// A `.ply` with vertices of x, y, z and what `more` says before them.
fn ply(format: &str, more: &str, vertices: &str, body: &[u8]) -> Vec<u8> {
    let xyz = "property float x\nproperty float y\nproperty float z\n";
    let header = format!("ply\nformat {format}\n{more}element vertex {vertices}\n{xyz}end_header\n");
    [header.as_bytes(), body].concat()
}

/// A `.pcd` with fields x, y, z; `changes` replaces whole lines of the header.
fn pcd(changes: &[(&str, &str)], data: &str, body: &[u8]) -> Vec<u8> {
    let mut header = format!(
        "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 2\nHEIGHT 1\nPOINTS 2\nDATA {data}\n"
    );
    for (old, new) in changes {
        assert!(header.contains(old));
        header = header.replace(old, new);
    }
    [header.as_bytes(), body].concat()
}

fn temp(name: &str) -> PathBuf {
    env::temp_dir().join(format!("sapwood_bad_files_{}_{name}", process::id()))
}

#[test]
fn bad_69_npy_shape_that_lies_large() {
    assert_eq!(
        bad_npy(&npy_of_shape("(1000000000, 2)", &[0; 64])),
        "<memory>: byte 79: expected 16000000000 bytes for 1000000000 x 2 numbers of 8 bytes, found 64 bytes"
    );
    bad_npy(&npy_of_shape("(1000000000,)", &[0; 64]));
    bad_npy(&npy_of_shape("(1, 9)", &[0; 64]));
}

#[test]
fn bad_70_npy_shape_product_overflow() {
    for shape in [
        "(4294967296, 4294967296)",
        "(2305843009213693952, 1)",
        "(18446744073709551615, 18446744073709551615)",
        "(18446744073709551616, 1)",
        "(99999999999999999999999999999999999999999999,)",
        "(-1, 3)",
    ] {
        bad_npy(&npy_of_shape(shape, &[]));
        bad_npy(&npy_of_shape(shape, &[0; 64]));
    }
    // No number at all, but more rows than an array can count.
    refused(&npy_of_shape("(18446744073709551615, 0)", &[]), io::parse_npy::<f64>);
}

#[test]
fn bad_71_npy_header_len_of_4_gib() {
    for version in [2, 3] {
        let mut bytes = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0, 0xff, 0xff, 0xff, 0xff];
        bytes.extend(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n");
        let message = bad_npy(&bytes);
        assert_eq!(message, "<memory>: byte 12: expected a header of 4294967295 bytes, found 58 bytes");
    }
}

#[test]
fn bad_72_npy_dtype_endianness_object_structured() {
    for descr in [
        "'|O'", "'<c16'", "'<U8'", "'|S8'", "'<f2'", "'<f16'", "'<M8[s]'", "'<i3'", "'<b2'", "'?f8'", "'f8'",
        "''",
    ] {
        let message =
            bad_npy(&npy(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}"), &[0; 8]));
        assert!(message.contains("expected dtype f4, f8, i1 to i8, u1 to u8 or b1"), "{message}");
    }
    for descr in ["[('x', '<f4'), ('y', '<f4')]", "8", "None"] {
        let message =
            bad_npy(&npy(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}"), &[0; 8]));
        assert!(message.contains("expected a plain dtype, as '<f8', found `"), "{message}");
    }
}

#[test]
fn bad_73_truncated_body_and_trailing_bytes() {
    let whole = npy_of_shape("(2, 2)", &[0; 32]);
    assert!(io::parse_npy::<f64>(&whole).is_ok());
    for len in 0..whole.len() {
        bad_npy(&whole[..len]);
    }
    bad_npy(&[&whole[..], &[0]].concat());

    let ply = ply("binary_little_endian 1.0", "", "2", &[0; 24]);
    assert!(io::parse_ply::<f64>(&ply, &XYZ).is_ok());
    let pcd = pcd(&[], "binary", &[0; 24]);
    assert!(io::parse_pcd::<f64>(&pcd, &XYZ).is_ok());
    for len in 0..ply.len() {
        bad_ply(&ply[..len]);
    }
    for len in 0..pcd.len() {
        bad_pcd(&pcd[..len]);
    }
}

#[test]
fn bad_74_deep_nesting() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}")] {
        let nested = open.repeat(30_000) + &close.repeat(30_000);
        bad_npy(&npy_of_shape(&nested, &[]));
        bad_npy(&npy(&nested, &[]));
    }
}

#[test]
fn bad_75_ply_element_count_2_pow_60() {
    let count = (1_u64 << 60).to_string();
    let element = |properties| format!("element face {count}\n{properties}");
    for format in ["ascii 1.0", "binary_little_endian 1.0", "binary_big_endian 1.0"] {
        let message = bad_ply(&ply(format, "", &count, &[b'1'; 64]));
        assert!(message.contains("line 3: expected at least"), "{message}");
        bad_ply(&ply(format, &element("property double a\n"), "1", b"1 2 3\n"));
        bad_ply(&ply(format, &element("property list uchar int a\n"), "1", &[0; 100]));
        bad_ply(&ply(format, "", "18446744073709551616", b"1 2 3\n"));
        bad_ply(&ply(format, "", "-1", b"1 2 3\n"));
    }
    // An element without properties takes no bytes, however often it occurs.
    let bytes = ply("ascii 1.0", &element(""), "1", b"1 2 3\n");
    assert_eq!(io::parse_ply::<f64>(&bytes, &XYZ).unwrap(), array![[1.0, 2.0, 3.0]]);
}

#[test]
fn bad_76_ply_list_count_2_pow_32() {
    let lists = "element face 1\nproperty list uint double indices\n";
    let little = ply("binary_little_endian 1.0", lists, "1", &[0xff; 64]);
    let message = bad_ply(&little);
    assert!(
        message.ends_with("expected 34359738360 bytes of the property `indices`, found 60 bytes"),
        "{message}"
    );
    bad_ply(&ply("binary_big_endian 1.0", lists, "1", &[0xff; 64]));
    bad_ply(&ply("ascii 1.0", lists, "1", b"4294967295 1 2 3\n"));

    let own =
        "element vertex 1\nproperty list int int n\nproperty float x\nproperty float y\nproperty float z\n";
    for (format, body) in [
        ("ascii", &b"4294967295 1 2 3\n"[..]),
        ("ascii", b"-1 1 2 3\n"),
        ("binary_little_endian", &[0xff; 64]),
    ] {
        bad_ply(&[format!("ply\nformat {format} 1.0\n{own}end_header\n").as_bytes(), body].concat());
    }
}

#[test]
fn bad_77_ply_format_line() {
    for format in ["", "ascii", "ascii 2.0", "binary 1.0", "\u{e9}"] {
        let message = bad_ply(&ply(format, "", "1", b"1 2 3\n"));
        assert!(message.contains("line 2: expected `format` ascii, binary_little_endian or"), "{message}");
    }
    let none = b"ply\nelement vertex 0\nproperty float x\nproperty float y\nproperty float z\nend_header\n";
    assert!(bad_ply(none).contains("line 6: expected a line `format` in the header"));
}

#[test]
fn ply_headers_that_are_none() {
    for header in [
        "",
        "ply",
        "PLY\n",
        "ply\nformat ascii 1.0\nend_header\n",
        "ply\nformat ascii 1.0\nproperty float x\nend_header\n",
        "ply\nformat ascii 1.0\nelement vertex\nend_header\n",
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty half x\nend_header\n",
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty float\nend_header\n",
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty list float int x\nend_header\n",
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty list\nend_header\n",
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nend_header\n1 2\n",
        "ply\nformat ascii 1.0\nwhat is this\nend_header\n",
    ] {
        bad_ply(header.as_bytes());
    }
    let error = io::parse_ply::<f64>(b"ply\n", &[]).unwrap_err().to_string();
    assert_eq!(error, "`fields` must be at least one name, got none");
}

#[test]
fn ply_text_rows_that_do_not_fit() {
    for (body, at) in [
        ("1 2 3\n4 5\n  ", "line 9: expected the property `z`, found the end of the line"),
        ("1 2 3\n4 5 6 7\n", "line 9: expected the end of the line after 3 properties, found `7`"),
        ("1 2 3\n4 x 6\n", "line 9: expected a number for the property `y`, found `x`"),
        ("1 2 3\n4 5 1e999\n", "expected a number within the range of its type for the property `z`"),
        ("1 2 3 \n\n\n\n\n\n\n", "line 14: expected `vertex` 1 of 2, found the end of the file"),
    ] {
        let message = bad_ply(&ply("ascii 1.0", "", "2", body.as_bytes()));
        assert!(message.contains(at), "{message}");
    }
}

#[test]
fn bad_78_pcd_points_sizes_and_counts_that_disagree() {
    let text = b"1 2 3\n4 5 6\n";
    for (changes, expected) in [
        (("POINTS 2", "POINTS 3"), "as many POINTS as WIDTH 2 x HEIGHT 1, found 3"),
        (("WIDTH 2\nHEIGHT 1", "WIDTH 4294967296\nHEIGHT 4294967296"), "found 2"),
        (("POINTS 2\n", "POINTS -2\n"), "`POINTS` and a whole number"),
        (("HEIGHT 1\n", ""), "WIDTH and HEIGHT before DATA"),
        (("SIZE 4 4 4", "SIZE 4 0 4"), "for the field `y`, found `F` of 0 bytes"),
        (("SIZE 4 4 4", "SIZE 4 4 3"), "for the field `z`, found `F` of 3 bytes"),
        (("SIZE 4 4 4", "SIZE 4 4"), "a SIZE for each of the 3 FIELDS, found 2"),
        (("TYPE F F F", "TYPE F F C"), "for the field `z`, found `C` of 4 bytes"),
        (("TYPE F F F", "TYPE F F F F"), "a TYPE for each of the 3 FIELDS, found 4"),
        (("COUNT 1 1 1", "COUNT 1 1 0"), "a COUNT of the field `z` from 1 up, found 0"),
        (("COUNT 1 1 1", "COUNT 1 1 3"), "a field `z` of one number"),
        (("x y z", "x y _"), "a field `z` of one number"),
        (("COUNT 1 1 1", "COUNT 1 1 18446744073709551615"), "a COUNT of the field `z`"),
        (("FIELDS x y z\n", ""), "a SIZE for each of the 0 FIELDS, found 3"),
        (("VERSION", "VERZION"), "line 1: expected FIELDS, SIZE, TYPE"),
        (("DATA ascii", "DATA zip"), "`DATA` ascii, binary or binary_compressed"),
    ] {
        let message = bad_pcd(&pcd(&[changes], "ascii", text));
        assert!(message.contains(expected), "{message}");
    }
    let many = [("WIDTH 2", "WIDTH 1000000000000"), ("POINTS 2", "POINTS 1000000000000")];
    for data in ["ascii", "binary", "binary_compressed"] {
        bad_pcd(&pcd(&many, data, text));
        bad_pcd(&pcd(
            &[("WIDTH 2", "WIDTH 2305843009213693952"), ("POINTS 2", "POINTS 2305843009213693952")],
            data,
            text,
        ));
    }
    bad_pcd(&pcd(
        &[
            ("x y z", "x y z w"),
            ("4 4 4", "4 4 4 4"),
            ("F F F", "F F F F"),
            ("1 1 1", "1 1 1 4611686018427387900"),
        ],
        "binary",
        text,
    ));
}

#[test]
fn bad_78_pcd_compressed_size_that_lies() {
    let body = |compressed: u32, len: u32, lzf: &[u8]| {
        let mut body = compressed.to_le_bytes().to_vec();
        body.extend(len.to_le_bytes());
        body.extend(lzf);
        body
    };
    let literals = [&[23][..], &[0; 24]].concat();
    let good = pcd(&[], "binary_compressed", &body(25, 24, &literals));
    assert_eq!(io::parse_pcd::<f64>(&good, &XYZ).unwrap(), Array2::<f64>::zeros((2, 3)));
    for (compressed, len, lzf) in [
        (u32::MAX, 24, &literals[..]),
        (26, 24, &literals),
        (24, 24, &literals),
        (0, 24, &literals),
        (25, 23, &literals),
        (25, u32::MAX, &literals),
        (25, 24, &[31; 25]),
        (25, 24, &[0xff; 25]),
        (2, 24, &[0, 7]),
        (0, 0, &[]),
    ] {
        bad_pcd(&pcd(&[], "binary_compressed", &body(compressed, len, lzf)));
    }
    // Both sizes lie, in agreement with the header.
    let many = [("WIDTH 2", "WIDTH 300000000"), ("POINTS 2", "POINTS 300000000")];
    bad_pcd(&pcd(&many, "binary_compressed", &body(25, 3_600_000_000, &literals)));
    for len in 0..8 {
        bad_pcd(&pcd(&[], "binary_compressed", &body(25, 24, &[])[..len]));
    }
}

#[test]
fn pcd_text_rows_that_do_not_fit() {
    for (text, expected) in [
        ("1 2 3\n4 5\n      ", "line 11: expected 3 numbers, found 2"),
        ("1 2 3\n4 5 6 7\n", "line 11: expected 3 numbers, found 4"),
        ("1 2 3\n4 5 six\n", "line 11: expected a number for the field `z`, found `six`"),
        ("1 2 3\n4 5 6\n7 8 9\n", "line 12: expected the end of the file after 2 points, found `7 8 9`"),
        ("1.000 2.00000 3.0000", "line 10: expected point 1 of 2, found the end of the file"),
    ] {
        let message = bad_pcd(&pcd(&[], "ascii", text.as_bytes()));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn bad_80_csv_ragged_row() {
    assert_eq!(
        bad_csv(b"x,y\n1,2\n3,4,5\n"),
        "<memory>: line 3: expected 2 fields, as in the lines before, found 3"
    );
    bad_csv(b"1,2\n3\n");
    bad_csv(b"1 2\n3\n");
}

#[test]
fn bad_80_csv_empty() {
    for text in ["", "\n\n", "\u{feff}", "x,y\n", "# nothing\n", "  \n"] {
        let message = bad_csv(text.as_bytes());
        assert!(message.contains("expected a row of numbers, found the end of the file"), "{message}");
    }
    assert!(
        bad_csv(b"1,2\n3,\n")
            .contains("line 2: expected a number in column 1 (counted from 0), found an empty")
    );
}

#[test]
fn bad_80_csv_bom_and_crlf_are_read() {
    let expected = array![[1.0, 2.0], [3.0, 4.0]];
    assert_eq!(csv::<f64>(b"\xef\xbb\xbf1,2\r\n3,4\r\n").unwrap(), expected);
    assert_eq!(csv::<f64>(b"\xef\xbb\xbfx,y\r\n\r\n1,2\r\n3,4").unwrap(), expected);
}

#[test]
fn bad_80_csv_quoted_newline() {
    assert_eq!(csv::<f64>(b"\"x\n(m)\",y\n1,2\n").unwrap(), array![[1.0, 2.0]]);
    let message = bad_csv(b"x,y\n1,2\n\"3\n4\",5\n");
    assert!(
        message.ends_with("line 3: expected a number in column 0 (counted from 0), found `3\\n4`"),
        "{message}"
    );
    bad_csv(b"1,2\n\"3,4\n5,6\n");
}

#[test]
fn bad_80_csv_nan_is_read_and_1e999_is_not() {
    let points = csv::<f64>(b"1,nan\nNaN,inf\n").unwrap();
    assert!(points[[0, 1]].is_nan() && points[[1, 0]].is_nan() && points[[1, 1]] == f64::INFINITY);
    let error = sapwood::data::check_finite("records", &points).unwrap_err().to_string();
    assert_eq!(error, "`records` must be finite, got NaN in row 0, column 1");

    let message = bad_csv(b"1,2\n3,1e999\n");
    assert!(
        message.ends_with(
            "line 2: expected a number within the range of its type in column 1 (counted from 0), found `1e999`"
        ),
        "{message}"
    );
    assert!(csv::<f64>(b"1e39\n").is_ok());
    refused(b"1e39\n", csv::<f32>);
}

#[test]
fn bad_80_csv_line_of_100_mb() {
    // A tenth of it where the code is not optimised.
    let len = if cfg!(debug_assertions) { 10_000_000 } else { 100_000_000 };
    assert!(bad_csv(&[b"1,2\n", &vec![b'7'; len][..]].concat()).contains("line 2: expected 2 fields"));
    assert!(bad_csv(&[b"1\n", &vec![b'x'; len][..]].concat()).len() < 200);
    assert!(bad_csv(&vec![b'"'; len]).len() < 200);
    // Empty fields, a byte each: the reader notes where each ends, and keeps the first line as names.
    let commas = vec![b','; 1_000_000];
    let (result, peak) = peak_of(|| csv::<f64>(&commas));
    assert!(result.is_err() && peak < 48 * commas.len(), "{peak}");
}

#[test]
fn bad_81_invalid_utf_8() {
    for bytes in [&b"1,\xff\n"[..], b"\xff\xfe1\0,\x002\0\n", b"1,2\n\xc3,4\n"] {
        bad_csv(bytes);
    }
    assert_eq!(csv::<f64>(b"gr\xf6\xdfe,y\n1,2\n").unwrap(), array![[1.0, 2.0]], "a Latin-1 header");
    bad_npy(&npy("{'descr': '\u{e9}', 'fortran_order': False, 'shape': (1,), }", &[0; 8]));
    bad_ply(&[b"ply\n\xff\xff\n", &[0xff; 50][..]].concat());
    bad_pcd(&pcd(&[], "ascii", b"1 2 3\n4 \xff 6\n"));
    bad_pcd(b"FIELDS \xff\n");

    let comment = b"ply\nformat ascii 1.0\ncomment \xff\nelement vertex 1\n\
        property float x\nproperty float y\nproperty float z\nend_header\n1 2 3\n";
    assert!(io::parse_ply::<f64>(comment, &XYZ).is_ok(), "a comment may be in any encoding");
    assert!(io::parse_pcd::<f64>(&[b"# \xff\n", &pcd(&[], "binary", &[0; 24])[..]].concat(), &XYZ).is_ok());
}

#[test]
fn bad_82_zero_byte_file() {
    for extension in ["npy", "csv", "txt", "tsv", "xyz", "ply", "pcd"] {
        let path = temp(&format!("empty.{extension}"));
        fs::write(&path, "").unwrap();
        let error = io::read_points::<f64>(&path).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error}");
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn bad_82_directory_and_missing_file() {
    for extension in ["npy", "csv", "ply", "pcd"] {
        let path = temp(&format!("directory.{extension}"));
        let error = io::read_points::<f64>(&path).unwrap_err();
        assert!(matches!(&error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound));
        fs::create_dir(&path).unwrap();
        let error = io::read_points::<f64>(&path).unwrap_err();
        assert!(matches!(error, Error::Io { .. }));
        assert!(error.to_string().ends_with("expected a file, found a directory"), "{error}");
        let error = io::write_csv(&path, &array![[1.0]]).unwrap_err();
        assert!(matches!(error, Error::Io { .. }));
        fs::remove_dir(path).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn bad_82_fifo_and_device_do_not_hang() {
    let path = temp("fifo.npy");
    assert!(process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    for path in [path.as_path(), "/dev/zero".as_ref()] {
        let error = io::read_npy::<f64>(path).unwrap_err();
        assert!(
            error.to_string().ends_with("expected a regular file, found a pipe, socket or device"),
            "{error}"
        );
    }
    fs::remove_file(path).unwrap();
}

#[test]
fn labels_are_integers_in_one_column() {
    let header = |descr, shape| {
        npy(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}"), &[0xff; 8])
    };
    assert_eq!(io::parse_npy_i64(&header("<i4", "(2, 1)")).unwrap(), array![-1, -1]);
    refused(&header("<f4", "(2,)"), io::parse_npy_i64);
    refused(&header("<i4", "(1, 2)"), io::parse_npy_i64);
    let message = refused(&header("<u8", "(1,)"), io::parse_npy_i64);
    assert!(message.contains("an integer that i64 can hold"), "{message}");
}

#[test]
fn points_that_a_labelled_ply_cannot_hold_are_refused_before_the_file_is_made() {
    let path = temp("never.ply");
    for (points, labels) in [
        (Array2::<f64>::zeros((2, 4)), vec![None; 2]),
        (Array2::zeros((2, 0)), vec![None; 2]),
        (Array2::zeros((2, 3)), vec![None; 3]),
        (Array2::zeros((1, 3)), vec![Some(usize::MAX)]),
    ] {
        let error = io::write_ply(&path, &points, &labels).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
        assert!(!path.exists());
    }
}

/// A `.las` of version 1.`minor` with the points 1, 2, 3 and 4, 5, 6 in units of 0.5, moved by 100; `set` changes bytes.
fn las(minor: u8, set: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let header_size: u16 = if minor == 4 { 375 } else { 227 };
    let mut bytes = vec![0; usize::from(header_size)];
    bytes[..4].copy_from_slice(b"LASF");
    (bytes[24], bytes[25]) = (1, minor);
    bytes[94..96].copy_from_slice(&header_size.to_le_bytes());
    // Two bytes of something before the points.
    bytes[96..100].copy_from_slice(&(u32::from(header_size) + 2).to_le_bytes());
    bytes[104] = 1;
    bytes[105..107].copy_from_slice(&30_u16.to_le_bytes());
    if minor == 4 {
        bytes[247..255].copy_from_slice(&2_u64.to_le_bytes());
    } else {
        bytes[107..111].copy_from_slice(&2_u32.to_le_bytes());
    }
    for at in [131, 139, 147] {
        bytes[at..at + 8].copy_from_slice(&0.5_f64.to_le_bytes());
        bytes[at + 24..at + 32].copy_from_slice(&100.0_f64.to_le_bytes());
    }
    bytes.extend([7, 7]);
    for point in [[1_i32, 2, 3], [4, 5, -6]] {
        bytes.extend(point.iter().flat_map(|x| x.to_le_bytes()));
        bytes.extend([9; 18]);
    }
    set(&mut bytes);
    bytes
}

#[test]
fn a_las_of_every_version_is_scaled_and_moved() {
    for minor in 0..=4 {
        let points = io::parse_las::<f64>(&las(minor, |_| ())).unwrap();
        assert_eq!(points, array![[100.5, 101.0, 101.5], [102.0, 102.5, 97.0]]);
        assert_eq!(io::parse_las::<f32>(&las(minor, |_| ())).unwrap(), points.mapv(|x| x as f32));
    }
    let none = io::parse_las::<f64>(&las(2, |bytes| bytes[107] = 0)).unwrap();
    assert_eq!(none.dim(), (0, 3));
}

#[test]
fn bad_79_las_that_lies() {
    let bad = |set: &dyn Fn(&mut Vec<u8>)| refused(&las(2, set), io::parse_las::<f64>);
    let put = |at: usize, with: &'static [u8]| {
        move |bytes: &mut Vec<u8>| bytes[at..at + with.len()].copy_from_slice(with)
    };
    assert_eq!(
        bad(&put(107, &[0xff; 4])),
        "<memory>: byte 229: expected 4294967295 points of 30 bytes, found 60 bytes"
    );
    assert!(bad(&put(105, &[0xff; 2])).ends_with("expected 2 points of 65535 bytes, found 60 bytes"));
    assert!(
        bad(&put(105, &[0, 0]))
            .ends_with("expected records of at least 28 bytes for point format 1, found 0")
    );
    assert!(
        bad(&put(96, &[0xff; 4]))
            .ends_with("found a header of 227 bytes and points from byte 4294967295 of 289")
    );
    assert!(bad(&put(96, &[0; 4])).contains("expected a header before the points"));
    assert!(bad(&put(94, &[0; 2])).contains("expected a header before the points"));
    assert!(bad(&put(104, &[11])).ends_with("expected a point format of 0 to 10, found 11"));
    // With the feature, a compressed file needs an entry that says how; without it, the feature.
    let compressed = if cfg!(feature = "laz") { "an entry `laszip encoded`" } else { "the feature `laz`" };
    assert!(bad(&put(104, &[129])).contains(compressed));
    assert!(bad(&put(24, &[2])).ends_with("expected version 1.0 to 1.4, found 2.2"));
    assert!(
        bad(&put(139, &[0; 8])).ends_with("byte 139: expected a scale that is finite and not 0, found 0")
    );
    assert!(bad(&put(147, &[0xff; 8])).ends_with("found NaN"));
    assert!(bad(&put(163, &[0xff; 8])).ends_with("byte 163: expected a finite offset, found NaN"));
    assert!(bad(&put(0, b"LAZF")).contains("expected `LASF`"));
    let long = las(4, |bytes| bytes[247..255].copy_from_slice(&u64::MAX.to_le_bytes()));
    assert!(
        refused(&long, io::parse_las::<f64>).contains("expected 18446744073709551615 points of 30 bytes")
    );
    let whole = las(3, |_| ());
    for end in 0..whole.len() {
        refused(&whole[..end], io::parse_las::<f32>);
    }
}
