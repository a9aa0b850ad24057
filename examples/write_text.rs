//! A net that writes: an LSTM learns the next character of a text, and a first-order Markov chain does the same by counting.
//!
//! Both are judged in bits per character on the last tenth, which neither has seen; then the net writes. Reads `../shared/data/seq/tinyshakespeare/input.txt` or the
//! file named; without either, a text that is made here.
//!
//! `cargo run --release --example write_text [text.txt [picture.svg]]`

use std::collections::BTreeSet;
use std::fs;

use sapwood::linfa::DatasetBase;
use sapwood::plot::Figure;
use sapwood::{
    Error, Lstm,
    data::Sequences,
    ndarray::{Array1, Array2},
};

const LENGTH: usize = 200_000;
const WINDOW: usize = 100;

fn text(path: Option<String>) -> String {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/seq/tinyshakespeare/input.txt");
    fs::read_to_string(path.as_deref().unwrap_or(shared)).unwrap_or_else(|_| {
        println!("no file: a made-up text");
        let words = ["the wood", "carries", "a river", "slowly", "and the sap", "rises", "in spring"];
        (0..9_000_usize)
            .map(|i| words[i * i / 3 % 7].to_owned() + if i % 5 == 4 { ".\n" } else { " " })
            .collect()
    })
}

/// Sequences of `WINDOW` tokens, and the token after each.
fn examples(
    tokens: &[usize],
) -> Result<(Sequences<sapwood::ndarray::OwnedRepr<usize>>, Array1<usize>), Error> {
    let n = (tokens.len() - 1) / WINDOW;
    let x = Array2::from_shape_fn((n * WINDOW, 1), |(i, _)| tokens[i]);
    Ok((Sequences::new(x, vec![WINDOW; n])?, tokens[1..=n * WINDOW].iter().copied().collect()))
}

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let text: Vec<char> = text(arguments.next()).chars().take(LENGTH).collect();
    let letters: Vec<char> = text.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let tokens: Vec<usize> = text.iter().map(|c| letters.binary_search(c).unwrap_or(0)).collect();
    let (train, test) = tokens.split_at(tokens.len() * 9 / 10);
    let n = letters.len();

    // The chain: how often each letter follows each, one added to every count.
    let mut counts = Array2::<f64>::from_elem((n, n), 1.0);
    train.windows(2).for_each(|pair| counts[[pair[0], pair[1]]] += 1.0);
    let bits = |pair: &[usize]| -(counts[[pair[0], pair[1]]] / counts.row(pair[0]).sum()).log2();
    let (x_test, y_test) = examples(test)?;
    let of_chain = test[..y_test.len() + 1].windows(2).map(bits).sum::<f64>() / y_test.len() as f64;

    let (x, y) = examples(train)?;
    let settings =
        Lstm::<f32>::params(128).embedding(32).n_tokens(n).learning_rate(4e-3).batch_size(16).n_epochs(6);
    let model =
        settings.fit_observed(&DatasetBase::new(x, y), &mut |progress: &sapwood::observe::Progress| {
            let bits = progress.objective.unwrap_or(f64::NAN) / std::f64::consts::LN_2;
            println!("epoch {}: {bits:.3} bits per character in training", progress.done);
            std::ops::ControlFlow::Continue(())
        })?;
    let p = model.predict_proba(&x_test)?;
    // A letter that training did not have gets one in a million.
    let p_of = |i, y| model.classes().binary_search(y).map_or(1e-6, |column| f64::from(p[[i, column]]));
    let of_lstm =
        y_test.iter().enumerate().map(|(i, y)| -p_of(i, y).log2()).sum::<f64>() / y_test.len() as f64;

    println!("\nbits per character on the held-back end: Markov chain {of_chain:.3}, LSTM {of_lstm:.3}");
    for temperature in [0.0, 0.5, 0.8, 1.0] {
        let written: String =
            model.sample(&tokens[..WINDOW], 160, temperature, 1)?.iter().map(|&t| letters[t]).collect();
        println!("\n-- temperature {temperature}\n{written}");
    }
    assert!(of_lstm < 0.9 * of_chain, "what came before the last letter helps");

    if let Some(path) = arguments.next() {
        let epochs: Vec<f64> = (1..=model.losses().len()).map(|epoch| epoch as f64).collect();
        let bits: Vec<f64> = model.losses().iter().map(|loss| loss / std::f64::consts::LN_2).collect();
        let curves =
            [("LSTM, training", &epochs, &bits), ("Markov chain", &epochs, &vec![of_chain; bits.len()])];
        let held_back = format!("on the held-back end: LSTM {of_lstm:.2}, Markov chain {of_chain:.2}");
        let figure = Figure::curves(&curves)?.title("Learning to write").subtitle(held_back);
        figure.axes(["epoch", "bits per character"]).save(path)?;
    }
    Ok(())
}
