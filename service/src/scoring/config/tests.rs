use super::*;

/// Names, limits, factors, thresholds and boosts of FileTAO 3.0.2 (`storage/constants.py`), in its units.
#[test]
fn the_standard_tiers_are_filetaos() {
    let tib = 1_u64 << 40;
    let pib = 1_u64 << 50;
    let filetao = [
        ("Bronze", 10 * tib, 0.6, 0, 0.0, 1.2),
        ("Silver", 50 * tib, 0.65, 500, 0.55, 1.16),
        ("Gold", 200 * tib, 0.7, 2000, 0.6, 1.12),
        ("Platinum", pib, 0.75, 3000, 0.65, 1.1),
        ("Diamond", 5 * pib, 0.8, 5000, 0.7, 1.08),
        ("Emerald", 10 * pib, 0.85, 7000, 0.75, 1.05),
        ("Ruby", 20 * pib, 0.9, 10_000, 0.8, 1.04),
        ("Super Saiyan", 50 * pib, 1.0, 15_000, 0.85, 1.02),
    ];
    let config = ScoringConfig::standard();
    let tiers = config.tiers.iter().map(|tier| {
        let Tier { limit_bytes, reward_factor, total_successes, wilson_bar, top_performer_boost, .. } = *tier;
        (tier.name.as_str(), limit_bytes, reward_factor, total_successes, wilson_bar, top_performer_boost)
    });
    assert_eq!(tiers.collect::<Vec<_>>(), filetao);
}

#[test]
fn toml_and_back_is_the_same() {
    let config = ScoringConfig::standard();
    let text = toml::to_string(&config).expect("is TOML");
    assert_eq!(ScoringConfig::from_toml(&text).expect("is a configuration"), config);
}

/// Catches a misspelt field that would leave another value in force than the operator thinks.
#[test]
fn unknown_and_missing_fields_are_refused() {
    let text = ScoringConfig::standard_toml();
    for (line, other) in
        [("alpha = 0.05", ""), ("alpha = 0.05", "alpha = 0.05\nalhpa = 0.1"), ("z = 1.96", "z = \"1.96\"")]
    {
        let error = ScoringConfig::from_toml(&text.replace(line, other)).expect_err("is refused");
        assert!(matches!(error, ScoringError::Toml(_)), "{other:?}: {error}");
    }
    let error =
        ScoringConfig::from_toml(&text.replace("version = 1", "version = 2")).expect_err("is refused");
    assert!(matches!(error, ScoringError::Version { found: 2, .. }), "{error}");
}

/// Each nonsense by its field.
#[test]
fn nonsense_is_refused_by_name() {
    type Change = fn(&mut ScoringConfig);
    let wrong: &[(&str, Change)] = &[
        ("wilson.z", |config| config.wilson.z = 0.0),
        ("wilson.z", |config| config.wilson.z = f64::NAN),
        ("wilson.window_steps", |config| config.wilson.window_steps = 0),
        // Of steps shorter than a block.
        ("wilson.window_blocks", |config| config.wilson.window_blocks = 27),
        ("wilson.least_rounds", |config| config.wilson.least_rounds = 0),
        ("average.alpha", |config| config.average.alpha = 1.01),
        ("average.proof_valid_blocks", |config| config.average.proof_valid_blocks = 0),
        ("bytes.object_byte_value", |config| config.bytes.object_byte_value = f64::INFINITY),
        ("bytes.object_bytes_per_space_byte", |config| config.bytes.object_bytes_per_space_byte = -1.0),
        ("bytes.least_bytes", |config| config.bytes.least_bytes = 0),
        ("latency.reference_latency_ms", |config| config.latency.reference_latency_ms = 0),
        ("latency.reference_bytes_per_second", |config| config.latency.reference_bytes_per_second = 0),
        // The slowest would earn nothing, and so would everybody in a field of two.
        ("latency.spread", |config| config.latency.spread = 1.0),
        ("latency.steepness", |config| config.latency.steepness = 17),
        ("failure.rejected_cost", |config| config.failure.rejected_cost = -0.1),
        ("failure.missed_cost", |config| config.failure.missed_cost = 101.0),
        ("weights.share_maximum", |config| config.weights.share_maximum = 0.0),
        // Nobody could get an equal share.
        ("weights.share_maximum_times_equal", |config| config.weights.share_maximum_times_equal = 0.9),
        ("weights.share_rise_maximum", |config| config.weights.share_rise_maximum = 0.5),
        ("number of tiers", |config| config.tiers.clear()),
        ("tiers[1].name", |config| config.tiers[1].name = "Bronze".to_owned()),
        ("tiers[0].name", |config| config.tiers[0].name = String::new()),
        // A newcomer would be in no tier.
        ("tiers[0].total_successes", |config| config.tiers[0].total_successes = 1),
        ("tiers[0].wilson_bar", |config| config.tiers[0].wilson_bar = 0.1),
        // Promotion would be a loss.
        ("tiers[2].limit_bytes", |config| config.tiers[2].limit_bytes = 1),
        ("tiers[2].reward_factor", |config| config.tiers[2].reward_factor = 0.6),
        ("tiers[2].reward_factor x top_performer_boost", |config| config.tiers[2].top_performer_boost = 1.0),
        ("tiers[3].total_successes", |config| config.tiers[3].total_successes = 1999),
        ("tiers[3].wilson_bar", |config| config.tiers[3].wilson_bar = 0.5),
        // Nobody could ever reach it.
        ("tiers[7].wilson_bar", |config| config.tiers[7].wilson_bar = 1.0),
        ("tiers[7].failure_factor", |config| config.tiers[7].failure_factor = 11.0),
        ("tiers[7].top_performer_boost", |config| config.tiers[7].top_performer_boost = 0.99),
    ];
    for (name, change) in wrong {
        let mut config = ScoringConfig::standard();
        config.check().expect("the standard one is right");
        change(&mut config);
        match config.check() {
            Err(ScoringError::Field { field, .. }) => assert_eq!(field, *name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_refusal_says_what_is_allowed() {
    let mut config = ScoringConfig::standard();
    config.average.alpha = 2.0;
    let message = config.check().expect_err("is refused").to_string();
    assert_eq!(message, "average.alpha of the scoring configuration is 2, allowed: above 0, at most 1");
}
