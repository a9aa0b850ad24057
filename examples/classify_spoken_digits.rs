//! Which digit was spoken? One left-right Gaussian hidden Markov model for each digit, scored on recordings it has not heard.
//!
//! Data: cepstral coefficients of the Free Spoken Digit Dataset at ../`shared/data/seq/fsdd_mfcc_4spk`; without them, made-up syllables.
#![allow(clippy::print_stdout)]

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;
use sapwood::data::Sequences;
use sapwood::hmm::Topology;
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use sapwood::{GaussianHmm, io};

/// A recording: its rows, and the digit.
type Recording = (Array2<f64>, usize);

fn read() -> Option<Vec<Recording>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/seq/fsdd_mfcc_4spk");
    let x = io::read_npy::<f64>(format!("{folder}/X.npy")).ok()?;
    let lengths = io::read_npy_i64(format!("{folder}/lengths.npy")).ok()?;
    let digits = io::read_npy_i64(format!("{folder}/digit.npy")).ok()?;
    let mut start = 0;
    let cut = |(&length, &digit): (&i64, &i64)| {
        let end = start + usize::try_from(length).ok()?;
        let rows = x.slice(s![start..end, ..]).to_owned();
        start = end;
        Some((rows, usize::try_from(digit).ok()?))
    };
    lengths.iter().zip(&digits).map(cut).collect()
}

/// Three sounds after one another, each digit with its own, spoken faster or slower.
fn make_up(rng: &mut Xoshiro256Plus) -> Vec<Recording> {
    let sounds = Array2::from_shape_simple_fn((10, 3), || rng.gen_range(-3.0..3.0));
    let mut speak = |digit: usize| {
        let mut rows = Vec::new();
        for sound in sounds.row(digit) {
            rows.extend((0..rng.gen_range(5..12)).map(|_| sound + rng.gen_range(-0.5..0.5)));
        }
        (Array2::from_shape_fn((rows.len(), 1), |(t, _)| rows[t]), digit)
    };
    (0..200).map(|i| speak(i % 10)).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = Xoshiro256Plus::seed_from_u64(0);
    let recordings = read().unwrap_or_else(|| make_up(&mut rng));
    // Every fifth recording is kept back.
    let unheard = |i: &usize| i % 5 == 4;
    let (held, heard): (Vec<usize>, Vec<usize>) = (0..recordings.len()).partition(unheard);

    let mut models = Vec::new();
    for digit in 0..10 {
        let own: Vec<ArrayView2<'_, f64>> =
            heard.iter().filter(|&&i| recordings[i].1 == digit).map(|&i| recordings[i].0.view()).collect();
        let lengths = own.iter().map(ArrayView2::nrows).collect();
        let spoken = Sequences::new(concatenate(Axis(0), &own)?, lengths)?;
        let params =
            GaussianHmm::params(5).topology(Topology::LeftRight { max_jump: 1 }).covariance_floor(1e-2);
        models.push(params.max_iter(15).fit(&DatasetBase::new(spoken, ()))?);
    }

    let mut table = Array2::<usize>::zeros((10, 10));
    for &i in &held {
        let (rows, digit) = &recordings[i];
        let sequence = Sequences::single(rows.view())?;
        let mut best = (0, f64::NEG_INFINITY);
        for (guess, model) in models.iter().enumerate() {
            let score = model.score(&sequence)?;
            if score > best.1 {
                best = (guess, score);
            }
        }
        table[[*digit, best.0]] += 1;
    }
    let right: usize = table.diag().sum();
    println!("rows: spoken, columns: understood\n{table:3}");
    println!(
        "{right} of {} unheard recordings right: {:.1} %",
        held.len(),
        100.0 * right as f64 / held.len() as f64
    );

    assert!(right * 10 > held.len() * 8);
    Ok(())
}
