use std::collections::BTreeMap;

use super::*;
use crate::scoring::{OutcomeKind, Scoring};

fn run(population: &Population, days: u32, seed: u64) -> SimulationReport {
    let ignore = |_: &RoundResults| Ok::<(), SimulationError>(());
    simulate(population, ScoringConfig::standard(), days, seed, ignore).expect("is simulated")
}

fn by_name(report: &SimulationReport) -> BTreeMap<&str, &MinerReport> {
    report.miners.iter().map(|miner| (miner.name.as_str(), miner)).collect()
}

/// Four months of the standard population, for several seeds: everybody ends where its behaviour belongs.
#[test]
fn everybody_gets_what_it_deserves() {
    for seed in [1, 2, 3] {
        let report = run(&Population::standard(), 120, seed);
        let miners = by_name(&report);
        let share = |name: &str| miners[name].share;
        let income = |name: &str| miners[name].income_share;
        let honest = share("honest");

        for name in
            ["stores nothing", "late", "withholds", "eight pretend a disk each", "cheats under new names"]
        {
            assert_eq!(miners[name].weight, 0, "seed {seed}: {name}");
            assert!(income(name) < income("honest") / 100.0, "seed {seed}: {name} earned {}", income(name));
            let tier = miners[name].score.as_ref().map(|score| score.tier.as_str());
            assert_eq!(tier, Some("Bronze"), "seed {seed}: {name}");
        }
        assert!(income("lost 2 %") < income("honest") / 8.0, "seed {seed}: {}", income("lost 2 %"));
        assert!(income("degrades") < income("honest") / 8.0, "seed {seed}: {}", income("degrades"));
        assert!(share("degrades") < honest / 1000.0, "seed {seed}: {}", share("degrades"));

        assert!(income("honest and fast") > income("honest"), "seed {seed}");
        let slow = income("honest and slow") / income("honest");
        assert!((0.7..0.9).contains(&slow), "seed {seed}: slow earns {slow} of what others do");
        let half = income("half a disk") / income("honest");
        assert!((0.45..0.55).contains(&half), "seed {seed}: half a disk earns {half}");
        let eight = income("eight on one disk") / income("honest");
        assert!(eight < 1.03, "seed {seed}: eight on one disk earn {eight} of what one does");
        for name in ["dies and comes back", "newcomer"] {
            let ratio = share(name) / honest;
            assert!((0.85..1.15).contains(&ratio), "seed {seed}: {name} has {ratio} at the end");
        }
        let tier = |name: &str| {
            let score = miners[name].score.as_ref().expect("took part");
            report.tiers.iter().position(|tier| *tier == score.tier).expect("a tier")
        };
        assert!(
            tier("honest") >= 6 && tier("newcomer") >= 4 && tier("newcomer") < tier("honest"),
            "seed {seed}"
        );
    }
}

/// The negative control of the test above: if the validator believed every answer about space, the miner that stores nothing
/// would have all of it proven. So it is the outcomes that decide.
#[test]
fn if_every_answer_were_believed_cheating_would_pay() {
    let population = Population::standard();
    let mut blind = Scoring::new(ScoringConfig::standard()).expect("is right");
    for number in 0..500 {
        let mut outcomes = Vec::new();
        for hotkey in population.hotkeys() {
            hotkey.answer(number * 75, 1, &population, &mut outcomes);
        }
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.kind == OutcomeKind::Space) {
            outcome.outcome = crate::scoring::Outcome::Accepted;
        }
        blind.record(&RoundResults { height: number * 75, outcomes }).expect("is later");
    }
    let nothing = population.hotkeys().iter().find(|hotkey| hotkey.miner == 6).map(|hotkey| hotkey.account);
    assert_eq!(population.miners[6].name, "stores nothing");
    let score =
        blind.scores(500 * 75).into_iter().find(|score| Some(score.miner) == nothing).expect("took part");
    assert!(score.space_bytes > 8e12 && score.counted_bytes > 8e12, "{score:?}");
}

/// Charts of tiers show what the miner that dies goes through: up, down while it is away, up again.
#[test]
fn tiers_over_time_are_seen() {
    let report = run(&Population::standard(), 60, 1);
    let dying = by_name(&report)["dies and comes back"];
    let tier_on =
        |day: f64| dying.samples.iter().rev().find(|sample| sample.day <= day).expect("a sample").tier;
    assert!(tier_on(29.0) >= 2);
    assert_eq!(tier_on(34.9), 0);
    assert!(tier_on(59.0) > tier_on(29.0));
    let newcomer = by_name(&report)["newcomer"];
    assert!(newcomer.samples.iter().all(|sample| sample.day >= 40.0), "before, it was not there");
    assert!(report.miners.iter().all(|miner| miner.samples.len() <= 1000), "more than a chart can show");
}

#[test]
fn a_seed_fixes_everything() {
    let population = Population::standard();
    assert_eq!(run(&population, 5, 7), run(&population, 5, 7));
    assert_ne!(run(&population, 5, 7), run(&population, 5, 8));
}

/// Adding a miner does not change what the others answer: chance is drawn for each by itself.
#[test]
fn what_one_answers_does_not_depend_on_others() {
    let population = Population::standard();
    let mut fewer = population.clone();
    fewer.miners.truncate(3);
    let answers = |population: &Population| {
        let mut outcomes = Vec::new();
        for hotkey in population.hotkeys().iter().filter(|hotkey| hotkey.miner < 3) {
            hotkey.answer(750, 1, population, &mut outcomes);
        }
        outcomes
    };
    assert_eq!(answers(&population), answers(&fewer));
}

