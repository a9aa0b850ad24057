//! The program `sapwood`, run as a process: what it prints, what it writes, how it ends.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sapwood::ndarray::{Array2, array};
use sapwood::{Dbscan, io};

/// A folder for the files of one test, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sapwood_cli_{name}_{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &str) {
        std::fs::write(self.0.join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    fn run(&self, line: &str) -> Run {
        self.run_with(line, b"")
    }

    fn run_with(&self, line: &str, stdin: &[u8]) -> Run {
        let mut child = command(line, &self.0).spawn().unwrap();
        // A program that does not read its input closes it.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        Run::new(child.wait_with_output().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn command(line: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sapwood"));
    command.args(line.split_whitespace()).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Standard output of a run that went well, and without a word on standard error.
    fn ok(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// Standard error of a run that ended with `code`.
    fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{} {}", self.out, self.err);
        self.err
    }
}

const POINTS: &str = "x,y\n1,2\n2,2\n2,3\n8,7\n8,8\n25,80\n";

#[test]
fn clusters_go_from_a_file_to_every_output() {
    let folder = Folder::new("cluster");
    folder.file("points.csv", POINTS);
    let line =
        "cluster points.csv --eps 3 --min-samples 2 --labels labels.npy --cloud cloud.ply --svg a.svg --json";
    let summary = folder.run(line).json();
    assert_eq!(
        (&summary["points"], &summary["clusters"], &summary["noise"]),
        (&6.into(), &2.into(), &1.into())
    );
    assert_eq!(io::read_npy_i64(folder.0.join("labels.npy")).unwrap(), array![0, 0, 0, 1, 1, -1]);
    let cloud = io::read_ply_fields::<f64>(folder.0.join("cloud.ply"), &["x", "y", "label"]).unwrap();
    assert_eq!(cloud.row(4), array![8.0, 8.0, 1.0]);
    assert!(folder.read("a.svg").contains("DBSCAN, eps = 3, min_samples = 2"));

    let plain = folder.run("cluster points.csv --eps 3 --min-samples 2 --threads 2").ok();
    assert!(plain.lines().any(|line| line.split_whitespace().eq(["clusters", "2"])), "{plain}");
    let cloud = folder.run("cluster points.csv --eps 3 --min-samples 2 --cloud -");
    assert_eq!(cloud.out.lines().nth(6), Some("25,80,-1"), "{cloud:?}");
}

#[test]
fn standard_input_is_told_by_its_first_bytes() {
    let folder = Folder::new("stdin");
    let labels = "0\n0\n0\n1\n1\n-1\n";
    let line = "cluster - --eps 3 --min-samples 2 --labels -";
    let run = folder.run_with(line, POINTS.as_bytes());
    assert_eq!((run.code, run.out.as_str()), (Some(0), labels));
    assert!(run.err.contains("clusters"), "the summary makes room for the labels: {}", run.err);
    let mut npy = Vec::new();
    let points: Array2<f64> = io::parse_csv(POINTS.as_bytes(), &io::CsvOptions::default()).unwrap();
    io::write_npy_to(&mut npy, &points).unwrap();
    assert_eq!(folder.run_with(line, &npy).out, labels);
    let mut ply = Vec::new();
    let space = sapwood::ndarray::concatenate![sapwood::ndarray::Axis(1), points, Array2::zeros((6, 1))];
    io::write_ply_to(&mut ply, &space, &[None; 6]).unwrap();
    assert_eq!(folder.run_with(line, &ply).out, labels);
    let pcd = b"VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 2\nHEIGHT 1\nPOINTS 2\nDATA ascii\n0 0 0\n0 nan 0\n";
    assert_eq!(folder.run_with(line, pcd).out, "-1\n-1\n");
}

#[test]
fn eps_is_suggested_and_its_curve_drawn() {
    let folder = Folder::new("suggest");
    let line: String =
        (0..102).map(|i| format!("{}\n", f64::from(i) * if i < 100 { 0.1 } else { 10.0 })).collect();
    folder.file("line.csv", &line);
    let summary = folder.run("cluster line.csv --suggest-eps=elbow.svg --min-samples 3 --json").json();
    let eps = summary["eps"].as_f64().unwrap();
    assert!(eps > 0.09 && eps < 0.21, "{eps}");
    assert!(folder.read("elbow.svg").starts_with("<svg"));
    assert_eq!(folder.run("cluster line.csv --suggest-eps --min-samples 3 --json").json()["eps"], eps);
}

#[test]
fn distances_have_their_units() {
    let folder = Folder::new("metric");
    folder.file("places.csv", "48.8566,2.3522\n48.8570,2.3540\n52.52,13.405\n");
    let near = "cluster places.csv --min-samples 2 --metric haversine --labels - --eps";
    assert_eq!(folder.run(&format!("{near} 0.2")).out, "0\n0\n-1\n");
    assert_eq!(folder.run(&format!("{near} 0.1")).out, "-1\n-1\n-1\n");
    // Paris to Berlin is 878 km; the cloud stays in degrees.
    let cloud = folder.run("cluster places.csv --min-samples 2 --metric haversine --eps 880 --cloud -").out;
    assert_eq!(cloud.lines().nth(3), Some("52.52,13.405,0"));
    folder.file("words.csv", "1,0\n5,0.1\n0,2\n0,3\n");
    let run = |metric: &str| {
        folder.run(&format!("cluster words.csv --min-samples 2 --eps 0.5 --metric {metric} --labels -")).out
    };
    assert_eq!(run("cosine"), "0\n0\n1\n1\n");
    assert_eq!(run("manhattan"), "-1\n-1\n-1\n-1\n");
    assert_eq!(run("chebyshev"), "-1\n-1\n-1\n-1\n");
    let error = folder.run("cluster words.csv --suggest-eps --metric cosine").fails(2);
    assert!(error.contains("--suggest-eps measures straight lines"), "{error}");
}

#[test]
fn a_saved_clustering_assigns_other_points() {
    let folder = Folder::new("assign");
    folder.file("points.csv", POINTS);
    folder.run("cluster points.csv --eps 3 --min-samples 2 --save two.model").ok();
    let model: Dbscan<f32> = io::load(folder.0.join("two.model")).unwrap();
    assert_eq!(model.n_clusters(), 2);
    folder.file("new.csv", "9,9\n50,50\n0.1,2\n");
    assert_eq!(folder.run("cluster new.csv --load two.model --labels -").out, "1\n-1\n0\n");
}

#[test]
fn neighbours_are_listed_or_counted() {
    let folder = Folder::new("neighbours");
    folder.file("line.csv", "0\n1\n5\n");
    assert_eq!(folder.run("neighbours line.csv --radius 1 --count").ok(), "query,count\n0,2\n1,2\n2,1\n");
    folder.file("from.csv", "4\n");
    let near = folder.run("neighbours line.csv -k 2 --queries from.csv").ok();
    assert_eq!(near, "query,row,distance\n0,2,1\n0,1,3\n");
    folder.run("neighbours line.csv --radius 1 --out near.csv").ok();
    assert_eq!(folder.read("near.csv").lines().count(), 1 + 5);
}

#[test]
fn a_markov_chain_is_fitted_drawn_from_and_analysed() {
    let folder = Folder::new("markov");
    folder.file("days.txt", "sun sun rain sun\nsun sun rain rain\n");
    let fit = folder.run("markov fit days.txt --save days.model --json").json();
    assert_eq!((&fit["states"], &fit["tokens"]), (&2.into(), &8.into()));
    let one = folder.run("markov sample days.model -n 30 --seed 7").ok();
    assert_eq!(one, folder.run("markov sample days.model -n 30 --seed 7").ok());
    assert!(
        one.split_whitespace().count() == 30
            && one.split_whitespace().all(|day| day == "sun" || day == "rain")
    );
    let analysis = folder.run("markov analyse days.model --json --dot days.dot --svg days.svg").json();
    assert_eq!(analysis["stationary"][0], serde_json::json!(["rain", 0.5]));
    assert!(folder.read("days.dot").contains("digraph") && folder.read("days.svg").contains("rain"));
    folder.file("word.txt", "abab\n");
    assert_eq!(folder.run("markov fit word.txt --chars --json").json()["transitions"], 2);
}

#[test]
fn a_hidden_markov_model_is_fitted_decoded_scored_and_drawn_from() {
    let folder = Folder::new("hmm");
    let rows: String = (0..60)
        .map(|i| format!("{}\n", if i / 15 % 2 == 0 { 0.0 } else { 9.0 } + f64::from(i * 7 % 5) * 0.1))
        .collect();
    folder.file("rows.csv", &rows);
    for (emission, name) in [("gaussian", "g.model"), ("mixture", "m.model")] {
        let fit =
            folder.run(&format!("hmm fit rows.csv --states 2 --emission {emission} --save {name} --json"));
        let fit = fit.json();
        assert_eq!((&fit["rows"], fit["transition"].as_array().map(Vec::len)), (&60.into(), Some(2)));
        let states = folder.run(&format!("hmm decode {name} rows.csv")).ok();
        let states: Vec<&str> = states.lines().skip(1).collect();
        assert!(states[0] != states[20] && states[..15] == states[30..45], "{states:?}");
    }
    let posteriors = folder.run("hmm decode g.model rows.csv --posteriors --svg ribbon.svg").ok();
    assert!(folder.read("ribbon.svg").contains("2 hidden states over 60 steps"));
    assert!(posteriors.starts_with("state,p0,p1\n"));
    let scores = folder.run("hmm score g.model rows.csv --lengths 30,30 --json").json();
    assert_eq!(scores["each"].as_array().unwrap().len(), 2);
    assert_eq!(folder.run("hmm sample g.model -n 9").ok().lines().count(), 10);

    let counts: String = (0..40).map(|i| format!("{}\n", if i < 20 { i % 3 } else { 20 + i % 4 })).collect();
    folder.file("counts.csv", &counts);
    folder.run("hmm fit counts.csv --states 2 --emission poisson --save p.model").ok();
    folder.run("hmm fit counts.csv --states 2 --emission categorical --save c.model").ok();
    for name in ["p.model", "c.model"] {
        assert_eq!(folder.run(&format!("hmm decode {name} counts.csv")).ok().lines().count(), 41);
        assert_eq!(folder.run(&format!("hmm sample {name} -n 3")).ok().lines().count(), 4);
    }
    let error = folder.run("hmm fit rows.csv --states 2 --emission poisson").fails(1);
    assert_eq!(error, "sapwood: row 1, column 0: expected a whole number of at least 0, found 0.2\n");
}

#[test]
fn a_regression_keeps_the_names_of_its_columns() {
    let folder = Folder::new("logistic");
    let row = |i: u32| {
        let (a, b) = (f64::from(i * 7 % 11), f64::from(i * 3 % 13));
        format!("{a},{b},{}\n", if a + f64::from(i % 3) * 2.0 > 6.0 { "yes" } else { "no" })
    };
    folder.file("rows.csv", &format!("a,b,answer\n{}", (0..40).map(row).collect::<String>()));
    let fit = folder.run("logistic fit rows.csv --target answer --save yes.model --json").json();
    assert_eq!(fit["features"], serde_json::json!(["a", "b"]));
    assert!(fit["accuracy"].as_f64().unwrap() > 0.8);
    // Columns are found by name, wherever they stand.
    folder.file("new.csv", "other,b,a\nx,1,10\ny,1,0\n");
    assert_eq!(folder.run("logistic predict yes.model new.csv").ok(), "class\nyes\nno\n");
    assert!(folder.run("logistic predict yes.model new.csv --proba").ok().starts_with("no,yes\n"));
    folder
        .run("logistic fit rows.csv --target answer --confusion c.svg --roc r.svg --calibration k.svg")
        .ok();
    assert!(
        folder.read("c.svg").contains("yes") && folder.read("r.svg").contains("yes") && folder.has("k.svg")
    );
    assert!(folder.run("logistic report rows.csv --target answer --features a").ok().contains("P>|z|"));
    let report = folder.run("logistic report rows.csv --target answer --features a --json").json();
    assert_eq!(report["estimates"][0]["name"], "a");
    folder.file("short.csv", "a\n1\n");
    assert!(folder.run("logistic predict yes.model short.csv").fails(2).contains("no column `b`"));
    folder.file("bad.csv", "a,b,answer\n1,2,no\n1,x,yes\n");
    let error = folder.run("logistic fit bad.csv --target answer").fails(1);
    assert_eq!(error, "sapwood: line 3: `b` must be a number, got `x`\n");
}

#[test]
fn a_net_forecasts_and_another_writes() {
    let folder = Folder::new("lstm");
    let wave: String = (0..120).map(|i| format!("{}\n", 100.0 + 5.0 * (f64::from(i) * 0.4).sin())).collect();
    folder.file("wave.csv", &wave);
    let fit = folder
        .run("lstm fit wave.csv --hidden 8 --epochs 60 --window 40 --save wave.model --svg loss.svg --json")
        .json();
    assert!(fit["last_loss"].as_f64().unwrap() < 0.5 * fit["first_loss"].as_f64().unwrap());
    assert!(folder.read("loss.svg").contains("training"));
    let forecast = folder.run("lstm predict wave.model wave.csv --steps 3").ok();
    let forecast: Vec<f64> = forecast.lines().map(|line| line.parse().unwrap()).collect();
    let next = 100.0 + 5.0 * (120.0_f64 * 0.4).sin();
    assert!(forecast.len() == 3 && (forecast[0] - next).abs() < 1.5, "{forecast:?} {next}");

    folder.file("text.txt", &"abcd".repeat(60));
    folder.run("lstm fit text.txt --text --hidden 8 --epochs 60 --window 20 --save text.model").ok();
    let text = folder.run("lstm sample text.model --start ab -n 6 --temperature 0").ok();
    assert_eq!(text, "abcdabcd\n");
    assert!(folder.run("lstm sample text.model --start xyz").fails(2).contains("'x'"));
    assert!(
        folder
            .run("lstm predict text.model wave.csv")
            .fails(1)
            .contains("expected a Forecaster, found a Writer")
    );
}

/// In the order in which one needs what another wrote.
const COMMANDS: [&str; 15] = [
    "cluster",
    "neighbours",
    "markov fit",
    "markov sample",
    "markov analyse",
    "hmm fit",
    "hmm decode",
    "hmm score",
    "hmm sample",
    "logistic fit",
    "logistic predict",
    "logistic report",
    "lstm fit",
    "lstm predict",
    "lstm sample",
];

#[test]
fn every_command_helps_with_an_example() {
    let folder = Folder::new("help");
    for line in COMMANDS {
        let help = folder.run(&format!("{line} --help")).ok();
        assert!(help.contains(&format!("sapwood {line} ")) && help.contains("Example"), "{line}: {help}");
    }
    assert!(folder.run("--version").ok().starts_with("sapwood "));
}

/// As printed, by a shell, in a folder with files of the names that they use.
#[cfg(unix)]
#[test]
fn every_example_of_the_help_and_of_the_readme_runs() {
    let program = Path::new(env!("CARGO_BIN_EXE_sapwood"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let folder = Folder::new("examples");
    let points: Vec<[f64; 3]> = (0..60)
        .map(|i| (f64::from(i % 3) * 20.0, f64::from(i * 7 % 11) * 0.05, f64::from(i)))
        .map(|(at, jitter, i)| [at + jitter, at - jitter, jitter * i * 0.01])
        .collect();
    let points = Array2::from(points);
    io::write_ply(folder.0.join("scan.ply"), &points, &[None; 60]).unwrap();
    io::write_npy(folder.0.join("scan.npy"), &points).unwrap();
    for name in ["points.csv", "known.csv"] {
        io::write_csv(folder.0.join(name), &points).unwrap();
    }
    let rows = |row: &dyn Fn(u32) -> String| (0..60).map(row).collect::<String>();
    folder.file("weather.txt", "sun sun rain sun\nsun rain rain fog sun\n");
    folder.file("returns.csv", &rows(&|i| format!("{}\n", f64::from(i * 37 % 11) * f64::from(1 + i / 30))));
    folder.file("counts.csv", &rows(&|i| format!("{}\n", i * 37 % 5 + i / 20)));
    let iris =
        |i: u32| format!("{},{},{}\n", i * 37 % 11 + i % 3 * 2, i * 3 % 13, ["a", "b", "c"][i as usize % 3]);
    folder.file("iris.csv", &format!("petal,sepal,species\n{}", rows(&iris)));
    let births = |i: u32| format!("{},{},{}\n", i * 7 % 11, 50 + i * 3 % 13, u32::from(i * 5 % 7 > 3));
    folder.file("births.csv", &format!("age,weight,low\n{}", rows(&births)));
    folder.file("sunspots.csv", &rows(&|i| format!("{},{}\n", 1900 + i, i * 37 % 60)));
    folder.file("shakespeare.txt", &"The quality of mercy is not strained. ".repeat(3));

    let readme = include_str!("../README.md").lines().filter(|line| line.starts_with("sapwood "));
    let mut examples: Vec<String> = readme.map(str::to_owned).collect();
    assert_eq!(examples.len(), 1);
    for line in COMMANDS {
        let help = folder.run(&format!("{line} --help")).ok();
        let (_, after) = help.split_once("\nExample").unwrap();
        let after = after.trim_start_matches("s:").trim_start_matches(": ");
        examples.extend(after.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    assert!(examples.len() >= 19, "{examples:?}");
    for example in examples {
        // The same file name is new points to one command and new flowers to another.
        let new =
            if example.contains("logistic") { folder.read("iris.csv") } else { folder.read("points.csv") };
        folder.file("new.csv", &new);
        assert!(example.starts_with("sapwood "), "{example}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &example]).env("PATH", &path).current_dir(&folder.0);
        let run = Run::new(shell.output().unwrap());
        // The summary stands aside where the result goes to standard output.
        assert!(run.code == Some(0) && (run.err.is_empty() || example.contains(" - ")), "{example}: {run:?}");
    }
    for written in [
        "elbow.svg",
        "clusters.ply",
        "clusters.svg",
        "labels.csv",
        "states.csv",
        "weather.svg",
        "classes.csv",
    ] {
        assert!(folder.has(written), "{written}");
    }
}

#[test]
fn errors_name_the_file_and_end_with_their_code() {
    let folder = Folder::new("errors");
    folder.file("points.csv", POINTS);
    folder.file("bad.csv", "x,y\n1,2\n3,four\n");
    folder.file("inf.csv", "1,inf\n2,3\n");
    assert!(folder.run("cluster missing.csv --eps 1").fails(1).starts_with("sapwood: missing.csv: "));
    let error = folder.run("cluster bad.csv --eps 1").fails(1);
    assert_eq!(
        error,
        "sapwood: bad.csv: line 3: expected a number in column 1 (counted from 0), found `four`\n"
    );
    assert!(
        folder.run("cluster inf.csv --eps 1").fails(1).contains("must be finite, got inf in row 0, column 1")
    );
    assert_eq!(
        folder.run("cluster points.csv --eps=-1").fails(1),
        "sapwood: `eps` must be greater than 0, got -1\n"
    );
    assert!(folder.run("cluster points.csv --load points.csv").fails(1).contains("a model file of sapwood"));
    for line in [
        "",
        "cluster",
        "cluster points.csv",
        "cluster points.csv --eps one",
        "cluster points.csv --eps 1 --suggest-eps",
        "cluster points.csv --eps 1 --metric none",
        "cluster points.csv --eps 1 --threads 0",
        "neighbours points.csv",
        "markov",
        "lstm fit points.csv --window 0",
        "logistic fit points.csv --target z",
    ] {
        let error = folder.run(line).fails(2);
        assert!(!error.is_empty(), "{line}");
    }
}

/// Ctrl-C, as a terminal sends it. What is asserted holds whenever it comes: the code, and that what is said to be kept is there.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_fit_and_says_what_was_kept() {
    let folder = Folder::new("ctrl_c");
    let rows: String = (0..2000).map(|i| format!("{}\n", (i * i % 1009 * 7919) % 97)).collect();
    folder.file("rows.csv", &rows);
    for line in [
        "hmm fit rows.csv --states 6 --starts 100000000 --max-iter 1000000 --tol 1e-12 --save kept.model",
        "lstm fit rows.csv --hidden 16 --epochs 100000000 --save net.model",
    ] {
        let mut child = command(line, &folder.0).spawn().unwrap();
        drop(child.stdin.take());
        std::thread::sleep(std::time::Duration::from_millis(2000));
        assert!(child.try_wait().unwrap().is_none(), "{line} ended by itself");
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let error = Run::new(child.wait_with_output().unwrap()).fails(130);
        // Before the first step of a fit, Ctrl-C ends the process at once and in silence.
        let name = line.rsplit(' ').next().unwrap();
        assert_eq!(error.contains(&format!("so far is in {name}")), folder.has(name), "{line}: {error}");
    }
    if folder.has("net.model") {
        folder.run("lstm predict net.model rows.csv").ok();
    }
    if folder.has("kept.model") {
        folder.run("hmm score kept.model rows.csv").ok();
    }
}
