//! Tensors in and out as safetensors, under PyTorch's names and in its layout.
//!
//! A file is 8 bytes with the length of a header, the header in JSON (name, type, shape and place of each tensor), and the numbers, all little-endian.

use std::path::PathBuf;

use super::cell::Cell;
use super::layer::scatter;
use super::model::Recurrent;
use crate::error::{Error, Position, Result};
use crate::float::Float;

impl<F: Float, C: Cell, T> Recurrent<F, C, T> {
    /// All tensors as the bytes of a safetensors file: `weight_ih_l0` and so on, in PyTorch's layout and order of gates, with both biases.
    ///
    /// # Example
    /// ```
    /// use sapwood::Gru;
    ///
    /// let model = Gru::<f32>::untrained(&Gru::params(4), 3, 2)?;
    /// let mut copy = Gru::<f32>::untrained(&Gru::params(4).seed(1), 3, 2)?;
    /// copy.load_safetensors(&model.to_safetensors(), |name| name.to_owned())?;
    /// assert_eq!(copy, model);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// In Python: `safetensors.torch.load_file(path)` gives the `state_dict` of a module with a `torch.nn.GRU` in it, but for the prefix.
    #[must_use]
    pub fn to_safetensors(&self) -> Vec<u8> {
        let size = size_of::<F>();
        let dtype = if size == 4 { "F32" } else { "F64" };
        let (mut entries, mut data) = (Vec::new(), Vec::new());
        for tensor in self.net.tensors::<F>() {
            let from = data.len();
            for &place in &tensor.places {
                let x = self.params[place].as_f64();
                #[allow(clippy::cast_possible_truncation, reason = "it was an f32 before")]
                if size == 4 {
                    data.extend((x as f32).to_le_bytes());
                } else {
                    data.extend(x.to_le_bytes());
                }
            }
            let (name, shape, to) = (&tensor.name, &tensor.shape, data.len());
            entries.push(format!(
                r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{from},{to}]}}"#
            ));
        }
        let mut header = format!("{{{}}}", entries.join(","));
        while header.len() % 8 != 0 {
            header.push(' ');
        }
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    /// Sets all tensors from the bytes of a safetensors file; `name_of` gives the file's name for each of ours.
    ///
    /// A `state_dict` of PyTorch has the attribute of the module before each name: `|name| format!("lstm.{name}")` for `self.lstm`, and
    /// `fc.weight` for `head.weight` where the module has `self.fc`. The net stays as it was where an error comes back.
    ///
    /// From Keras: `weight_ih` is the transposed kernel, `weight_hh` the transposed recurrent kernel, `bias_ih` the bias (for a GRU its first
    /// row, the second is `bias_hh`) and `bias_hh` 0. An LSTM's gates have PyTorch's order (i, f, c, o); a GRU's (z, r, h) become (r, z, n).
    /// [`from_keras`] does it.
    ///
    /// # Errors
    /// [`Error::Format`] for bytes that are no such file, a tensor that is missing or has another shape, and numbers that are not finite.
    pub fn load_safetensors(&mut self, bytes: &[u8], name_of: impl Fn(&str) -> String) -> Result<()> {
        let (entries, data_at) = header(bytes)?;
        let data = &bytes[data_at..];
        let mut params = self.params.clone();
        for tensor in self.net.tensors::<F>() {
            let name = name_of(&tensor.name);
            let Some(entry) = entries.iter().find(|entry| entry.name == name) else {
                return Err(format_error(8, format!("a tensor `{name}`"), "none"));
            };
            let at = data_at as u64 + entry.from;
            if entry.shape != tensor.shape.iter().map(|&n| n as u64).collect::<Vec<_>>() {
                let expected = format!("the shape {:?} of `{name}`", tensor.shape);
                return Err(format_error(at, expected, format!("{:?}", entry.shape)));
            }
            let size = match entry.dtype.as_str() {
                "F32" => 4,
                "F64" => 8,
                other => return Err(format_error(at, "F32 or F64", other)),
            };
            let range = usize::try_from(entry.from).ok().zip(usize::try_from(entry.to).ok());
            let Some(numbers) = range
                .and_then(|(from, to)| data.get(from..to))
                .filter(|x| x.len() == tensor.places.len() * size)
            else {
                let expected = format!("{} bytes for `{name}`", tensor.places.len() * size);
                return Err(format_error(
                    at,
                    expected,
                    format!("{}..{} of {}", entry.from, entry.to, data.len()),
                ));
            };
            let values: Vec<F> = if size == 4 {
                let number = |x: &[u8]| F::of(f64::from(f32::from_le_bytes([x[0], x[1], x[2], x[3]])));
                numbers.chunks_exact(4).map(number).collect()
            } else {
                let number =
                    |x: &[u8]| F::of(f64::from_le_bytes([x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]]));
                numbers.chunks_exact(8).map(number).collect()
            };
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(format_error(at, format!("finite numbers in `{name}`"), value.to_string()));
            }
            let values = ndarray::ArrayView2::from_shape((values.len(), 1), &values).expect("one column");
            scatter(&tensor, values, &mut params);
        }
        self.params = params;
        Ok(())
    }
}

