//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Wrong usage of the command line, as of `holdfast` itself.
pub(crate) const EXIT_USAGE: u8 = 64;

const EXIT_CODES: &str = "\
Exit codes: 0 nothing failed (what is absent is no failure), 1 something failed or the report could not be written,
64 wrong usage.";

/// Tests this machine: adapters, kernels, windows, commitments and disk. Writes a report for programs, prints one for people.
#[derive(Clone, Debug, Parser, PartialEq)]
#[command(name = "holdfast-hwtest", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Options {
    /// Where the report goes; written anew after every section, so that a crash of a driver leaves what was found before
    #[arg(long, value_name = "FILE", default_value = "report.json")]
    pub(crate) out: PathBuf,
    /// The directory whose disk is tried; what is written there is removed
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Small sizes and short measurements
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only the adapter with this id; may be given several times
    #[arg(long = "gpu", value_name = "ID")]
    pub(crate) gpus: Vec<String>,
    /// Use adapters that compute on the processor too: tiny sizes, correctness only
    #[arg(long)]
    pub(crate) allow_software_gpu: bool,
    /// At the end, fill windows and commit over and over for so long: 90s, 10m, 2h
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) soak: Option<Duration>,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: write 90s, 10m or 2h");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit_seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number) * unit_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from([&["holdfast-hwtest"], given].concat())
    }

    #[test]
    fn everything_has_a_default_and_is_taken() {
        let plain = parse(&[]).unwrap();
        assert_eq!((plain.out.to_str(), plain.dir.to_str()), (Some("report.json"), Some(".")));
        assert_eq!((plain.quick, plain.allow_software_gpu, plain.soak), (false, false, None));
        let given =
            parse(&["--out", "a", "--dir", "b", "--quick", "--gpu", "c", "--gpu", "d", "--soak", "2h"]);
        let given = given.unwrap();
        assert_eq!((given.out.to_str(), given.dir.to_str(), given.quick), (Some("a"), Some("b"), true));
        assert_eq!((given.gpus, given.soak), (vec!["c".into(), "d".into()], Some(Duration::from_secs(7200))));
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_time("10m"), Ok(Duration::from_secs(600)));
        for wrong in ["", "m", "10", "1.5m", "-1s", "5 m", "10µ"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
        assert!(parse(&["report.json"]).is_err(), "paths have names");
    }
}
