//! Running the binary, and a workspace with a stake table.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The binary, which cargo built before the test. `HOLDFAST_BIN` names another one.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("HOLDFAST_BIN") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env!("CARGO_BIN_EXE_holdfast")),
    })
}

/// What a run of the binary gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The run of a prepared command.
    pub(crate) fn of(command: &mut Command) -> Run {
        Run::from(command.output().expect("the binary starts"))
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }

    /// Fails the test unless the exit code is this.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Run {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// The failure's kind and message in the JSON on standard output.
    #[track_caller]
    pub(crate) fn error(&self) -> (String, String) {
        let error = &self.json()["error"];
        let text = |field: &str| error[field].as_str().unwrap_or_else(|| panic!("{self:#?}")).to_owned();
        (text("kind"), text("message"))
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The binary with arguments, away from the settings and caches of whoever runs the tests, and without software GPUs. Caches are
/// kept from one test to the next: drivers compile kernels for seconds.
pub(crate) fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command.env_remove("HOLDFAST_ALLOW_SOFTWARE_GPU").stdin(std::process::Stdio::null());
    command
}

/// Runs the binary with words separated by spaces.
pub(crate) fn run(words: &str) -> Run {
    Run::of(&mut command(words.split_whitespace()))
}

/// A directory for one test, with a stake table of three validators.
pub(crate) struct Place(pub(crate) TempDir);

impl Place {
    /// A new one.
    pub(crate) fn new() -> Place {
        let place = Place(TempDir::new().expect("a temporary directory"));
        place.write(
            "stakes.json",
            r#"[{"uid":0,"hotkey":"alice","stake":899.0},
                {"uid":1,"hotkey":"bob","stake":499.0},
                {"uid":2,"hotkey":"carol","stake":99.0}]"#,
        );
        std::fs::create_dir(place.path("disk")).expect("creates a directory");
        place
    }

    /// A path inside.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file inside.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("writes a file");
    }

    /// Reads a file inside.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The binary in this directory, so that relative paths name files inside.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = command(words.split_whitespace());
        command.current_dir(self.0.path());
        command
    }

    /// Runs the binary in this directory.
    pub(crate) fn run(&self, words: &str) -> Run {
        Run::of(&mut self.command(words))
    }

    /// Allocates a directory for three validators in windows of 64 KiB.
    pub(crate) fn allocate(&self, dir: &str, bytes: u64) -> Run {
        self.run(&format!(
            "allocate --dir {dir} --stakes stakes.json --miner miner --threshold 0.9 --max-bytes {bytes} \
             --window 64KiB --profile swift --policy test --yes --json"
        ))
        .expect(0)
    }

    /// A filled `disk` of about eight mebibytes.
    pub(crate) fn filled() -> Place {
        let place = Place::new();
        place.allocate("disk", 8 << 20);
        place.run("fill --dir disk --json").expect(0);
        place
    }
}
