//! What goes to standard output (the report, as JSON or text) and to standard error (everything else).

use std::fmt::{self, Write as _};
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use holdfast_engine::jobs::progress::Watcher;
use serde::Serialize;

use crate::local::failure::Failure;

/// Output flags of every command.
#[derive(Args, Clone, Debug)]
pub struct OutputArguments {
    /// Print the report as one JSON document on standard output; messages stay on standard error
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
    /// Show progress on standard error: only on a terminal, always (plain lines), or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub progress: ProgressWhen,
}

/// When progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(
    missing_docs,
    reason = "they would be shown in the help, where the flag's own text says what they mean"
)]
pub enum ProgressWhen {
    Auto,
    Always,
    Never,
}

/// The exit codes of the script contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or accepted.
    Done,
    /// We could not do it.
    Failed,
    /// Somebody's bytes were refused; the class stands in the JSON.
    Rejected,
    /// The command line is wrong.
    Usage,
}

impl Exit {
    /// The number a shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Rejected => 2,
            Exit::Usage => 64,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// What a command has to say at its end.
pub trait Report: Serialize {
    /// The text form, for people.
    fn text(&self, out: &mut String);
    /// How the command ended.
    fn exit(&self) -> Exit {
        Exit::Done
    }
}

/// Who hears progress and messages in place of standard error.
pub type Listener = Arc<dyn Watcher + Send>;

/// The way to the person or script that called, or to whoever watches a job of a service.
#[derive(Clone)]
pub struct Console {
    json: bool,
    progress: ProgressWhen,
    listener: Option<Listener>,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Console { json, progress, listener } = self;
        write!(f, "Console({json}, {progress:?}, listener: {})", listener.is_some())
    }
}

impl Console {
    /// A console that obeys the output flags.
    pub fn new(arguments: &OutputArguments) -> Console {
        Console { json: arguments.json, progress: arguments.progress, listener: None }
    }

    /// A console without a terminal: progress and messages go to the listener. Nobody can be asked.
    pub fn heard_by(listener: Listener) -> Console {
        Console { json: true, progress: ProgressWhen::Never, listener: Some(listener) }
    }

    /// Who hears progress and messages, if not a terminal.
    pub fn listener(&self) -> Option<&Listener> {
        self.listener.as_ref()
    }

    /// Whether the report is JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// How progress is drawn: `None` not at all, `Some(true)` redrawn in place.
    pub fn progress(&self) -> Option<bool> {
        let terminal = io::stderr().is_terminal();
        match self.progress {
            ProgressWhen::Never => None,
            ProgressWhen::Always => Some(terminal),
            ProgressWhen::Auto => terminal.then_some(true),
        }
    }

    /// Prints the report and gives the command's exit.
    pub fn report(&self, report: &impl Report) -> Result<Exit, Failure> {
        let text = if self.json {
            let mut text = json_text(report)?;
            text.push('\n');
            text
        } else {
            let mut text = String::new();
            report.text(&mut text);
            text
        };
        print(&text)?;
        Ok(report.exit())
    }

    /// A message to people, on standard error.
    pub fn note(&self, message: impl AsRef<str>) {
        if let Some(listener) = &self.listener {
            return listener.notice(message.as_ref());
        }
        // Nobody can be told that standard error is gone.
        let _ = writeln!(io::stderr(), "{}", message.as_ref());
    }

    /// A message to people that must not be overlooked.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.note(format!("warning: {}", message.as_ref()));
    }

    /// Tells why the command failed, on both channels, and with which code to leave.
    pub fn fail(&self, failure: &Failure) -> Exit {
        self.note(format!("error: {}", failure.full_message()));
        if self.json {
            // If standard output is gone as well, the exit code still tells.
            let _ = print(&failure.json_text());
        }
        failure.exit()
    }

    /// Asks before something destructive is done, unless `yes` was given.
    pub fn confirm(&self, yes: bool, question: &str) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        if self.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Failure::Unconfirmed { question: question.to_owned() });
        }
        let mut prompt = String::new();
        let _ = write!(prompt, "{question} [y/N] ");
        let _ = io::stderr().write_all(prompt.as_bytes());
        let mut answer = String::new();
        io::stdin()
            .lock()
            .read_line(&mut answer)
            .map_err(|e| Failure::file("read the answer from", "the terminal", e))?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::Declined),
        }
    }
}

/// A report as commands print it with `--json`, without the line's end.
pub fn json_text(report: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(report).map_err(Failure::json)
}

/// Writes to standard output. A reader that has gone away (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::file("write to", "standard output", error))
        }
        _ => Ok(()),
    }
}
