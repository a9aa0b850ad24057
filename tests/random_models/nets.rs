//! Recurrent nets of any shape: the loss against the equations, the gradient against differences of those.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::Params;
use sapwood::data::{ClassIndex, Sequences};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};
use sapwood::recurrent::{
    Cell, Gradients, GruCell, LstmCell, PeepholeLstmCell, Recurrent, RecurrentParams, RnnCell,
};

use super::cases::for_all;

type Outcome = std::result::Result<(), TestCaseError>;
type Tensors = Vec<(String, Array2<f64>)>;

fn tensor<'t>(tensors: &'t Tensors, name: &str) -> Option<ArrayView2<'t, f64>> {
    tensors.iter().find(|tensor| tensor.0 == name).map(|tensor| tensor.1.view())
}

/// The hidden states of one layer in one direction, one number after another.
fn layer(kind: &str, is_relu: bool, tensors: &Tensors, part: &str, x: &Array2<f64>) -> Array2<f64> {
    let of = |name: &str| tensor(tensors, &format!("{name}_{part}"));
    let whole = |name: &str| of(name).expect("every layer has it");
    let (w, u, b, c) = (whole("weight_ih"), whole("weight_hh"), whole("bias_ih"), whole("bias_hh"));
    let n = u.ncols();
    let sigmoid = |a: f64| 1.0 / (1.0 + (-a).exp());
    let (mut h, mut memory) = (Array1::<f64>::zeros(n), Array1::<f64>::zeros(n));
    let mut states = Array2::zeros((x.nrows(), n));
    let order: Vec<usize> =
        if part.ends_with("_reverse") { (0..x.nrows()).rev().collect() } else { (0..x.nrows()).collect() };
    for t in order {
        let (from_x, from_h) = (w.dot(&x.row(t)) + b.column(0), u.dot(&h) + c.column(0));
        for j in 0..n {
            let a = |gate: usize| from_x[gate * n + j] + from_h[gate * n + j];
            match kind {
                "LSTM" | "PeepholeLSTM" => {
                    let peephole = |gate: usize| of("weight_peephole").map_or(0.0, |p| p[[gate * n + j, 0]]);
                    let before = memory[j];
                    let (input, forget) = (a(0) + peephole(0) * before, a(1) + peephole(1) * before);
                    memory[j] = sigmoid(forget) * before + sigmoid(input) * a(2).tanh();
                    h[j] = sigmoid(a(3) + peephole(2) * memory[j]) * memory[j].tanh();
                }
                "GRU" => {
                    let candidate = (from_x[2 * n + j] + sigmoid(a(0)) * from_h[2 * n + j]).tanh();
                    h[j] = (1.0 - sigmoid(a(1))) * candidate + sigmoid(a(1)) * h[j];
                }
                _ => h[j] = if is_relu { a(0).max(0.0) } else { a(0).tanh() },
            }
        }
        states.row_mut(t).assign(&h);
    }
    states
}

#[derive(Debug, Clone)]
enum Targets {
    Values(Array2<f64>),
    Classes(Array1<usize>),
}

/// A net as its definition has it.
struct Naive {
    kind: &'static str,
    is_relu: bool,
    n_layers: usize,
    both_ways: bool,
    lengths: Vec<usize>,
    tokens: Option<Vec<usize>>,
    targets: Targets,
}

