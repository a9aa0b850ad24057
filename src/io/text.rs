//! Lines and numbers of text, and of the headers of binary files.

use crate::float::Float;

/// The lines of a file; a line ends with LF or CRLF.
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    /// Where the next line begins.
    at: usize,
    /// Number of the line read last, counted from 1.
    pub(super) number: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, number: 0 }
    }

    /// What follows the line read last.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The next line that is not blank.
    pub(super) fn next_filled(&mut self) -> Option<&'a [u8]> {
        self.find(|line| !line.trim_ascii().is_empty())
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|&byte| byte == b'\n');
        self.at += end.map_or(rest.len(), |end| end + 1);
        self.number += 1;
        let line = &rest[..end.unwrap_or(rest.len())];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// The words of a line, between spaces and tabs.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The number that a field says, else what was expected there.
///
/// `nan` and `inf` are numbers, in upper and lower case; digits that say more than the type can hold are
/// none.
pub(super) fn number<F: Float>(field: &[u8]) -> Result<F, &'static str> {
    let Some(value) = str::from_utf8(field).ok().and_then(|field| field.parse::<F>().ok()) else {
        return Err("a number");
    };
    if value.is_infinite() && field.iter().any(u8::is_ascii_digit) {
        return Err("a number within the range of its type");
    }
    Ok(value)
}

/// The text as an error shows it: not too long, on one line.
pub(super) fn quote(text: &[u8]) -> String {
    const SHOWN: usize = 40;
    let cut = if text.len() > SHOWN { ".." } else { "" };
    format!("`{}{cut}`", String::from_utf8_lossy(&text[..text.len().min(SHOWN)]).escape_debug())
}

/// The words of a list as an error shows them.
pub(super) fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut list = words.take(20).collect::<Vec<_>>().join(", ");
    if list.is_empty() {
        list.push_str("none");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_lf_or_crlf_or_the_file() {
        let mut lines = Lines::new(b"a\r\n\n \nb c");
        assert_eq!(lines.next(), Some(&b"a"[..]));
        assert_eq!(lines.rest(), b"\n \nb c");
        assert_eq!(lines.next_filled(), Some(&b"b c"[..]));
        assert_eq!((lines.number, lines.next()), (4, None));
    }

    #[test]
    fn digits_that_overflow_are_no_number() {
        assert_eq!(number::<f64>(b"1e308"), Ok(1e308));
        assert!(number::<f64>(b"-1e999").is_err());
        assert!(number::<f32>(b"1e39").is_err());
        assert_eq!(number::<f32>(b"-Inf"), Ok(f32::NEG_INFINITY));
        assert!(number::<f32>(b"nan").unwrap().is_nan());
        assert!(number::<f32>(b"").is_err());
        assert!(number::<f32>(b"\xff").is_err());
    }

    #[test]
    fn a_long_text_is_cut_in_an_error() {
        assert_eq!(quote(b"a\nb"), "`a\\nb`");
        assert_eq!(quote(&[b'a'; 1000]).len(), 44);
    }
}
