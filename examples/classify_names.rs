//! Which language is a surname from? A GRU over its letters.
//!
//! Reads the folder `../shared/data/lstm/names` (one file for each language) or the one named; without either, names made of the syllables of three
//! invented languages.
//!
//! `cargo run --release --example classify_names [folder [picture.svg]]`

use std::fs;

use rand::seq::SliceRandom;
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::plot::Figure;
use sapwood::{
    Error, Gru,
    data::Sequences,
    ndarray::{Array1, Array2, OwnedRepr},
};

/// `(language, name)` of every line of every file.
fn names(folder: Option<String>) -> Vec<(String, String)> {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/lstm/names");
    let mut names = Vec::new();
    for path in fs::read_dir(folder.as_deref().unwrap_or(shared))
        .into_iter()
        .flatten()
        .flatten()
        .map(|file| file.path())
    {
        let language = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap_or_default();
        names.extend(text.lines().map(|name| (language.clone(), name.to_lowercase())));
    }
    if names.is_empty() {
        println!("no folder: names of invented languages");
        let syllables =
            [["ka", "to", "mi", "ru"], ["sch", "ber", "ger", "mann"], ["ov", "ski", "eva", "bor"]];
        let name =
            |i: usize, s: &[&str; 4]| [i % 4, i / 4 % 4, i / 16 % 4, (i * i / 7) % 4].map(|k| s[k]).concat();
        names.extend((0..900).map(|i| (format!("language {}", i % 3), name(i / 3, &syllables[i % 3]))));
    }
    names.sort();
    names.dedup();
    names.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(1));
    names
}

type Data<'a> = DatasetBase<Sequences<OwnedRepr<usize>>, Array1<&'a str>>;

/// Letters as tokens (their code points, those above 700 as one), one label for each name.
fn data(names: &[(String, String)]) -> Result<Data<'_>, Error> {
    let tokens: Vec<Vec<usize>> =
        names.iter().map(|(_, name)| name.chars().map(|c| (c as usize).min(700)).collect()).collect();
    let letters = Array2::from_shape_vec((tokens.iter().map(Vec::len).sum(), 1), tokens.concat());
    let lengths = tokens.iter().map(Vec::len).collect();
    let labels = names.iter().map(|(language, _)| language.as_str()).collect();
    Ok(DatasetBase::new(Sequences::new(letters.unwrap_or_default(), lengths)?, labels))
}

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let names = names(arguments.next());
    let (train, test) = names.split_at(names.len() * 9 / 10);
    let (train, test) = (data(train)?, data(test)?);

    let settings = Gru::<f32>::params(64).bidirectional(true).embedding(24).n_tokens(701);
    let model = settings.learning_rate(3e-3).n_epochs(12).early_stopping(3, 0.1).fit(&train)?;

    let answers = model.predict(test.records())?;
    let n = answers.len();
    let share = |k: usize, n: usize| 100.0 * k as f64 / n.max(1) as f64;
    let right = answers.iter().zip(test.targets()).filter(|(a, b)| a == b).count();
    let most = model
        .classes()
        .iter()
        .map(|class| test.targets().iter().filter(|label| *label == class).count())
        .max();
    let (ours, commonest) = (share(right, n), share(most.unwrap_or(0), n));
    println!("{n} names held back: {ours:.1}% right; always the commonest language: {commonest:.1}%");
    for class in model.classes() {
        let of_class = || answers.iter().zip(test.targets()).filter(|(_, label)| *label == class);
        let right = of_class().filter(|(answer, _)| *answer == class).count();
        println!("{class:12} {:5.1}% of {}", share(right, of_class().count()), of_class().count());
    }
    assert!(right > most.unwrap_or(0), "better than the commonest language");

    if let Some(path) = arguments.next() {
        let classes = model.classes();
        let mut counts = Array2::zeros((classes.len(), classes.len()));
        for (answer, label) in answers.iter().zip(test.targets()) {
            // A language that training did not have has no row.
            if let [Some(i), Some(j)] = [label, answer].map(|l| classes.iter().position(|c| c == l)) {
                counts[[i, j]] += 1;
            }
        }
        Figure::confusion(classes, &counts)?.subtitle("surnames held back, by language").save(path)?;
    }
    Ok(())
}