/// Keras's kernel or bias, gates along the columns, as PyTorch's, gates along the rows.
///
/// `kernel` is `(n_inputs, gates * n_hidden)`; the result `(gates * n_hidden, n_inputs)`. For a GRU, whose gates Keras orders (z, r, h), the first
/// two change places; for an LSTM, (i, f, c, o), and an RNN none does. A bias is a kernel with one row.
///
/// # Example
/// ```
/// use sapwood::{ndarray::array, recurrent::{GruCell, from_keras}};
///
/// let kernel = array![[1.0, 2.0, 3.0]]; // one input, one unit: z, r, h
/// assert_eq!(from_keras::<_, GruCell>(kernel.view()), array![[2.0], [1.0], [3.0]]);
/// ```
#[must_use]
pub fn from_keras<F: Float, C: Cell>(kernel: ndarray::ArrayView2<'_, F>) -> ndarray::Array2<F> {
    let mut weights = kernel.t().as_standard_layout().into_owned();
    if C::INPUT_ORDER.len() == 3 {
        let n = kernel.ncols() / 3;
        weights.slice_mut(ndarray::s![..n, ..]).assign(&kernel.slice(ndarray::s![.., n..2 * n]).t());
        weights.slice_mut(ndarray::s![n..2 * n, ..]).assign(&kernel.slice(ndarray::s![.., ..n]).t());
    }
    weights
}

/// A tensor as the header names it.
#[derive(Debug, Default)]
struct Entry {
    name: String,
    dtype: String,
    shape: Vec<u64>,
    from: u64,
    to: u64,
}

fn format_error(
    at: u64,
    expected: impl Into<std::borrow::Cow<'static, str>>,
    found: impl Into<String>,
) -> Error {
    Error::Format {
        path: PathBuf::from("<memory>"),
        at: Position::Byte(at),
        expected: expected.into(),
        found: found.into(),
    }
}

/// The tensors of the file, and where the numbers begin.
fn header(bytes: &[u8]) -> Result<(Vec<Entry>, usize)> {
    let length = bytes.first_chunk().map(|&length| u64::from_le_bytes(length));
    let end = length.and_then(|length| usize::try_from(length).ok()).and_then(|length| length.checked_add(8));
    let Some(json) = end.and_then(|end| bytes.get(8..end)) else {
        let expected = format!("the length of a header within {} bytes", bytes.len());
        return Err(format_error(0, expected, format!("{length:?}")));
    };
    let mut json = Json { bytes: json, at: 0 };
    let mut entries = Vec::new();
    json.object(|json, name| {
        if name == "__metadata__" {
            return json.object(|json, _| json.string().map(|_| ()));
        }
        let mut entry = Entry { name, ..Entry::default() };
        json.object(|json, key| {
            match key.as_str() {
                "dtype" => entry.dtype = json.string()?,
                "shape" => entry.shape = json.numbers()?,
                "data_offsets" => match json.numbers()?[..] {
                    [from, to] => (entry.from, entry.to) = (from, to),
                    _ => return Err(json.error("two offsets")),
                },
                _ => return Err(json.error("`dtype`, `shape` or `data_offsets`")),
            }
            Ok(())
        })?;
        entries.push(entry);
        Ok(())
    })?;
    Ok((entries, 8 + json.bytes.len()))
}

