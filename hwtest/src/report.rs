//! What was found, for programs and for people.

use serde::Serialize;
use std::fmt;

/// The whole report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) version: &'static str,
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
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// One thing that was to be checked.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
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

impl Report {
    /// Whether any row has such an outcome.
    pub(crate) fn any(&self, matches: impl Fn(&Outcome) -> bool) -> bool {
        self.sections.iter().flat_map(|section| &section.rows).any(|row| matches(&row.outcome))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "holdfast {} hardware test", self.version)?;
        for fact in &self.machine {
            writeln!(f, "  {:<16} {}", fact.name, fact.value)?;
        }
        for section in &self.sections {
            writeln!(f, "{}", section.name)?;
            for row in &section.rows {
                writeln!(f, "  {:<16} {}", row.name, row.outcome)?;
            }
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
        write!(f, "{} {:.2} {}", self.name, self.value, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome) -> Report {
        let rows = vec![Row { name: "gpu".into(), outcome }];
        Report { version: "0", machine: vec![], sections: vec![Section { name: "kernels", rows }] }
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
    fn one_failure_is_seen() {
        let is_failure = |outcome: &Outcome| matches!(outcome, Outcome::Failed { .. });
        assert!(report(Outcome::Failed { why: "label 3".into() }).any(is_failure));
        assert!(!report(Outcome::Ran { figures: vec![] }).any(is_failure));
    }
}