/// Recorded and replayed, the rounds come to the same scores.
#[test]
fn a_replay_is_the_simulation() {
    let mut recorded = Vec::new();
    let population = Population::standard();
    let simulated = simulate(&population, ScoringConfig::standard(), 10, 1, |round| {
        recorded.extend(serde_json::to_vec(round).expect("JSON"));
        recorded.push(b'\n');
        Ok::<(), SimulationError>(())
    });
    let simulated = simulated.expect("is simulated");
    let replayed = replay(&recorded[..], ScoringConfig::standard()).expect("is replayed");
    assert_eq!(replayed.rounds, simulated.rounds);
    for hotkey in population.hotkeys().iter().filter(|hotkey| population.miners[hotkey.miner].uids == 1) {
        let one = &simulated.miners[hotkey.miner];
        match replayed.miners.iter().find(|miner| miner.name == hotkey.account.to_string()) {
            Some(other) => assert_eq!((&one.score, one.income_share), (&other.score, other.income_share)),
            None => assert_eq!(one.name, "newcomer", "only who did not take part is missing"),
        }
    }
}

#[test]
fn recorded_rounds_that_are_none_are_refused_with_their_line() {
    let right = r#"{"height":1,"outcomes":[]}"#;
    let cases = [
        (format!("{right}\n{right}\n"), "line 2 of the recorded rounds: the round at height 1 is not later"),
        (format!("{right}\n\n"), "line 2 of the recorded rounds: EOF"),
        ("{\"height\":-1,\"outcomes\":[]}".to_owned(), "line 1 of the recorded rounds: invalid value"),
        (
            r#"{"height":1,"outcomes":[],"extra":0}"#.to_owned(),
            "line 1 of the recorded rounds: unknown field",
        ),
        (String::new(), "there are no rounds"),
    ];
    for (text, message) in cases {
        let error = replay(text.as_bytes(), ScoringConfig::standard()).expect_err(&text).to_string();
        assert!(error.starts_with(message), "{text:?}: {error}");
    }
}

/// A line without end is not read into memory.
#[test]
fn an_endless_line_is_refused() {
    let endless = std::io::BufReader::new(std::io::repeat(b' '));
    let error = replay(endless, ScoringConfig::standard()).expect_err("is refused").to_string();
    assert!(error.contains("longer than 67108864 bytes"), "{error}");
}

#[test]
fn populations_that_cannot_be_are_refused() {
    let text = Population::standard_toml();
    let cases = [
        ("round_blocks = 75", "round_blocks = 0", "round_blocks of the population is 0, allowed: 1 to"),
        ("uids = 8", "uids = 0", "uids of \"eight on one disk\" of the population is 0"),
        ("uids = 8", "uids = 5000", "number of uids of the population is 10013"),
        ("lost_share = 0.02", "lost_share = 2.0", "lost_share of \"lost 2 %\" of the population is 2"),
        ("lost_share = 0.02", "lost_share = nan", "lost_share of \"lost 2 %\" of the population is NaN"),
        ("absent_days = [30.0, 35.0]", "absent_days = [30.0, nan]", "absent_days of \"dies and comes back\""),
        ("joins_day = 40.0", "joins_day = nan", "joins_day of \"newcomer\" of the population is NaN"),
        ("registers_anew_days = 3.0", "registers_anew_days = 0.0", "registers_anew_days of \"cheats"),
    ];
    for (right, wrong, message) in cases {
        let error = Population::from_toml(&text.replace(right, wrong)).expect_err(wrong).to_string();
        assert!(error.starts_with(message), "{wrong}: {error}");
    }
    assert!(matches!(Population::from_toml("miners = 1"), Err(SimulationError::Toml(_))));
}

#[test]
fn no_days_are_no_simulation() {
    let ignore = |_: &RoundResults| Ok::<(), SimulationError>(());
    let result = simulate(&Population::standard(), ScoringConfig::standard(), 0, 1, ignore);
    assert!(matches!(result, Err(SimulationError::NoRounds)));
}

/// Well-formed pictures with a line and a name for each miner, also of a single round and of nobody.
#[test]
fn charts_show_every_miner() {
    let report = run(&Population::standard(), 20, 1);
    for chart in [report.tier_chart().expect("is drawn"), report.weight_chart().expect("is drawn")] {
        assert!(chart.starts_with("<svg") && chart.trim_end().ends_with("</svg>"));
        for miner in report.miners.iter().map(|miner| miner.name.as_str()) {
            assert!(chart.contains(&format!("\n{miner}\n")), "{miner} is missing");
        }
        // A line in the chart for those who took part, and one in the legend for everybody.
        let taking_part = report.miners.iter().filter(|miner| !miner.samples.is_empty()).count();
        assert_eq!(chart.matches("stroke-width=\"2\"").count(), report.miners.len() + taking_part);
    }
    assert!(report.tier_chart().expect("is drawn").contains("\nSuper Saiyan\n"));
    let nobody =
        replay(&br#"{"height":1,"outcomes":[]}"#[..], ScoringConfig::standard()).expect("is replayed");
    assert!(nobody.weight_chart().expect("is drawn").ends_with("</svg>\n"));
    assert!(nobody.tier_chart().expect("is drawn").ends_with("</svg>\n"));
}
