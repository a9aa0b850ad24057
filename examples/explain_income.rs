//! Who earns more than 50,000 dollars: a table of coefficients with standard errors, as statisticians print it.
//!
//! Uses the census data of 1994 (UCI Adult, Becker & Kohavi 1996) where they lie beside the crate in `../shared/data/cls/adult`, else made rows.
#![allow(clippy::print_stdout)]

use sapwood::LogisticRegression;
use sapwood::linfa::Dataset;
use sapwood::ndarray::{Array1, Array2};

const NAMES: [&str; 7] =
    ["age", "age_squared", "education_years", "hours_per_week", "married", "female", "log_capital_gain"];

/// Features and whether the income is above 50,000, from one line of the file.
fn parse(line: &str) -> Option<([f64; 7], bool)> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let number = |i: usize| fields.get(i)?.parse::<f64>().ok();
    let flag = |condition: bool| f64::from(u8::from(condition));
    let decades = number(0)? / 10.0;
    let married = flag(fields.get(5)?.starts_with("Married"));
    let female = flag(*fields.get(9)? == "Female");
    let features =
        [decades, decades * decades, number(4)?, number(12)? / 10.0, married, female, number(10)?.ln_1p()];
    Some((features, fields.get(14)?.starts_with('>')))
}

/// Rows drawn from known odds, for a machine without the file.
fn made() -> Vec<([f64; 7], bool)> {
    let mut state = 1_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let row = |_| {
        let age = 2.0 + 4.0 * uniform();
        let flag = |u: f64| f64::from(u8::from(u > 0.5));
        let education = (uniform() * 10.0).floor() + 6.0;
        let features = [
            age,
            age * age,
            education,
            2.0 + 4.0 * uniform(),
            flag(uniform()),
            flag(uniform()),
            uniform() * 8.0,
        ];
        let logit =
            -9.0 + 2.0 * features[4] - 0.1 * features[5] + 0.35 * education + 0.3 * features[6] + 0.4 * age;
        (features, uniform() < 1.0 / (1.0 + (-logit).exp()))
    };
    (0..5000).map(row).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/cls/adult/adult-train.csv");
    let rows = std::fs::read_to_string(path)
        .map_or_else(|_| made(), |text| text.lines().filter_map(parse).collect());
    let x = Array2::from_shape_fn((rows.len(), NAMES.len()), |(i, j)| rows[i].0[j]);
    let y: Array1<bool> = rows.iter().map(|row| row.1).collect();
    let data = Dataset::new(x, y).with_feature_names(NAMES.to_vec());

    let (model, table) = LogisticRegression::params().alpha(0.0).fit_inference(&data, 0.95)?;
    println!("{}\n{table}", model.report());

    let education = &table.estimates[2];
    println!("a year of education multiplies the odds by {:.3}", education.value.exp());
    assert!(model.report().converged());
    assert!(education.value > 0.0 && education.p_value < 1e-6 && education.low > 0.0);
    Ok(())
}
