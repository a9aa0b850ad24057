//! When was the die loaded? The occasionally dishonest casino of Durbin et al. (1998), decoded, with a picture of posterior against truth.
#![allow(clippy::print_stdout)]

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;
use sapwood::data::Sequences;
use sapwood::hmm::{Categorical, Stop};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array1, array};
use sapwood::plot::Figure;
use sapwood::{CategoricalHmm, ndarray};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A fair die, and one that throws a six half of the time; they are swapped now and then.
    let fair = array![1.0, 1.0, 1.0, 1.0, 1.0, 1.0] / 6.0;
    let loaded = array![0.1, 0.1, 0.1, 0.1, 0.1, 0.5];
    let dice = Categorical::new(ndarray::stack![ndarray::Axis(0), fair, loaded].view())?;
    let casino = CategoricalHmm::new(array![0.5, 0.5], array![[0.95, 0.05], [0.1, 0.9]], dice)?;

    let mut rng = Xoshiro256Plus::seed_from_u64(1998);
    let (rolls, truth) = casino.sample(300, &mut rng);
    let rolls = Sequences::single(rolls)?;

    let path = casino.viterbi(&rolls)?;
    let posteriors = casino.posteriors(&rolls)?;
    let share = |states: &Array1<usize>| {
        let hits = states.iter().zip(&truth).filter(|(found, true_state)| found == true_state).count();
        hits as f64 / truth.len() as f64
    };
    let likelier = posteriors.column(1).mapv(|p| usize::from(p > 0.5));
    println!("log-likelihood of {} rolls: {:.3}", truth.len(), casino.score(&rolls)?);
    println!("right by the most probable path:      {:.1} %", 100.0 * share(&path.states));
    println!("right by the posterior of each roll:  {:.1} %", 100.0 * share(&likelier));

    // Can the dice be learned from many rolls alone?
    let many = Sequences::new(casino.sample(60_000, &mut rng).0, vec![600; 100])?;
    let learned =
        CategoricalHmm::params(2).n_init(3).max_iter(300).fit(&DatasetBase::new(many, ()))?.canonical()?;
    let dice = learned.emission().probabilities();
    println!("learned dice:\n{dice:.3}\nlearned swaps:\n{:.3}", learned.transition());
    let report = learned.report().ok_or("a fitted model has a report")?;
    println!("{} rounds of EM, {:?}", report.n_iter(), report.stop);

    let file = std::env::temp_dir().join("dishonest_casino.svg");
    let swaps: Vec<f64> = truth.iter().map(|&state| state as f64).collect();
    Figure::posteriors(&posteriors, &["fair", "loaded"], &swaps)?
        .title("The die that was thrown, and what the rolls say about it")
        .axes(["roll", "0 fair, 1 loaded", "posterior"])
        .save(&file)?;
    println!("picture: {}", file.display());

    assert!(share(&path.states) > 0.6 && share(&likelier) > 0.6);
    assert!((dice[[1, 5]] - 0.5).abs() < 0.05 && (dice[[0, 5]] - 1.0 / 6.0).abs() < 0.05);
    assert_eq!(report.stop, Stop::Converged);
    Ok(())
}
