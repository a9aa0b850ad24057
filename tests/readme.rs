//! What README.md and ARCHITECTURE.md say about files and commands is so; their code runs as doctests of the crate.

use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The documents that there are, with their text.
fn documents() -> Vec<(&'static str, String)> {
    let texts = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "COMPARE.md"]
        .map(|name| (name, std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_default()));
    texts.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

/// Targets of `[text](target)` and `src="target"` that are files of the repository.
fn linked_files(text: &str) -> Vec<String> {
    let targets = |mark: &str, end: char| -> Vec<String> {
        let after = text.split(mark).skip(1);
        after.filter_map(|rest| rest.split_once(end)).map(|(target, _)| target.to_owned()).collect()
    };
    let mut found = targets("](", ')');
    found.extend(targets("src=\"", '"'));
    found.extend(targets("srcset=\"", '"'));
    found.iter_mut().for_each(|target| target.truncate(target.find(['#', ' ']).unwrap_or(target.len())));
    found.retain(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"));
    found
}

/// The lines of shell blocks that call cargo, without a comment behind them.
fn commands(text: &str) -> Vec<String> {
    let shell =
        |block: &&str| ["sh\n", "bash\n", "console\n", "shell\n"].iter().any(|name| block.starts_with(name));
    let blocks = text.split("```").skip(1).step_by(2).filter(shell);
    let lines = blocks.flat_map(str::lines).map(|line| line.trim_start_matches("$ "));
    let cargo = lines.filter(|line| line.starts_with("cargo "));
    cargo.map(|line| line.split(" #").next().unwrap_or(line).trim().to_owned()).collect()
}

/// The names behind `--example`.
fn examples(text: &str) -> Vec<String> {
    let name = |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
    text.split("--example ").skip(1).filter_map(name).collect()
}

#[test]
fn every_linked_file_exists() {
    for (name, text) in documents() {
        for file in linked_files(&text) {
            assert!(Path::new(ROOT).join(&file).exists(), "{name} links to {file}, which does not exist");
        }
    }
}

#[test]
fn every_named_example_exists() {
    for (name, text) in documents() {
        for example in examples(&text) {
            let folder = Path::new(ROOT).join("examples");
            let there = folder.join(format!("{example}.rs")).exists()
                || folder.join(&example).join("main.rs").exists();
            assert!(there, "{name} names the example {example}, which does not exist");
        }
    }
}

#[test]
fn the_commands_of_the_readme_are_run_by_ci() {
    let ci = std::fs::read_to_string(Path::new(ROOT).join(".ci/run")).expect(".ci/run is there");
    let steps: Vec<_> = ci.lines().filter_map(|line| line.trim().strip_prefix("step ")).collect();
    assert!(
        steps.contains(&"cargo test") && steps.contains(&"cargo run --release --example cluster_point_cloud")
    );
    let (_, readme) = documents().into_iter().next().expect("README.md is there");
    // What stands behind ` -- ` is for the reader to replace.
    let plain = |command: &String| {
        (command.starts_with("cargo run") || command.starts_with("cargo test")) && !command.contains(" -- ")
    };
    for command in commands(&readme).into_iter().filter(plain) {
        let is_run = steps.contains(&command.as_str());
        assert!(is_run, "README.md says `{command}`, .ci/run does not");
    }
}

#[test]
fn links_commands_and_examples_are_found() {
    let text = "[a](docs/a.md#part) [b](https://b.org) [c](#c) <img src=\"d.svg\">\n\
                ```sh\n$ cargo test # quick\ncargo run --release --example one\n```\n\
                ```rust\ncargo no\n```\n`cargo run --example two`";
    assert_eq!(linked_files(text), ["docs/a.md", "d.svg"]);
    assert_eq!(commands(text), ["cargo test", "cargo run --release --example one"]);
    assert_eq!(examples(text), ["one", "two"]);
}
