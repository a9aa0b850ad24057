//! The floors of the crate: a file imports only from its own floor or lower ones, and models never import one another.
//!
//! Beside it: `unsafe` stands only in `src/kernel`, and `src/par.rs` alone knows of rayon.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The modules of each floor, from the lowest; floor 3 holds the models.
const FLOORS: [&[&str]; 5] = [
    &["kernel", "error", "par"],
    &["float", "params", "data", "math", "observe", "stored"],
    &["distance", "index", "optim", "score"],
    &["dbscan", "markov", "hmm", "logistic", "discriminant", "categorical_nb", "recurrent"],
    &["select", "io", "plot", "guide"],
];
const MODELS: usize = 3;

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// What is wrong with one file; `names` tells which module a name at the root of the crate comes from.
fn faults(path: &str, source: &str, names: &BTreeMap<String, String>) -> Vec<String> {
    let code = Source { strings: false }.without_comments(source);
    let module = path.split(['/', '.']).next().unwrap_or_default();
    let mut faults = Vec::new();
    let mut fault = |text: String| faults.push(format!("src/{path}: {text}"));

    if module != "kernel" && code.split(|c| !is_name(c)).any(|word| word == "unsafe") {
        fault("`unsafe` outside src/kernel".to_owned());
    }
    // `feature = "rayon"` is a string.
    let rayon =
        Source { strings: true }.without_comments(source).contains("\"rayon\"") || code.contains("rayon::");
    if path != "par.rs" && rayon {
        fault("rayon outside src/par.rs".to_owned());
    }
    if path == "lib.rs" {
        return faults;
    }
    let Some(own) = floor(module) else {
        fault(format!("`{module}` has no floor: give it one in tests/floors.rs"));
        return faults;
    };
    for name in imports(path, &code) {
        let other = names.get(&name).map_or(name.as_str(), String::as_str);
        match floor(other) {
            _ if other == module || other == OUTSIDE => {}
            None => fault(format!("`crate::{name}` is on no floor")),
            Some(theirs) if theirs > own => {
                fault(format!("imports `{other}` of floor {theirs} from floor {own}"));
            }
            Some(MODELS) if own == MODELS => {
                fault(format!("the model `{module}` imports the model `{other}`"));
            }
            Some(_) => {}
        }
    }
    faults
}

/// The names right behind `crate::`, or behind as many `super::` as lead from the file to the root of the crate.
fn imports(path: &str, code: &str) -> Vec<String> {
    // src/a.rs and src/a/mod.rs lie one step below the root, src/a/b.rs two.
    let depth = path.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").count();
    let code: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for root in ["crate::".to_owned(), "super::".repeat(depth)] {
        for (at, _) in code.match_indices(&root) {
            if code[..at].ends_with(is_name) || code[..at].ends_with("super::") {
                continue;
            }
            let rest = &code[at + root.len()..];
            for part in rest.strip_prefix('{').map_or_else(|| vec![rest], top_level) {
                let name: String = part.trim().chars().take_while(|&c| is_name(c)).collect();
                // In an inline module one `super` leads no farther than the file: what follows may be anything.
                let known = root.starts_with("crate") || floor(&name).is_some();
                if known && !name.is_empty() && name != "self" {
                    found.push(name);
                }
            }
        }
    }
    found
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The parts of `a, b::{c, d}, e}..` up to the brace that closes the list, cut at the commas outside inner braces.
fn top_level(list: &str) -> Vec<&str> {
    let (mut parts, mut from, mut open) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open > 0 => open -= 1,
            ',' | '}' if open == 0 => {
                parts.push(&list[from..at]);
                from = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    parts
}

/// How source text is read: what lies in quotes is kept or left out.
struct Source {
    strings: bool,
}

impl Source {
    fn without_comments(&self, source: &str) -> String {
        let mut code = String::new();
        let mut rest = source;
        while let Some(c) = rest.chars().next() {
            let raw = rest.strip_prefix('r').filter(|_| !code.ends_with(is_name));
            let hashes = raw.map_or(0, |raw| raw.chars().take_while(|&c| c == '#').count());
            if rest.starts_with("//") {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
            } else if rest.starts_with("/*") {
                rest = &rest[comment(rest)..];
            } else if raw.is_some_and(|raw| raw[hashes..].starts_with('"')) {
                let end = format!("\"{}", "#".repeat(hashes));
                let body = 2 + hashes;
                let len = rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len());
                rest = self.quoted(&mut code, rest, len);
            } else if c == '"' {
                let len = closing(rest, '"');
                rest = self.quoted(&mut code, rest, len);
            } else if c == '\'' && (rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'')) {
                // A character; a lifetime has no closing quote so near.
                let len = closing(rest, '\'');
                rest = self.quoted(&mut code, rest, len);
            } else {
                code.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        code
    }

    fn quoted<'a>(&self, code: &mut String, rest: &'a str, len: usize) -> &'a str {
        code.push_str(if self.strings { &rest[..len] } else { "\"\"" });
        &rest[len..]
    }
}

