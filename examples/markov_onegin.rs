//! Markov's count of 1913: vowels and consonants in the first 20,000 letters of Eugene Onegin, and whether one letter tells of the next.
//!
//! Without the text at ../`shared/data/seq/onegin_ru` it counts the first stanza, which stands below.
#![allow(clippy::print_stdout)]

use sapwood::MarkovChain;
use sapwood::data::Sequences;
use sapwood::markov::{OrderTest, TransitionCounts};
use sapwood::ndarray::Array2;

const STANZA: &str = "Мой дядя самых честных правил, Когда не в шутку занемог, Он уважать себя заставил И лучше выдумать не мог. \
    Его пример другим наука; Но, боже мой, какая скука С больным сидеть и день и ночь, Не отходя ни шагу прочь! \
    Какое низкое коварство Полуживого забавлять, Ему подушки поправлять, Печально подносить лекарство, \
    Вздыхать и думать про себя: Когда же черт возьмет тебя!";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/seq/onegin_ru/onegin_poem.txt");
    let text = std::fs::read_to_string(path).unwrap_or_else(|_| STANZA.to_owned());

    // The signs ь and ъ are no letters to him; й counts as a vowel here.
    let is_letter = |c: &char| ('а'..='я').contains(c) || *c == 'ё';
    let letters = text
        .to_lowercase()
        .chars()
        .filter(is_letter)
        .filter(|c| !"ьъ".contains(*c))
        .take(20_000)
        .collect::<Vec<_>>();
    let kind = |c: &char| if "аеёийоуыэюя".contains(*c) { "vowel" } else { "consonant" };
    let labels = Array2::from_shape_vec((letters.len(), 1), letters.iter().map(kind).collect())?;
    let sequences = Sequences::single(labels)?;

    let counts = TransitionCounts::new(&sequences)?;
    let chain = MarkovChain::from_counts(&counts, 0.0)?;
    println!("{} letters", letters.len());
    for from in ["vowel", "consonant"] {
        for to in ["vowel", "consonant"] {
            let (low, high) = counts.interval(&from, &to, 1.96)?;
            let (n, p) = (counts.count(&from, &to), chain.probability(&from, &to)?);
            println!("{from:>9} -> {to:9} {n:6} times, p = {p:.3} (95 %: {low:.3} to {high:.3})");
        }
    }
    let vowels = chain.stationary()?[chain.index(&"vowel")?];
    println!("in the long run {:.1} % vowels, {:.3} bits a letter", 100.0 * vowels, chain.entropy_rate()?);

    let independent = counts.test_independence()?;
    println!("independent letters: G2 = {:.1}, p = {:.1e}", independent.g_squared, independent.p_value);
    let first_order = OrderTest::new(&sequences, 1)?;
    println!("order 1 against 2:   G2 = {:.1}, p = {:.1e}", first_order.g_squared, first_order.p_value);

    // The table that Markov published.
    let table = sapwood::ndarray::array![[1104, 7534], [7535, 3827]];
    let published = TransitionCounts::from_table(vec!["vowel", "consonant"], vec![0, 1], table.view())?;
    let published = MarkovChain::from_counts(&published, 0.0)?;
    println!("Markov, 1913: p(vowel | vowel) = {:.3}", published.probability(&"vowel", &"vowel")?);

    assert!(independent.p_value < 1e-6, "a vowel tells of the next letter");
    assert!(chain.probability(&"vowel", &"vowel")? < chain.probability(&"consonant", &"vowel")?);
    Ok(())
}
