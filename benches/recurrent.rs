//! Recurrent nets on one thread, f32: forward over sequences, one streaming step, one training step.
//!
//! `cargo bench --bench recurrent` times our own. `benches/peers/recurrent.py` calls it with a folder of PyTorch's weights, inputs and
//! outputs, which must agree before anything is timed: one line for each case, `name seconds`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use sapwood::data::Sequences;
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array2, OwnedRepr};
use sapwood::recurrent::{Cell, GruCell, LstmCell, Recurrent, RnnCell, Workspace};

fn floats(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).expect("a file of floats");
    bytes.chunks_exact(4).map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]])).collect()
}

/// Seconds of one call: the fastest of several rounds of `n` calls.
fn seconds(n: usize, mut call: impl FnMut()) -> f64 {
    let round = |call: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..n).for_each(|_| call());
        start.elapsed().as_secs_f64() / n as f64
    };
    (0..7).map(|_| round(&mut call)).fold(f64::INFINITY, f64::min)
}

/// Calls that take about 20 ms together.
fn calls(flops: f64) -> usize {
    ((0.02 * 2e10 / flops) as usize).clamp(1, 20_000)
}

struct Case {
    cell: String,
    n_hidden: usize,
    n_inputs: usize,
    batch: usize,
    steps: usize,
}

fn run<C: Cell>(case: &Case, folder: Option<&Path>) {
    let &Case { ref cell, n_hidden, n_inputs, batch, steps } = case;
    let settings = Recurrent::<f32, C>::params(n_hidden);
    let mut net = Recurrent::<f32, C>::untrained(&settings, n_inputs, 1).expect("valid sizes");
    let mut x: Vec<f32> =
        (0..batch * steps * n_inputs).map(|i| ((i * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
    if let Some(folder) = folder {
        let bytes = fs::read(folder.join("net.safetensors")).expect("weights");
        net.load_safetensors(&bytes, str::to_owned).expect("the same net");
        x = floats(&folder.join("x"));
    }
    let x = Array2::from_shape_vec((batch * steps, n_inputs), x).expect("inputs of the case");
    let sequences: Sequences<OwnedRepr<f32>> = Sequences::new(x, vec![steps; batch]).expect("equal lengths");
    let (mut room, mut y) = (Workspace::default(), Array2::zeros((batch * steps, 1)));
    net.predict_into(&sequences, &mut room, y.view_mut()).expect("outputs");
    if let Some(folder) = folder {
        let torch = floats(&folder.join("y"));
        let worst = y.iter().zip(&torch).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(y.len() == torch.len() && worst < 1e-5, "outputs differ from the peer's by {worst}");
    }
    let gates = if cell == "lstm" {
        4.0
    } else if cell == "gru" {
        3.0
    } else {
        1.0
    };
    let flops = 2.0 * gates * (n_hidden * (n_hidden + n_inputs) * batch * steps) as f64;
    let name = format!("{cell}/h{n_hidden}/i{n_inputs}/b{batch}/t{steps}");
    let forward = seconds(calls(flops), || {
        net.predict_into(black_box(&sequences), &mut room, y.view_mut()).expect("outputs");
    });
    println!("recurrent/forward/{name} {forward:.4e}");

    if batch == 1 {
        let mut stream = net.stream().expect("one direction");
        let x = vec![0.1; n_inputs];
        let step = seconds(calls(flops / steps as f64), || {
            black_box(stream.step(black_box(&x)).expect("one step"));
        });
        println!("recurrent/step/{name} {step:.4e}");
    }

    // First values and first allocations are no part of a step: the difference of two fits.
    let n = calls(4.0 * flops).max(4);
    let data = DatasetBase::new(sequences, Array2::from_elem((batch * steps, 1), 0.5_f32));
    let settings = settings.clip(None).batch_size(batch).shuffle(false);
    let fit = |n: usize| {
        seconds(1, || drop(black_box(settings.clone().n_epochs(n).fit(&data).expect("a finite loss"))))
    };
    println!("recurrent/train/{name} {:.4e}", (fit(n + 1) - fit(1)) / n as f64);
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let n_threads = std::env::var("THREADS").map_or(1, |n| n.parse().expect("a number of threads"));
    let run_case = |case: &Case, folder: Option<&Path>| {
        sapwood::with_threads(n_threads, || match case.cell.as_str() {
            "lstm" => run::<LstmCell>(case, folder),
            "gru" => run::<GruCell>(case, folder),
            _ => run::<RnnCell>(case, folder),
        });
    };
    // From the peers' script: cell, hidden, inputs, batch, steps, folder. Without one: `none`.
    if let [cell, sizes @ .., folder] = &arguments[..] {
        let sizes: Vec<usize> = sizes.iter().map(|size| size.parse().expect("a size")).collect();
        let &[n_hidden, n_inputs, batch, steps] = &sizes[..] else {
            panic!("cell hidden inputs batch steps folder")
        };
        run_case(
            &Case { cell: cell.clone(), n_hidden, n_inputs, batch, steps },
            Some(Path::new(folder)).filter(|_| folder != "none"),
        );
        return;
    }
    for cell in ["lstm", "gru", "rnn"] {
        for n_hidden in [16, 32, 64, 128, 256] {
            for batch in [1, 32] {
                run_case(&Case { cell: cell.into(), n_hidden, n_inputs: 32, batch, steps: 50 }, None);
            }
        }
    }
}
