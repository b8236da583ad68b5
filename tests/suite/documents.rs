//! What the documents say about the tree is true of the tree.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Files below a folder whose name ends so; build outputs left out.
fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with("target") && !name.starts_with('.') {
            found.extend(files(&path, suffix));
        } else if name.ends_with(suffix) {
            found.push(path);
        }
    }
    found
}

/// Whatever stands between single back ticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Why a quoted `folder/`, `folder/file.rs` or `folder/file.rs::test` does not exist; `None` for other quotes.
fn missing(quote: &str) -> Option<String> {
    let (path, test) = quote.split_once("::").unwrap_or((quote, ""));
    let is_path = path.contains('/') && !path.contains(' ') && (path.ends_with('/') || path.ends_with(".rs"));
    if !is_path {
        return None;
    }
    let Ok(text) =
        fs::metadata(root().join(path)).map(|data| if data.is_file() { read(path) } else { String::new() })
    else {
        return Some(format!("{path} does not exist"));
    };
    let has_test = test.is_empty() || text.contains(&format!("fn {test}("));
    (!has_test).then(|| format!("{path} has no test {test}"))
}

/// The paths of a listing: a line without indent is a folder, an indented one begins with names in it.
fn listed(block: &str) -> Vec<String> {
    let mut folder = "";
    let mut paths = Vec::new();
    for line in block.lines() {
        if !line.starts_with(' ') && line.ends_with('/') {
            folder = line;
        } else if line.starts_with(' ') && !folder.is_empty() {
            let names =
                line.split_whitespace().take_while(|name| name.ends_with('/') || name.ends_with(".rs"));
            paths.extend(names.map(|name| format!("{folder}{name}")));
        }
    }
    paths
}

#[test]
fn files_and_tests_named_in_the_architecture_exist() {
    let text = read("docs/ARCHITECTURE.md");
    // Fenced blocks have back ticks of their own, so prose and blocks take turns.
    let prose: String = text.split("```").step_by(2).collect();
    let blocks = text.split("```").skip(1).step_by(2).flat_map(listed);
    let named: Vec<String> = quoted(&prose).into_iter().map(str::to_owned).chain(blocks).collect();
    let wrong: Vec<String> = named.iter().filter_map(|quote| missing(quote)).collect();
    assert!(named.len() > 40 && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_missing_file_or_test_is_noticed() {
    assert!(missing("engine/src/nowhere.rs").is_some());
    assert!(missing("engine/src/transcript.rs::no_such_test").is_some());
    assert_eq!(missing("engine/tests/backend_conformance.rs::a_faulty_back_end_is_caught"), None);
    assert_eq!(missing("a word/ and another"), None);
    assert_eq!(listed("text\na/\n  b.rs  c.rs  what they do\n  d/  more\n"), ["a/b.rs", "a/c.rs", "a/d/"]);
}

#[test]
fn relative_links_of_all_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for document in files(&root(), ".md") {
        let text = fs::read_to_string(&document).expect("a readable document");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let target = document.parent().unwrap_or(Path::new("")).join(link);
            if !link.is_empty() && !link.contains("://") && !target.exists() {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn unsafe_code_stands_where_the_architecture_says() {
    let allowed = ["partition/src/io/", "engine/src/backend/", "engine/src/memory.rs"];
    // Written in two parts, or this file would be an offender.
    let marker = ["allow(unsafe", "_code)"].concat();
    let mut found = 0;
    for source in files(&root(), ".rs") {
        if fs::read_to_string(&source).expect("a readable source").contains(&marker) {
            let path = source.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
            assert!(allowed.iter().any(|place| path.starts_with(place)), "{path}");
            found += 1;
        }
    }
    assert!(found > 0, "the marker is no longer how unsafe code is allowed");
}

#[test]
fn all_crates_take_the_lints_that_refuse_unsafe_code() {
    let table = read("Cargo.toml");
    assert!(table.contains("unsafe_code = \"deny\""));
    let members = table.lines().find_map(|line| line.strip_prefix("members = ")).expect("a member list");
    for member in members.split('"').skip(1).step_by(2) {
        assert!(read(&format!("{member}/Cargo.toml")).contains("[lints]\nworkspace = true"), "{member}");
    }
}

#[test]
fn the_readme_names_the_command_that_the_gate_runs() {
    let gate = read(".ci/run");
    let command =
        gate.lines().find_map(|line| line.strip_prefix("test_command='")).expect("the test command");
    assert!(read("README.md").lines().any(|line| line == command.trim_end_matches('\'')));
}
