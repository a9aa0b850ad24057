//! What a figure must be, whatever it shows.

use super::*;
use ndarray::{Array2, array};

/// Every tag closes, and no number is missing.
fn well_formed(svg: &str) {
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
    assert_eq!(svg.matches("<text ").count(), svg.matches("</text>").count());
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn labels_must_match_the_rows() {
    let error = Figure::clusters(&array![[1.0], [2.0]], &[None]).unwrap_err();
    assert_eq!(error.to_string(), "`labels` must have one entry for each of the 2 rows, got 1");
    assert!(Figure::curve(&[1.0], &[1.0, 2.0]).is_err());
}

#[test]
fn data_never_breaks_a_figure() {
    let values: [&[f64]; 9] = [
        &[],
        &[0.0],
        &[7.0; 5],
        &[f64::NAN; 3],
        &[1.0, f64::NAN, f64::INFINITY, 2.0],
        &[f64::MIN, 0.0, f64::MAX],
        &[5e-324, 1e-323, 0.0],
        &[1e9, 1e9 + 1e-3, 1e9 + 2e-3],
        &[-0.0, 0.0],
    ];
    for values in values {
        for d in 0..5 {
            for constant in [None, Some(0.0), Some(1e6)] {
                let x = Array2::from_shape_fn((values.len(), d), |(i, j)| match constant {
                    Some(constant) if j > 0 => constant,
                    _ => values[(i + j) % values.len()],
                });
                let labels: Vec<_> = (0..values.len()).map(|i| (i % 3 > 0).then_some(i * 7)).collect();
                for view in [(-60.0, 32.0), (0.0, 90.0), (135.0, -90.0)] {
                    let figure = Figure::clusters(&x, &labels).unwrap().view(view.0, view.1);
                    well_formed(&figure.to_svg());
                }
            }
        }
        let curve = Figure::curve(values, values).unwrap().mark(0.0, f64::NAN, "?").mark(1.0, 1.0, "a<b");
        well_formed(&curve.clone().to_svg());
        well_formed(&curve.log_y().to_svg());
        well_formed(&Figure::k_distance(values, 3).to_svg());
        let path: Vec<[f64; 2]> = values.iter().map(|&v| [v, -v]).collect();
        well_formed(&Figure::surface(|[x, y]| x * x + 1.0 / y, &[("a<b", &path)]).to_svg());
    }
}

#[test]
fn many_points_and_many_clusters_stay_light() {
    // Points of 5,000 clusters scattered over each other: the worst picture there is.
    let n = 200_000_usize;
    let hash = |i: usize| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) >> 40;
    for d in [2, 3] {
        let x = Array2::from_shape_fn((n, d), |(i, j)| hash(i * 5 + j) as f32);
        let labels: Vec<_> = (0..n).map(|i| (i % 10 > 0).then_some(i % 5000)).collect();
        let svg = Figure::clusters(&x, &labels).unwrap().to_svg();
        assert!(svg.len() < 1_500_000, "{} bytes", svg.len());
        assert!(svg.contains("noise") && svg.contains(">20,000<"));
    }
}

#[test]
fn a_flat_cloud_is_drawn_in_the_plane() {
    let labels = [Some(0), Some(0), None];
    let drawn =
        |z| Figure::clusters(&array![[0.0, 0.0, z], [9.0, 1.0, 0.0], [3.0, 6.0, 0.0]], &labels).unwrap();
    assert!(matches!(drawn(0.1).content, Content::Plane(..)));
    assert!(matches!(drawn(1.0).content, Content::Space(..)));
}

#[test]
fn text_is_escaped_and_layers_are_named() {
    let svg = Figure::clusters(&array![[0.0, 1.0, 2.0]], &[Some(3)])
        .unwrap()
        .title("a < b & c")
        .subtitle("<script>")
        .axes(["east (m)", "north (m)"])
        .to_svg();
    assert!(svg.contains("a &lt; b &amp; c") && svg.contains("&lt;script&gt;") && svg.contains("cluster 3"));
}

#[test]
fn the_knee_is_named_by_its_height() {
    assert_eq!([0.0, 0.2, 12.345, 1234.5, 0.000_123_4].map(short), ["0", "0.2", "12.3", "1234", "0.000123"]);
    let distances: Vec<f32> = (0..5000).map(|i| (i as f32 / 5000.0).powi(8)).collect();
    let svg = Figure::k_distance(&distances, 4000).log_y().to_svg();
    assert!(svg.contains("eps = 0.168") && svg.len() < 40_000);
}

