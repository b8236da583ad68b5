//! What was found, for programs and for people.

use serde::Serialize;
use std::fmt;

/// The whole report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) version: &'static str,
    /// Whether every section is there; a run that ended early leaves false.
    pub(crate) complete: bool,
    /// What a reader must know before the figures.
    pub(crate) notes: Vec<String>,
    pub(crate) machine: Vec<Fact>,
    pub(crate) sections: Vec<Section>,
}

/// One line about the machine.
#[derive(Debug, Serialize)]
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// Checks of one kind.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
}

/// One thing that was to be checked.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

impl Row {
    /// A row of a check that may fail.
    pub(crate) fn of(name: impl Into<String>, checked: Result<Vec<Figure>, impl fmt::Display>) -> Row {
        let outcome = match checked {
            Ok(figures) => Outcome::Ran { figures },
            Err(error) => Outcome::Failed { why: error.to_string() },
        };
        Row { name: name.into(), outcome }
    }

    /// A row of what is not here.
    pub(crate) fn absent(name: impl Into<String>, why: impl Into<String>) -> Row {
        Row { name: name.into(), outcome: Outcome::Absent { why: why.into() } }
    }
}

/// What became of a check. There is no fourth case: nothing is passed over in silence.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It ran and gave the known answers.
    Ran { figures: Vec<Figure> },
    /// This machine or build does not have it.
    Absent { why: String },
    /// It ran and was wrong, or could not run although it is there.
    Failed { why: String },
}

/// A measured number.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

impl Figure {
    pub(crate) fn new(name: &'static str, value: f64, unit: &'static str) -> Figure {
        Figure { name, value, unit }
    }

    /// How many of something.
    pub(crate) fn count(name: &'static str, count: u64, unit: &'static str) -> Figure {
        Figure { name, value: real(count), unit }
    }
}

/// Counts as numbers to divide: all far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

impl Report {
    /// Whether any row has such an outcome.
    pub(crate) fn any(&self, matches: impl Fn(&Outcome) -> bool) -> bool {
        self.sections.iter().flat_map(|section| &section.rows).any(|row| matches(&row.outcome))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "holdfast {} hardware test", self.version)?;
        for note in &self.notes {
            writeln!(f, "  NOTE: {note}")?;
        }
        for fact in &self.machine {
            writeln!(f, "  {:<16} {}", fact.name, fact.value)?;
        }
        for section in &self.sections {
            writeln!(f, "{}", section.name)?;
            let width = section.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(16);
            for row in &section.rows {
                writeln!(f, "  {:<width$} {}", row.name, row.outcome)?;
            }
        }
        if !self.complete {
            writeln!(f, "NOT COMPLETE: the run ended early")?;
        }
        Ok(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Ran { figures } => {
                write!(f, "RAN")?;
                figures.iter().try_for_each(|figure| write!(f, "  {figure}"))
            }
            Outcome::Absent { why } => write!(f, "ABSENT({why})"),
            Outcome::Failed { why } => write!(f, "FAILED: {why}"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.value.fract() == 0.0 || self.value >= 1000.0 { 0 } else { 2 };
        // Small values would be zeros.
        let digits = if self.value != 0.0 && self.value.abs() < 0.1 { 5 } else { digits };
        write!(f, "{} {:.digits$}", self.name, self.value)?;
        if self.unit.is_empty() { Ok(()) } else { write!(f, " {}", self.unit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome) -> Report {
        let rows = vec![Row { name: "gpu".into(), outcome }];
        let sections = vec![Section { name: "kernels".into(), rows }];
        Report { version: "0", complete: true, notes: vec![], machine: vec![], sections }
    }

    #[test]
    fn outcomes_are_named_in_text_and_json() {
        let absent = report(Outcome::Absent { why: "no adapter".into() });
        assert!(absent.to_string().contains("ABSENT(no adapter)"));
        let json = serde_json::to_value(&absent).unwrap();
        let row = &json["sections"][0]["rows"][0];
        assert_eq!(
            (&row["name"], &row["outcome"], &row["why"]),
            (&"gpu".into(), &"absent".into(), &"no adapter".into())
        );
    }

    #[test]
    fn figures_are_as_long_as_they_say_something() {
        let text = |value| Figure::new("a", value, "s").to_string();
        assert_eq!(
            [3.0, 2.7531, 1234.5, 0.00042].map(text),
            ["a 3 s", "a 2.75 s", "a 1234 s", "a 0.00042 s"]
        );
    }

    #[test]
    fn a_run_that_ended_early_says_so() {
        let mut report = report(Outcome::Ran { figures: vec![] });
        report.complete = false;
        assert!(report.to_string().contains("NOT COMPLETE"));
    }

    #[test]
    fn one_failure_is_seen() {
        let is_failure = |outcome: &Outcome| matches!(outcome, Outcome::Failed { .. });
        assert!(report(Outcome::Failed { why: "label 3".into() }).any(is_failure));
        assert!(!report(Outcome::Ran { figures: vec![] }).any(is_failure));
    }
}
