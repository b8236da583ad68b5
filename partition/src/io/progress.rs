//! What to do after a system call came back short, interrupted or failed: one rule for every back end.

use std::io::{Error, ErrorKind};

use super::PAGE_BYTES;

/// Interruptions and fruitless answers in a row before giving up, so that a device that never moves is an error, not a hang.
const FRUITLESS_MAX: u32 = 100;

/// How far one read or write has come.
#[derive(Debug)]
pub(super) struct Progress {
    length: usize,
    done: usize,
    fruitless: u32,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Step {
    /// All bytes are transferred.
    Finished,
    /// Issue the rest, from [`Progress::done`] on.
    Again,
    /// Give up. `UnexpectedEof` means the file ended.
    Failed(Error),
}

impl Progress {
    pub(super) fn new(length: usize) -> Self {
        Self { length, done: 0, fruitless: 0 }
    }

    /// Bytes transferred so far, a multiple of the page.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Takes the outcome of one system call for the range from `done` to the end.
    pub(super) fn step(&mut self, outcome: Result<usize, Error>) -> Step {
        match outcome {
            Ok(0) => Step::Failed(ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                // Direct I/O must go on at a page, so a part of a page counts as not done.
                let whole = bytes.min(self.length - self.done) / PAGE_BYTES * PAGE_BYTES;
                self.done += whole;
                if self.done == self.length {
                    return Step::Finished;
                }
                if whole == 0 { self.fruitless(ErrorKind::UnexpectedEof.into()) } else { self.fruitful() }
            }
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                self.fruitless(error)
            }
            Err(error) => Step::Failed(error),
        }
    }

    fn fruitful(&mut self) -> Step {
        self.fruitless = 0;
        Step::Again
    }

    fn fruitless(&mut self, error: Error) -> Step {
        self.fruitless += 1;
        if self.fruitless < FRUITLESS_MAX { Step::Again } else { Step::Failed(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(number: i32) -> Result<usize, Error> {
        Err(Error::from_raw_os_error(number))
    }

    /// Runs a script of outcomes; the last step and the bytes done.
    fn run(length: usize, script: Vec<Result<usize, Error>>) -> (String, usize) {
        let mut progress = Progress::new(length);
        let mut last = String::new();
        for outcome in script {
            last = match progress.step(outcome) {
                Step::Finished => "finished".into(),
                Step::Again => "again".into(),
                Step::Failed(error) => format!("{:?}", error.kind()),
            };
        }
        (last, progress.done())
    }

    #[test]
    fn short_interrupted_and_torn_calls_are_completed() {
        assert_eq!(run(8192, vec![Ok(8192)]), ("finished".into(), 8192));
        assert_eq!(run(8192, vec![Ok(4096)]), ("again".into(), 4096));
        assert_eq!(run(8192, vec![Ok(4096), os(4), os(11), Ok(4096)]), ("finished".into(), 8192));
        // 5000 bytes: the part of the second page is done again, or direct I/O would refuse the offset.
        assert_eq!(run(8192, vec![Ok(5000)]), ("again".into(), 4096));
        assert_eq!(run(8192, vec![Ok(512)]), ("again".into(), 0));
        assert_eq!(run(4096, vec![Ok(9000)]), ("finished".into(), 4096));
    }

    #[test]
    fn ends_and_errors_are_final() {
        assert_eq!(run(8192, vec![Ok(4096), Ok(0)]), ("UnexpectedEof".into(), 4096));
        assert_eq!(run(8192, vec![os(28)]), ("StorageFull".into(), 0));
        let stuck = (0..FRUITLESS_MAX).map(|_| os(11)).collect();
        assert_eq!(run(4096, stuck), ("WouldBlock".into(), 0));
        // A file whose length is no multiple of a page answers the same part for ever.
        let torn_end = (0..FRUITLESS_MAX).map(|_| Ok(100)).collect();
        assert_eq!(run(4096, torn_end), ("UnexpectedEof".into(), 0));
    }
}