#[test]
fn a_chain_has_a_ring_for_each_state_and_an_arrow_for_each_step() {
    for n in [1, 2, 7, MOST_STATES] {
        let matrix = Array2::from_shape_fn((n, n), |(i, j)| {
            0.5 * f64::from(i == j) + 0.5 * f64::from((i + 1) % n == j)
        });
        let mut initial = vec![0.0; n];
        initial[0] = 1.0;
        let states: Vec<String> = (0..n).map(|i| format!("<state & {i}>")).collect();
        let chain = MarkovChain::from_matrix(states, &initial, matrix.view()).unwrap();
        let svg = Figure::chain(&chain, 0.1).unwrap().to_svg();
        well_formed(&svg);
        assert_eq!(svg.matches("<circle").count(), n);
        assert_eq!(svg.matches(" fill=\"none\" stroke=").count(), chain.n_transitions());
        assert!(Figure::chain(&chain, 0.6).unwrap().to_svg().len() < svg.len() || n == 1);
    }
    let n = MOST_STATES + 1;
    let steps = (0..n).map(|i| (i, i, 1.0)).collect();
    let mut initial = vec![0.0; n];
    initial[0] = 1.0;
    let chain = MarkovChain::from_transitions((0..n).collect(), &initial, steps).unwrap();
    let error = Figure::chain(&chain, 0.0).unwrap_err().to_string();
    assert_eq!(error, "`chain` must be of at most 60 states, got 61");
}

/// Two classes, three bins, a path, a ribbon, losses: whatever numbers they hold.
#[test]
fn pictures_of_fits_are_whole_in_both_themes() {
    let bad = [0.5, f64::NAN, -1.0, f64::INFINITY, 0.0, 1e300];
    let names = ["<a>", "b & c"];
    let bins = crate::score::reliability(&[true, false, true], &[0.1, 0.5, 1.0], 3).unwrap();
    let roc = crate::score::Thresholds::new(&[true, false, true], &[0.1, 0.5, 1.0]).unwrap();
    let rows = Array2::from_shape_fn((1700, 3), |(i, j)| bad[(i + j) % 6]);
    let figures = [
        Figure::confusion(&names, &array![[5, 1], [0, 0]]).unwrap(),
        Figure::confusion(&["one"], &array![[0]]).unwrap(),
        Figure::confusion(&(0..40).collect::<Vec<_>>(), &Array2::from_elem((40, 40), 7)).unwrap(),
        Figure::roc(&[("one", &roc), ("other", &roc)]).unwrap(),
        Figure::calibration(&[("one", &bins), ("none", &[])]).unwrap(),
        Figure::losses(&[("one", &bad), ("none", &[]), ("nothing finite", &[f64::NAN])]).unwrap().log_y(),
        Figure::gradients_through_time(&[("one", &bad), ("none", &[]), ("zero", &[0.0, 0.0])]).unwrap(),
        Figure::regularisation_path(&bad, &Array2::from_elem((6, 2), f64::NAN), &names).unwrap(),
        Figure::posteriors(&rows, &["a", "b", "c"], &[]).unwrap(),
        Figure::posteriors(&rows, &[0, 1, 2], &vec![f64::NAN; 1700]).unwrap(),
        Figure::posteriors(&Array2::<f32>::zeros((0, 2)), &names, &[]).unwrap(),
    ];
    for figure in figures {
        for theme in [Theme::Light, Theme::Dark] {
            let svg = figure.clone().theme(theme).to_svg();
            well_formed(&svg);
            assert!(svg.len() < 400_000, "{} bytes", svg.len());
        }
    }
}

#[test]
fn panels_are_one_document() {
    let figure = Figure::curve(&[1.0, 2.0], &[1.0, 4.0]).unwrap().title("<a>");
    for (n, columns) in [(0, 1), (1, 3), (5, 2)] {
        let svg = panels(&vec![figure.clone(); n], columns);
        well_formed(&svg);
        assert_eq!((svg.matches("<svg ").count(), svg.matches("</svg>").count()), (n + 1, n + 1));
    }
}

#[test]
fn pictures_of_fits_check_their_sizes() {
    assert!(Figure::confusion(&["a"], &array![[1, 2], [3, 4]]).is_err());
    assert!(Figure::confusion::<&str, _>(&[], &Array2::zeros((0, 0))).is_err());
    assert!(Figure::roc(&[]).is_err() && Figure::calibration(&[]).is_err() && Figure::losses(&[]).is_err());
    assert!(Figure::regularisation_path(&[1.0], &array![[1.0, 2.0]], &["a"]).is_err());
    assert!(Figure::regularisation_path(&[1.0, 2.0], &array![[1.0]], &["a"]).is_err());
    assert!(Figure::posteriors(&array![[1.0]], &["a", "b"], &[]).is_err());
    assert!(Figure::posteriors(&array![[1.0]], &["a"], &[1.0, 2.0]).is_err());
}

/// Of many features the twelve with the largest coefficients are named.
#[test]
fn a_path_names_what_counts() {
    let names: Vec<String> = (0..30).map(|j| format!("feature {j}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let w = Array2::from_shape_fn((4, 30), |(i, j)| (i * j) as f64);
    let svg = Figure::regularisation_path(&[8.0, 4.0, 2.0, 1.0], &w, &names).unwrap().to_svg();
    assert!(svg.contains("feature 29") && svg.contains("feature 18") && !svg.contains("feature 17"));
    assert!(svg.contains("18 more"));
}
