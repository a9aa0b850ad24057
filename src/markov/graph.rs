//! The chain as a graph: Graphviz text, and states put together.

use std::fmt::Write;

use linfa::dataset::Label;

use super::alphabet::Alphabet;
use super::sparse::Sparse;
use super::{MarkovChain, require};
use crate::error::{Error, Result};

impl<L: Label> MarkovChain<L> {
    /// The transition graph in Graphviz's DOT language, with every step of at least `min_probability`.
    ///
    /// # Example
    /// ```
    /// use sapwood::{MarkovChain, ndarray::array};
    ///
    /// let chain = MarkovChain::from_matrix(vec!["a", "b"], &[1.0, 0.0], array![[0.25, 0.75], [1.0, 0.0]].view())?;
    /// assert!(chain.to_dot(0.5).contains(r#"0 -> 1 [label="0.75""#));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    #[must_use]
    pub fn to_dot(&self, min_probability: f64) -> String {
        let mut dot = String::from("digraph chain {\n  rankdir=LR;\n  node [shape=circle];\n");
        // Writing to a string cannot fail.
        for (i, label) in self.states().iter().enumerate() {
            let name = format!("{label:?}");
            let name = name.trim_matches('"').replace('\\', r"\\").replace('"', "\\\"");
            let _ = writeln!(dot, "  {i} [label=\"{name}\"];");
        }
        for (i, j, p) in self.transitions.entries().filter(|edge| edge.2 > 0.0 && edge.2 >= min_probability) {
            let label = format!("{p:.3}");
            let label = label.trim_end_matches('0').trim_end_matches('.');
            let _ = writeln!(dot, "  {i} -> {j} [label=\"{label}\", penwidth={:.2}];", 0.5 + 2.5 * p);
        }
        dot.push_str("}\n");
        dot
    }

    /// The chain over groups of states, where the groups form a Markov chain themselves; `None` where they do not.
    ///
    /// That is so when from all states of a group the probability of each group is the same, within `tolerance` (1e-12 say).
    ///
    /// # Errors
    /// [`Error::Shape`] unless `group_of` has one group for each state; [`Error::Parameter`] unless the groups are `0..n` without a gap.
    ///
    /// # References
    /// J. G. Kemeny and J. L. Snell, Finite Markov Chains (1960), 6.3.
    pub fn lumped(&self, group_of: &[usize], tolerance: f64) -> Result<Option<MarkovChain>> {
        crate::data::check_same_rows("group_of", group_of.len(), self.n_states())?;
        let mut used = vec![false; self.n_states()];
        for &group in group_of {
            require(group < used.len(), "group_of", "below the number of states", group)?;
            used[group] = true;
        }
        let n_groups = used.iter().take_while(|&&used| used).count();
        if let Some(gap) = used[n_groups..].iter().position(|&used| used) {
            let value = format_args!("group {} but no group {n_groups}", n_groups + gap);
            return Err(Error::parameter("group_of", "groups 0, 1, .. without a gap", value));
        }
        let into_groups = |i: usize| {
            let mut steps: Vec<(usize, f64)> =
                self.transitions.row(i).map(|(j, p)| (group_of[j], p)).collect();
            steps.sort_by_key(|step| step.0);
            steps
                .chunk_by(|a, b| a.0 == b.0)
                .map(|run| (run[0].0, run.iter().map(|step| step.1).sum::<f64>()))
                .collect::<Vec<_>>()
        };
        let mut rows: Vec<Option<Vec<(usize, f64)>>> = vec![None; n_groups];
        for (i, &group) in group_of.iter().enumerate() {
            let row = into_groups(i);
            match &rows[group] {
                None => rows[group] = Some(row),
                Some(first) if differ(first, &row) > tolerance => return Ok(None),
                Some(_) => {}
            }
        }
        let mut initial = vec![0.0; n_groups];
        self.initial.iter().zip(group_of).for_each(|(p, &group)| initial[group] += p);
        let entries = rows
            .into_iter()
            .enumerate()
            .flat_map(|(i, row)| row.unwrap_or_default().into_iter().map(move |(j, p)| (i, j, p)));
        let transitions = Sparse::from_rows(n_groups, entries);
        Ok(Some(MarkovChain { states: Alphabet::new((0..n_groups).collect())?, initial, transitions }))
    }
}

/// The largest difference between two sparse rows.
fn differ(a: &[(usize, f64)], b: &[(usize, f64)]) -> f64 {
    let at = |row: &[(usize, f64)], j: usize| {
        row.binary_search_by_key(&j, |step| step.0).map_or(0.0, |place| row[place].1)
    };
    a.iter().chain(b).map(|step| (at(a, step.0) - at(b, step.0)).abs()).fold(0.0, f64::max)
}
