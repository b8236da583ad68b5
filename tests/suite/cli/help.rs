//! Help texts are reviewed, so they are kept word for word. `UPDATE_GOLDEN=1` writes them anew.

use std::path::PathBuf;

use crate::support::{Run, command, run};

const COMMANDS: &[&str] = &[
    "",
    "demo",
    "devices",
    "doctor",
    "bench",
    "bench commit",
    "bench check",
    "bench verify",
    "tune",
    "plan",
    "plan audit",
    "allocate",
    "fill",
    "status",
    "scrub",
    "resize",
    "trim",
    "remove",
    "object",
    "object put",
    "object get",
    "object ls",
    "object stat",
    "object verify",
    "object rm",
    "object quota",
    "commit",
    "commitment",
    "check",
    "challenge",
    "challenge space",
    "challenge seal",
    "challenge possession",
    "challenge chunks",
    "challenge link",
    "challenge round",
    "prove",
    "verify",
    "token",
    "token make",
    "token use",
    "token list",
    "token verify",
    "seal-audit",
    "chain",
    "chain verify",
    "keys",
    "keys new",
    "keys show",
    "keys import",
    "keys sign",
    "keys verify",
    "chain simulate",
    "chain show",
    "engine",
    "engine run",
    "engine submit",
    "engine watch",
    "engine pause",
    "engine resume",
    "engine cancel",
    "engine jobs",
    "engine devices",
    "miner",
    "miner run",
    "miner status",
    "miner move",
    "miner reindex",
    "validator",
    "validator run",
    "validator status",
    "validator export",
    "validator history",
    "validator simulate",
    "index",
    "index copy",
    "worker",
    "worker run",
    "put",
    "get",
    "ls",
    "rm",
    "audit",
    "completions",
    "man",
];

fn help_of(words: &str) -> String {
    let arguments = words.split_whitespace().chain(["--help"]);
    let run = Run::of(command(arguments).env("COLUMNS", "100")).expect(0);
    assert_eq!(run.stderr, "", "help is no message");
    run.stdout
}

#[test]
fn help_texts_are_the_reviewed_ones() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/help");
    for words in COMMANDS {
        let name = if words.is_empty() { "holdfast" } else { words };
        let path = folder.join(format!("{}.txt", name.replace(' ', "-")));
        let help = help_of(words);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &help).expect("writes the golden file");
        }
        let golden =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(help, golden, "{words}: review, then run with UPDATE_GOLDEN=1");
    }
}

/// Catches a command that was added and has no reviewed help.
#[test]
fn every_command_has_a_golden_text() {
    let listed = help_of("");
    let commands = listed.split("Commands:").nth(1).expect("lists commands");
    let commands = commands.split("\n\n").next().expect("the list ends");
    for line in commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        let name = line.split_whitespace().next().expect("a name");
        assert!(name == "help" || COMMANDS.contains(&name), "{name} has no golden help");
    }
}

#[test]
fn version_is_that_of_the_workspace() {
    let run = run("--version").expect(0);
    assert_eq!(run.stdout, format!("holdfast {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let bash = run("completions bash").expect(0).stdout;
    let manual = run("man").expect(0).stdout;
    for words in COMMANDS.iter().filter(|words| !words.is_empty() && !words.contains(' ')) {
        assert!(bash.contains(words), "{words} is completed");
        assert!(manual.replace("\\-", "-").contains(words), "{words} is in the manual");
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut write = command(["man", "--out"]);
    Run::of(write.arg(folder.path())).expect(0);
    let page = std::fs::read_to_string(folder.path().join("holdfast-allocate.1")).expect("a page a command");
    assert!(page.contains("threshold"));
}
