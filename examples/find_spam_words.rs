//! Which words tell spam from ham: logistic regression on sparse word counts.
//!
//! Uses the SMS spam collection (UCI, Almeida & Gómez Hidalgo 2011) where it lies beside the crate in `../shared/data/cls/sms`, else a few lines of its own.
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};

use sapwood::data::Csr;
use sapwood::linfa::DatasetBase;
use sapwood::linfa::traits::{Fit, Predict};
use sapwood::ndarray::Array1;
use sapwood::sprs::CsMat;
use sapwood::{LogisticRegression, score};

const FEW: &str = "ham\tsee you at lunch\nspam\twin a free prize now\nham\tare you home now\nspam\tcall now to claim your free prize\n\
                   ham\tok call you later\nspam\tfree entry win cash\nham\tlunch was nice\nspam\tclaim cash now\n";

fn words(text: &str) -> BTreeSet<String> {
    let split = text.split(|c: char| !c.is_alphanumeric() && c != '£');
    split.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// A row for each text with a 1 for each known word it has, its length made 1.
fn matrix(texts: &[BTreeSet<String>], vocabulary: &BTreeMap<&String, usize>) -> CsMat<f64> {
    let (mut starts, mut indices, mut values) = (vec![0], vec![], vec![]);
    for text in texts {
        let columns: Vec<usize> = text.iter().filter_map(|word| vocabulary.get(word).copied()).collect();
        values.extend(columns.iter().map(|_| 1.0 / (columns.len() as f64).sqrt()));
        indices.extend(columns);
        starts.push(indices.len());
    }
    CsMat::new((texts.len(), vocabulary.len()), starts, indices, values)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/cls/sms/sms.tsv");
    let file = std::fs::read(path)
        .map_or_else(|_| FEW.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned());
    let lines: Vec<(&str, &str)> = file.lines().filter_map(|line| line.split_once('\t')).collect();
    let texts: Vec<BTreeSet<String>> = lines.iter().map(|line| words(line.1)).collect();
    // The last fifth is for the test.
    let cut = lines.len() - lines.len() / 5;
    let known: BTreeSet<&String> = texts[..cut].iter().flatten().collect();
    let vocabulary: BTreeMap<&String, usize> =
        known.into_iter().enumerate().map(|(i, word)| (word, i)).collect();
    let (train, test) = (matrix(&texts[..cut], &vocabulary), matrix(&texts[cut..], &vocabulary));
    let label: Array1<&str> = lines.iter().map(|line| line.0).collect();

    let data = DatasetBase::new(Csr::new(train.view())?, label.slice(sapwood::ndarray::s![..cut]).to_owned());
    let model = LogisticRegression::params().alpha(0.1).fit(&data)?;
    println!("{} texts, {} words: {}", cut, vocabulary.len(), model.report());

    let mut ranked: Vec<(&String, f64)> =
        vocabulary.iter().map(|(word, &j)| (*word, model.coefficients()[[0, j]])).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    println!("the ten most telling words of spam:");
    for (word, weight) in ranked.iter().take(10) {
        println!("  {weight:7.3}  {word}");
    }

    let data = DatasetBase::new(Csr::new(test.view())?, label.slice(sapwood::ndarray::s![cut..]).to_owned());
    let predicted = model.predict(&data);
    let right = predicted.iter().zip(data.targets()).filter(|(a, b)| a == b).count();
    let accuracy = right as f64 / predicted.len() as f64;
    let p = model.predict_proba_sparse(data.records())?.column(1).to_vec();
    let spam: Vec<bool> = data.targets().iter().map(|&y| y == "spam").collect();
    println!("accuracy {accuracy:.4} on {} new texts", predicted.len());
    if let Ok(curve) = score::Thresholds::new(&spam, &p) {
        println!("area under the ROC curve {:.4}", curve.roc_auc());
    }
    assert!(accuracy > 0.95 || lines.len() < 100);
    assert!(ranked[0].1 > 0.0 && model.report().converged());
    Ok(())
}