impl Naive {
    fn loss(&self, tensors: &Tensors, x: &Array2<f64>) -> f64 {
        let n_targets = match &self.targets {
            Targets::Values(y) => y.nrows(),
            Targets::Classes(y) => y.len(),
        };
        let x = match &self.tokens {
            Some(tokens) => tensor(tensors, "embedding.weight").expect("for tokens").select(Axis(0), tokens),
            None => x.clone(),
        };
        let (mut from, mut answers) = (0, Vec::new());
        for &length in &self.lengths {
            let mut now = x.slice_axis(Axis(0), (from..from + length).into()).to_owned();
            from += length;
            for l in 0..self.n_layers {
                let there = layer(self.kind, self.is_relu, tensors, &format!("l{l}"), &now);
                now = if self.both_ways {
                    let back = layer(self.kind, self.is_relu, tensors, &format!("l{l}_reverse"), &now);
                    concatenate![Axis(1), there, back]
                } else {
                    there
                };
            }
            if n_targets == x.nrows() && n_targets != self.lengths.len() {
                answers.extend(now.rows().into_iter().map(|row| row.to_owned()));
            } else {
                // What each direction knows at its end.
                let n = now.ncols() / if self.both_ways { 2 } else { 1 };
                let last = |j: usize| now[[if j < n { length - 1 } else { 0 }, j]];
                answers.push(Array1::from_shape_fn(now.ncols(), last));
            }
        }
        let (w, b) =
            (tensor(tensors, "head.weight").expect("a head"), tensor(tensors, "head.bias").expect("a head"));
        let outputs = answers.iter().map(|h| w.dot(h) + b.column(0));
        let (mut sum, mut n) = (0.0, 0);
        for (i, output) in outputs.enumerate() {
            match &self.targets {
                Targets::Values(y) => {
                    sum += (&output - &y.row(i)).mapv(|d| d * d).sum();
                    n += output.len();
                }
                Targets::Classes(y) => {
                    let top = output.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                    sum += output.mapv(|z| (z - top).exp()).sum().ln() + top - output[y[i]];
                    n += 1;
                }
            }
        }
        sum / n as f64
    }
}

/// Compares the loss with the definition's, and the gradient along a random direction, of all numbers at once and of one tensor alone, with its slope.
fn check(
    rng: &mut Xoshiro256PlusPlus,
    naive: &Naive,
    tensors: &Tensors,
    x: &Array2<f64>,
    found: &Gradients<f64>,
) -> Outcome {
    let loss = naive.loss(tensors, x);
    prop_assert!((found.loss - loss).abs() <= 1e-12 * loss.max(1.0), "loss {} is not {loss}", found.loss);
    let one = rng.gen_range(0..tensors.len());
    for only in [None, Some(one)] {
        let mut random = |shape: (usize, usize), counts: bool| {
            Array2::from_shape_simple_fn(shape, || if counts { rng.gen_range(-1.0..1.0) } else { 0.0 })
        };
        let mut of_x = random(x.dim(), only.is_none() && naive.tokens.is_none());
        let mut directions: Vec<Array2<f64>> = tensors
            .iter()
            .enumerate()
            .map(|(i, tensor)| random(tensor.1.dim(), only.is_none_or(|only| only == i)))
            .collect();
        let length = directions.iter().chain([&of_x]).map(|v| v.mapv(|v| v * v).sum()).sum::<f64>().sqrt();
        directions.iter_mut().chain([&mut of_x]).for_each(|v| *v /= length);
        let at = |step: f64| {
            let moved = tensors.iter().zip(&directions).map(|((name, w), v)| (name.clone(), w + &(v * step)));
            naive.loss(&moved.collect(), &(x + &(&of_x * step)))
        };
        let mut slope: f64 = if naive.tokens.is_some() { 0.0 } else { (&of_x * &found.inputs).sum() };
        for ((name, gradient), ((expected, _), v)) in
            found.tensors.iter().zip(tensors.iter().zip(&directions))
        {
            prop_assert_eq!(name, expected);
            slope += (gradient * v).sum();
        }
        let size = slope.abs().max(loss).max(1.0);
        // Two steps without the error of the second order; a short one, for a unit whose positive part begins within the longer.
        let difference = |step: f64| (at(step) - at(-step)) / (2.0 * step);
        let long = (4.0 * difference(1e-4) - difference(2e-4)) / 3.0;
        let gaps = [long, difference(1e-7)].map(|expected| (slope - expected).abs() / size);
        prop_assert!(
            gaps[0] < 1e-9 || gaps[1] < 1e-7,
            "slope {slope} of {only:?}: off by {gaps:?}, loss {loss}"
        );
    }
    Ok(())
}

/// Any tensor, so that nothing stays where a net begins.
fn fill<C: Cell, T>(rng: &mut Xoshiro256PlusPlus, net: &mut Recurrent<f64, C, T>) -> Tensors {
    let size = rng.gen_range(0.1..1.5);
    let mut tensors = Vec::new();
    for (name, shape) in net.tensor_names() {
        let shape = (shape[0], shape.get(1).copied().unwrap_or(1));
        let values = Array2::from_shape_simple_fn(shape, || size * rng.gen_range(-1.0..1.0));
        net.set_tensor(&name, values.view()).expect("its own shape");
        tensors.push((name, values));
    }
    tensors
}

