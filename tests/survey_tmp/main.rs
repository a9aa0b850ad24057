mod logistic;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
#[test]
fn survey() {
    let n: u64 = std::env::var("N").unwrap().parse().unwrap();
    let from: u64 = std::env::var("FROM").map_or(0, |v| v.parse().unwrap());
    let mut failed = 0;
    for seed in from..from+n {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed + 1_000_000);
        let d = rng.gen_range(1..9); let k = rng.gen_range(2..5usize); let nn = rng.gen_range(k.max(3)..60);
        let kind: u16 = rng.r#gen::<u16>() & rng.r#gen::<u16>();
        let alpha = if rng.gen_bool(0.4) { 0.0 } else { 10_f64.powf(rng.gen_range(-6.0..4.0)) };
        let l1 = match rng.gen_range(0..5) { 0|1 => 0.0, 2|3 => 1.0, _ => rng.gen_range(0.01..0.99) };
        let p = logistic::Problem::new(seed, (nn, d, k), kind, alpha, l1);
        let r = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| logistic::check(&p)));
        let text = match r { Ok(Ok(())) => continue, Ok(Err(e)) => format!("{e}"), Err(_) => "PANIC".into() };
        failed += 1;
        println!("{seed}: n {nn} d {d} k {k} kind {kind:016b} alpha {alpha:.1e} l1 {l1:.2}: {}", text.replace('\n', " | "));
    }
    println!("{failed} of {n} failed");
}
