//! Parts of speech by a supervised hidden Markov model: fitted on one file of the English Web Treebank, scored on another.
//!
//! Without ../`shared/data/seq/ud_ewt` it reads the few sentences below.
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, HashMap};

use sapwood::CategoricalHmm;
use sapwood::data::Sequences;
use sapwood::linfa::{DatasetBase, traits::Predict};
use sapwood::ndarray::{Array1, Array2};

const FIT: &str = "the DET dog NOUN runs VERB\nthe DET cat NOUN sleeps VERB\na DET dog NOUN sees VERB the DET cat NOUN\n\
    she PRON sees VERB a DET bird NOUN\nhe PRON runs VERB quickly ADV\nthe DET bird NOUN sings VERB loudly ADV";
const SCORE: &str = "the DET bird NOUN runs VERB\nshe PRON sleeps VERB quickly ADV\na DET fox NOUN sees VERB the DET dog NOUN";

/// Sentences of (word, tag).
type Text = Vec<Vec<(String, String)>>;

fn read(file: &str, otherwise: &str) -> Text {
    let path = format!("{}/../shared/data/seq/ud_ewt/{file}", env!("CARGO_MANIFEST_DIR"));
    let Ok(text) = std::fs::read_to_string(path) else {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let pairs =
            |words: Vec<String>| words.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        return otherwise.lines().map(|line| pairs(words(line))).collect();
    };
    // CoNLL-U: a word a line, fields between tabs; 1-2 and 1.1 are no words of the sentence.
    let word = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let is_word = fields.len() == 10 && fields[0].bytes().all(|b| b.is_ascii_digit());
        is_word.then(|| (fields[1].to_owned(), fields[3].to_owned()))
    };
    let sentences = text.split("\n\n").map(|sentence| sentence.lines().filter_map(word).collect::<Vec<_>>());
    sentences.filter(|sentence| !sentence.is_empty()).collect()
}

/// What an unknown word is known by: its ending, a capital, a digit.
fn shape(word: &str) -> String {
    let ends =
        ["ing", "ed", "ly", "tion", "ness", "ment", "able", "ive", "ous", "ful", "al", "er", "est", "s", "y"];
    let end = ends.iter().find(|end| word.to_lowercase().ends_with(**end)).unwrap_or(&"");
    let start = word.chars().next();
    let capital = start.is_some_and(char::is_uppercase);
    format!("<{end} {capital} {}>", word.contains(|c: char| c.is_ascii_digit()))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (fit, score) = (read("en_ewt-ud-dev.conllu", FIT), read("en_ewt-ud-test.conllu", SCORE));

    // A symbol for each word that comes twice, and for each shape; a word that comes once stands for the unknown ones of its shape.
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    fit.iter().flatten().for_each(|(word, _)| *seen.entry(word).or_default() += 1);
    let mut symbols: HashMap<String, usize> = HashMap::new();
    for (word, _) in seen.iter().filter(|(_, n)| **n > 1) {
        let next = symbols.len();
        symbols.insert((*word).to_owned(), next);
    }
    for word in fit.iter().chain(&score).flatten().map(|(word, _)| word) {
        let next = symbols.len();
        symbols.entry(shape(word)).or_insert(next);
    }
    let encode = |text: &Text| -> Result<_, Box<dyn std::error::Error>> {
        let symbol = |word: &String| symbols.get(word).unwrap_or_else(|| &symbols[&shape(word)]).to_owned();
        let x: Vec<usize> = text.iter().flatten().map(|(word, _)| symbol(word)).collect();
        let tags: Array1<String> = text.iter().flatten().map(|(_, tag)| tag.clone()).collect();
        let lengths = text.iter().map(Vec::len).collect();
        Ok(DatasetBase::new(Sequences::new(Array2::from_shape_vec((x.len(), 1), x)?, lengths)?, tags))
    };
    let (fit, score) = (encode(&fit)?, encode(&score)?);

    let n_tags = fit.targets.iter().collect::<std::collections::BTreeSet<_>>().len();
    let params = CategoricalHmm::params(n_tags).n_symbols(symbols.len());
    let params = params.symbol_pseudo_count(0.01).transition_pseudo_count(0.1).initial_pseudo_count(0.1);
    let model = params.fit_supervised(&fit)?;
    let found = model.predict(&score);
    let right = found.iter().zip(&score.targets).filter(|(a, b)| a == b).count();
    let accuracy = right as f64 / found.len() as f64;
    println!("{} tags, {} symbols, {} words to fit", n_tags, symbols.len(), fit.targets.len());
    println!("{right} of {} unseen words right: {:.2} %", found.len(), 100.0 * accuracy);

    assert!(accuracy > 0.8);
    Ok(())
}