fn run<C: Cell>(
    settings: &Params<RecurrentParams<f64, C>>,
    mut naive: Naive,
    rng: &mut Xoshiro256PlusPlus,
) -> Outcome {
    let n: usize = naive.lengths.iter().sum();
    let (d, outputs) = (rng.gen_range(1..7), rng.gen_range(1..5));
    let mut random = |shape: (usize, usize)| Array2::from_shape_simple_fn(shape, || rng.gen_range(-2.0..2.0));
    let x = random((n, d));
    let lengths = naive.lengths.clone();
    // One epoch, of which nothing stays but the shapes.
    let settings = settings.clone().n_epochs(1);
    let n_targets = if rng.gen_bool(0.5) { n } else { lengths.len() };
    match rng.gen_range(0..3) {
        0 => {
            let y = Array2::from_shape_simple_fn((n_targets, outputs), || rng.gen_range(-2.0..2.0));
            let data = DatasetBase::new(Sequences::new(x.clone(), lengths).expect("whole"), y);
            let mut net: Recurrent<f64, C> = settings.fit(&data).expect("valid");
            let tensors = fill(rng, &mut net);
            let found = net.gradients(data.records(), data.targets(), None).expect("valid");
            naive.targets = Targets::Values(data.targets);
            check(rng, &naive, &tensors, &x, &found)
        }
        kind => {
            // Every class occurs, so that the columns are the classes.
            let y: Array1<usize> = (0..n_targets).map(|i| (i * 7 + 1) % outputs.min(n_targets)).collect();
            let tokens: Vec<usize> = (0..n).map(|_| rng.gen_range(0..5)).collect();
            if kind == 1 {
                let data = DatasetBase::new(Sequences::new(x.clone(), lengths).expect("whole"), y.clone());
                let mut net: Recurrent<f64, C, ClassIndex<usize>> = settings.fit(&data).expect("valid");
                let tensors = fill(rng, &mut net);
                let found = net.gradients(data.records(), data.targets(), None).expect("valid");
                naive.targets = Targets::Classes(y);
                return check(rng, &naive, &tensors, &x, &found);
            }
            let column = Array2::from_shape_vec((n, 1), tokens.clone()).expect("a column");
            let data = DatasetBase::new(Sequences::new(column, lengths).expect("whole"), y.clone());
            let settings = settings.embedding(d).n_tokens(5);
            let mut net: Recurrent<f64, C, ClassIndex<usize>> = settings.fit(&data).expect("valid");
            let tensors = fill(rng, &mut net);
            let found = net.gradients(data.records(), data.targets(), None).expect("valid");
            (naive.targets, naive.tokens) = (Targets::Classes(y), Some(tokens));
            check(rng, &naive, &tensors, &x, &found)
        }
    }
}

#[test]
fn gradients_of_any_net_are_the_slopes_of_its_definition() {
    let sizes = (1..20_usize, 1..4_usize, any::<bool>(), proptest::collection::vec(1..7_usize, 1..6));
    for_all(60, &(0..5_usize, sizes, any::<u64>()), |(kind, (units, n_layers, both_ways, lengths), seed)| {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let kind_name = ["LSTM", "PeepholeLSTM", "GRU", "RNN", "RNN"][kind];
        let naive = Naive {
            kind: kind_name,
            is_relu: kind == 4,
            n_layers,
            both_ways,
            lengths,
            tokens: None,
            targets: Targets::Classes(Array1::default(0)),
        };
        fn settings<C: Cell>(units: usize, naive: &Naive) -> Params<RecurrentParams<f64, C>> {
            Recurrent::<f64, C>::params(units).n_layers(naive.n_layers).bidirectional(naive.both_ways)
        }
        match kind {
            0 => run(&settings::<LstmCell>(units, &naive), naive, &mut rng),
            1 => run(&settings::<PeepholeLstmCell>(units, &naive), naive, &mut rng),
            2 => run(&settings::<GruCell>(units, &naive), naive, &mut rng),
            3 => run(&settings::<RnnCell>(units, &naive), naive, &mut rng),
            _ => run(&settings(units, &naive).cell(RnnCell::Relu), naive, &mut rng),
        }
    });
}
