//! Words that are used alike: nearest words, near-duplicates and clusters by cosine distance, from a text alone.
//!
//! A word is described by the words around it, each weighted by how much more often they meet than by chance (positive pointwise mutual
//! information, Church & Hanks 1990): sparse rows, one for each word. `cargo run --release --example find_similar_words [TEXT]`; without a text
//! it takes Shakespeare from `../shared/data`, else sentences of its own.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use std::collections::{BTreeMap, HashMap};

use sapwood::data::Csr;
use sapwood::distance::{Cosine, sparse};
use sapwood::linfa::DatasetBase;
use sapwood::linfa::traits::Fit;
use sapwood::{Dbscan, dbscan::Metric, sprs::CsMat};

/// Words to the left and right that describe a word, and how often it has to occur.
const WINDOW: usize = 3;
const OFTEN: usize = 30;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/seq/tinyshakespeare/input.txt");
    let path = std::env::args().nth(1).unwrap_or_else(|| shared.into());
    let text = std::fs::read_to_string(path).unwrap_or_else(|_| sentences()).to_lowercase();
    let tokens: Vec<&str> = text.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 1).collect();
    let mut occurrences: BTreeMap<&str, usize> = BTreeMap::new();
    tokens.iter().for_each(|word| *occurrences.entry(word).or_default() += 1);
    let words: Vec<&str> = occurrences.iter().filter(|(_, n)| **n >= OFTEN).map(|(word, _)| *word).collect();
    let number: HashMap<&str, usize> = words.iter().enumerate().map(|(i, word)| (*word, i)).collect();

    let rows = information(&tokens, &number);
    println!("{} words, {} of them often; {} entries", tokens.len(), words.len(), rows.nnz());
    let x = Csr::new(rows.view())?;

    let nearest = sparse::top_k(&x, &x, 6, Cosine)?;
    for query in ["king", "brother", "love", "three", "cat", "red"].iter().filter_map(|word| number.get(word))
    {
        let found: Vec<&str> = nearest.indices.row(*query).iter().skip(1).map(|&j| words[j]).collect();
        println!("nearest to {:>8}: {}", words[*query], found.join(", "));
        assert_eq!(nearest.distances[[*query, 0]], 0.0, "a word is nearest to itself");
    }

    let radius = 0.6;
    let mut pairs = Vec::new();
    sparse::within(&x, radius, Cosine, |i, j, d| pairs.push((d, i, j)))?;
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    println!("{} pairs used nearly alike, the nearest:", pairs.len());
    for (d, i, j) in pairs.iter().take(5) {
        println!("  {d:.3}  {} and {}", words[*i], words[*j]);
    }

    let params = Dbscan::params(3).eps(radius).metric(Metric::Cosine);
    let model = params.fit(&DatasetBase::from(rows.to_dense()))?;
    println!("{} clusters by radius {radius}; {} words stay alone:", model.n_clusters(), model.n_noise());
    for cluster in 0..model.n_clusters().min(8) {
        let labels = model.labels().iter().zip(&words);
        let members: Vec<&str> =
            labels.filter(|(label, _)| **label == Some(cluster)).map(|(_, word)| *word).collect();
        println!("  {:>3}: {}", members.len(), members[..members.len().min(10)].join(", "));
    }
    assert!(model.n_clusters() > 0 && !pairs.is_empty());
    Ok(())
}

/// Row `i` has `max(0, ln(n_ij n / (n_i n_j)))` in column `j`, for `n_ij` meetings of words `i` and `j` among all `n`.
fn information(tokens: &[&str], number: &HashMap<&str, usize>) -> CsMat<f64> {
    let numbers: Vec<Option<&usize>> = tokens.iter().map(|word| number.get(word)).collect();
    let mut meetings = vec![BTreeMap::<usize, f64>::new(); number.len()];
    for (at, &word) in numbers.iter().enumerate() {
        for &other in &numbers[at + 1..numbers.len().min(at + 1 + WINDOW)] {
            if let (Some(&i), Some(&j)) = (word, other) {
                *meetings[i].entry(j).or_default() += 1.0;
                *meetings[j].entry(i).or_default() += 1.0;
            }
        }
    }
    let of_word: Vec<f64> = meetings.iter().map(|row| row.values().sum()).collect();
    let all: f64 = of_word.iter().sum();
    let (mut starts, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for (i, row) in meetings.iter().enumerate() {
        for (&j, n) in row {
            let information = (n * all / (of_word[i] * of_word[j])).ln();
            if information > 0.0 {
                columns.push(j);
                values.push(information);
            }
        }
        starts.push(columns.len());
    }
    CsMat::new((number.len(), number.len()), starts, columns, values)
}

/// Sentences of a small grammar: animals, verbs and colours are used alike.
fn sentences() -> String {
    let pick = |words: &[&'static str], i: usize| words[(i * i + i / 3) % words.len()];
    let sentence = |i: usize| {
        let animal = pick(&["cat", "dog", "horse", "bird"], i);
        let (verb, colour) =
            (pick(&["sees", "hears", "likes"], i / 2), pick(&["red", "green", "blue"], i / 5));
        format!("the {animal} {verb} the {colour} {}. ", pick(&["house", "ball", "tree"], i / 7))
    };
    (0..2000).map(sentence).collect()
}