/// As much of JSON as such a header may hold: objects of strings, lists of whole numbers, and such objects.
struct Json<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Json<'_> {
    fn error(&self, expected: &'static str) -> Error {
        let found =
            self.bytes.get(self.at).map_or_else(|| "the end".into(), |&byte| char::from(byte).to_string());
        format_error(8 + self.at as u64, expected, found)
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<()> {
        if self.peek() != Some(byte) {
            return Err(self.error(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Reads `{"key": .., ..}`; `value` reads what stands behind each key.
    fn object(&mut self, mut value: impl FnMut(&mut Self, String) -> Result<()>) -> Result<()> {
        self.take(b'{', "`{`")?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.take(b':', "`:`")?;
            value(self, key)?;
            if self.peek() == Some(b',') {
                self.at += 1;
            } else {
                return self.take(b'}', "`,` or `}`");
            }
        }
    }

    /// A string; of the escapes, those of a single character.
    fn string(&mut self) -> Result<String> {
        self.take(b'"', "a string")?;
        let mut text = Vec::new();
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    match self.bytes.get(self.at) {
                        Some(b'n') => text.push(b'\n'),
                        Some(b't') => text.push(b'\t'),
                        Some(&byte @ (b'"' | b'\\' | b'/')) => text.push(byte),
                        _ => return Err(self.error("a simple escape")),
                    }
                }
                Some(&byte) => text.push(byte),
                None => return Err(self.error("the end of the string")),
            }
            self.at += 1;
        }
        self.at += 1;
        String::from_utf8(text).map_err(|_| self.error("UTF-8"))
    }

    /// A list of whole numbers.
    fn numbers(&mut self) -> Result<Vec<u64>> {
        self.take(b'[', "`[`")?;
        let mut numbers = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(numbers);
        }
        loop {
            self.peek();
            let digits = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let text = std::str::from_utf8(&self.bytes[self.at..self.at + digits]).unwrap_or("");
            numbers.push(text.parse().map_err(|_| self.error("a whole number"))?);
            self.at += digits;
            if self.peek() == Some(b',') {
                self.at += 1;
            } else {
                self.take(b']', "`,` or `]`")?;
                return Ok(numbers);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lstm;
    use crate::recurrent::LstmCell;

    fn net(seed: u64) -> Lstm<f64> {
        Lstm::untrained(&Lstm::params(3).n_layers(2).bidirectional(true).seed(seed), 2, 2).unwrap()
    }

    #[test]
    fn every_truncation_is_an_error_and_leaves_the_net() {
        let (bytes, mut other) = (net(0).to_safetensors(), net(1));
        for end in (0..bytes.len()).step_by(7) {
            assert!(other.load_safetensors(&bytes[..end], str::to_owned).is_err());
        }
        assert_eq!(other, net(1));
        other.load_safetensors(&bytes, str::to_owned).unwrap();
        assert_eq!(other, net(0));
    }

    #[test]
    fn lies_about_length_shape_and_place_are_errors() {
        let bytes = net(0).to_safetensors();
        let text = String::from_utf8_lossy(&bytes[8..]).into_owned();
        let head = &text[..text.find('}').unwrap() + 1];
        assert!(head.contains("[0,192]"), "{head}");
        let load = |from: &str, to: &str| {
            assert_eq!(from.len(), to.len());
            let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
            let mut bytes = bytes.clone();
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            net(1).load_safetensors(&bytes, str::to_owned)
        };
        assert!(load("[0,192]", "[0,193]").is_err());
        assert!(load("[0,192]", "[9,192]").is_err());
        assert!(load("\"F64\"", "\"F16\"").is_err());
        assert!(load("[12, 2]", "[13, 2]").is_err());
        assert!(load("weight_ih_l0\"", "weight_ih_l9\"").is_err());
        let mut lie = bytes.clone();
        lie[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(net(1).load_safetensors(&lie, str::to_owned).is_err());
        let mut deep = 1_000_000_u64.to_le_bytes().to_vec();
        deep.extend(vec![b'{'; 1_000_000]);
        assert!(net(1).load_safetensors(&deep, str::to_owned).is_err());
    }

    #[test]
    fn an_lstm_of_keras_is_only_transposed() {
        let kernel = ndarray::array![[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]];
        assert_eq!(from_keras::<f64, LstmCell>(kernel.view()), kernel.t());
    }
}
