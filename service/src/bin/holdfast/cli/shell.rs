//! `holdfast completions` and `holdfast man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::console::{Exit, print};
use crate::failure::Failure;

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(
    after_help = "Example: holdfast completions bash > ~/.local/share/bash-completion/completions/holdfast"
)]
pub(crate) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

impl CompletionsArguments {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Arguments::command(), "holdfast", &mut script);
        print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}

/// Print the manual page, or write one for every command
#[derive(Args, Debug)]
#[command(after_help = "Example: holdfast man --out ~/.local/share/man/man1")]
pub(crate) struct ManArguments {
    /// Write holdfast.1 and one page a command into this directory instead of printing the first
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl ManArguments {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        match &self.out {
            Some(dir) => {
                std::fs::create_dir_all(dir).map_err(|e| Failure::file("create", dir, e))?;
                clap_mangen::generate_to(super::Arguments::command(), dir)
                    .map_err(|e| Failure::file("write manual pages to", dir, e))?;
            }
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(super::Arguments::command())
                    .render(&mut page)
                    .map_err(|e| Failure::file("write", "the manual page", e))?;
                print(&String::from_utf8_lossy(&page))?;
            }
        }
        Ok(Exit::Done)
    }
}