/// Length of the block comment that `text` begins with; block comments nest.
fn comment(text: &str) -> usize {
    let mut open = 0;
    let mut at = 0;
    while at < text.len() {
        let (step, depth) = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        open += depth;
        if open == 0 {
            break;
        }
    }
    at
}

/// Length of the literal that `text` begins with, up to its closing `quote`.
fn closing(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// What stands for the crates that `lib.rs` hands on: they have no floor.
const OUTSIDE: &str = "another crate";

/// Which module each name comes from that `lib.rs` takes to the root: `pub use error::{Error, Result};`.
fn root_names(lib: &str) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for statement in (Source { strings: false }).without_comments(lib).split(';') {
        let Some((_, path)) = statement.split_once("pub use ") else { continue };
        let (module, rest) = path.trim().split_once("::").unwrap_or((OUTSIDE, path));
        for name in rest.split(|c| !is_name(c)) {
            names.insert(name.to_owned(), module.to_owned());
        }
    }
    names
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().expect("the source folder is readable") {
        let path = entry.expect("its entries are readable").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_file_keeps_to_its_floor() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: &Path| std::fs::read_to_string(path).expect("source files are readable UTF-8");
    let names = root_names(&read(&root.join("lib.rs")));
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 8, "the source was not found");
    let mut all = Vec::new();
    for file in &files {
        let path = file.strip_prefix(&root).expect("found below the root");
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        all.extend(faults(&parts.join("/"), &read(file), &names));
    }
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

#[test]
fn imports_upward_and_between_models_are_found() {
    let names = root_names(
        "pub mod hmm;\npub use dbscan::{Dbscan, DbscanParams};\npub use error::Error;\npub use linfa;",
    );
    let count = |path: &str, source: &str| faults(path, source, &names).len();
    // Upward, in every way to write it.
    assert_eq!(count("index/mod.rs", "use crate::dbscan::Dbscan;"), 1);
    assert_eq!(count("index/mod.rs", "use crate::{error::Error, dbscan::{self, Dbscan}};"), 1);
    assert_eq!(count("index/mod.rs", "use crate::{\n    data,\n    plot,\n};"), 1);
    assert_eq!(count("index/mod.rs", "use crate::{data::{self, rows}, io}; use crate::hmm;"), 2);
    assert_eq!(count("index/tree.rs", "fn f(x: crate::Dbscan) {}"), 1);
    assert_eq!(count("index/tree.rs", "use super::super::io;"), 1);
    assert_eq!(count("float.rs", "use super::hmm::Hmm;"), 1);
    assert_eq!(count("dbscan/mod.rs", "pub(crate) use crate::plot::Figure;"), 1);
    // Sideways, between models.
    assert_eq!(count("hmm/mod.rs", "use crate::dbscan;"), 1);
    assert_eq!(count("hmm/mod.rs", "use crate::Dbscan;"), 1);
    // Strangers.
    assert_eq!(count("hmm/mod.rs", "use crate::misc::f;"), 1);
    assert_eq!(count("misc.rs", ""), 1);
    // All of these are in order.
    assert_eq!(count("hmm/mod.rs", "use crate::{error::Error, data::rows}; use crate::hmm::forward;"), 0);
    assert_eq!(count("hmm/forward.rs", "use super::Hmm; use crate::Error; use crate::linfa::Dataset;"), 0);
    assert_eq!(count("plot/mod.rs", "use crate::dbscan::Dbscan; use crate::io;"), 0);
    // What only looks like an import, and one that stands behind such.
    assert_eq!(count("index/mod.rs", "// use crate::dbscan;\n/* crate::hmm /* */ crate::hmm */"), 0);
    assert_eq!(count("index/mod.rs", r####"let s = "\"crate::hmm"; let r = r#""crate::hmm"#;"####), 0);
    assert_eq!(
        count("index/mod.rs", r"let c = '\''; let q = '\u{22}'; let d = '§'; let é = 1; use crate::hmm;"),
        1
    );
    assert_eq!(count("index/mod.rs", "let c = '\"'; fn f<'a>(x: &'a str) {} use crate::hmm;"), 1);
}

#[test]
fn unsafe_and_rayon_are_found_where_they_do_not_belong() {
    let count = |path: &str, source: &str| faults(path, source, &BTreeMap::new()).len();
    assert_eq!(count("index/mod.rs", "let x = unsafe { *p };"), 1);
    assert_eq!(count("lib.rs", "unsafe fn f() {}"), 1);
    assert_eq!(count("kernel/mod.rs", "let x = unsafe { *p };"), 0);
    assert_eq!(count("index/mod.rs", "#![deny(unsafe_code)] // unsafe\nlet s = \"unsafe\";"), 0);
    assert_eq!(count("index/mod.rs", "#[cfg(feature = \"rayon\")]\nfn f() {}"), 1);
    assert_eq!(count("index/mod.rs", "use rayon::prelude::*;"), 1);
    assert_eq!(count("par.rs", "#[cfg(feature = \"rayon\")]\nuse rayon::prelude::*;"), 0);
}
