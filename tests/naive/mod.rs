//! DBSCAN by its definition, for the tests to hold the searches against.

/// Labels, and rows of the core points in order.
pub(crate) type Answer = (Vec<Option<usize>>, Vec<usize>);

/// Clusters of `weights.len()` points; `near(i, j)`, asked for `j < i`, says which are within eps of one another.
///
/// A point is core if the weights of the points near it, itself among them, sum to at least `min_samples`; core points near one another share a
/// cluster; clusters are numbered by their first core row; a border point takes the lowest number among the core points near it.
pub(crate) fn dbscan(near: impl Fn(usize, usize) -> bool, weights: &[f64], min_samples: usize) -> Answer {
    let n = weights.len();
    let mut neighbours: Vec<Vec<usize>> = (0..n).map(|i| vec![i]).collect();
    for i in 0..n {
        for j in (0..i).filter(|&j| near(i, j)) {
            neighbours[i].push(j);
            neighbours[j].push(i);
        }
    }
    let is_core: Vec<bool> = neighbours
        .iter()
        .map(|near| near.iter().map(|&j| weights[j]).sum::<f64>() >= min_samples as f64)
        .collect();

    let mut labels = vec![None; n];
    let mut n_clusters = 0;
    for first in (0..n).filter(|&i| is_core[i]) {
        if labels[first].is_some() {
            continue;
        }
        labels[first] = Some(n_clusters);
        let mut reached = vec![first];
        while let Some(i) = reached.pop() {
            for &j in neighbours[i].iter().filter(|&&j| is_core[j]) {
                if labels[j].is_none() {
                    labels[j] = Some(n_clusters);
                    reached.push(j);
                }
            }
        }
        n_clusters += 1;
    }
    for i in (0..n).filter(|&i| !is_core[i]) {
        labels[i] = neighbours[i].iter().filter(|&&j| is_core[j]).filter_map(|&j| labels[j]).min();
    }
    (labels, (0..n).filter(|&i| is_core[i]).collect())
}
