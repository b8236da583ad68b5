use super::*;

fn default_with(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::standard();
    change(&mut policy);
    policy
}

/// Worked by hand: φ = 0.541, t_w = 0.150 s (7·15·2^25 gathers at 23.5e9 a second), so 7.5 s / 0.0812 s = 92.4.
#[test]
fn samples_follow_from_devices_and_deadline() -> Result<(), PolicyError> {
    let policy = Policy::standard();
    assert_eq!(policy.samples_per_tib(25, 16)?, 93);
    assert_eq!(policy.samples(25, 16, 1024)?, 93);
    assert_eq!(policy.samples(25, 16, 4096)?, 372);
    // Half a TiB still takes 64, and 40 windows cannot have more than 40 samples.
    assert_eq!(policy.samples(25, 16, 512)?, 64);
    assert_eq!(policy.samples(25, 16, 40)?, 40);
    // A slower adversary lets q fall to the least number.
    let slower = default_with(|policy| policy.fastest_device.gathers_per_second = 10e9);
    assert_eq!(slower.samples_per_tib(25, 16)?, 64);
    Ok(())
}

#[test]
fn every_named_profile_is_reachable() -> Result<(), PolicyError> {
    for log2_labels in [21, 25] {
        for layers in [12, 16, 32] {
            let samples = Policy::standard().samples_per_tib(log2_labels, layers)?;
            assert!((64..=4096).contains(&samples), "k {log2_labels}, {layers} layers: {samples}");
        }
    }
    Ok(())
}

#[test]
fn refusals_name_rule_value_and_range() {
    let message = |result: Result<u32, PolicyError>| result.map_err(|error| error.rejection().to_string());
    let policy = Policy::standard();
    let refused = message(policy.samples(25, 8, 100));
    assert_eq!(refused, Err("policy: policy \"default\" refuses layers = 8, allowed: 12 to 64".to_owned()));
    let refused = message(policy.samples(20, 16, 100));
    assert_eq!(refused, Err("policy: policy \"default\" refuses k = 20, allowed: 21 to 30".to_owned()));
    assert!(matches!(policy.samples(25, 16, 0), Err(PolicyError::NoWindows)));
    assert!(matches!(policy.samples(21, 16, u64::MAX), Err(PolicyError::TooManySamples { .. })));
    // Eight layers do not reach D either: ⌈7.5 s / (0.0366 · 0.07 s)⌉ samples of 1,024 windows.
    let shallow = default_with(|policy| policy.min_layers = 8);
    assert!(matches!(
        shallow.check_profile(25, 8),
        Err(PolicyError::Unreachable { needed: 2_900..2_960, .. })
    ));
    let greedy = default_with(|policy| policy.devices_per_fake_tib = 1000.0);
    assert!(matches!(
        greedy.check_profile(25, 16),
        Err(PolicyError::Unreachable { windows: 1024, needed: 61_000..62_000, .. })
    ));
}

#[test]
fn test_policy_takes_small_windows_and_few_samples() -> Result<(), PolicyError> {
    assert_eq!(Policy::test().samples(10, 2, 3)?, 3);
    assert_eq!(Policy::test().samples(19, 16, 100)?, 4);
    assert_eq!((Policy::test().seal_samples(1), Policy::test().seal_samples(100)), (1, 2));
    assert!(Policy::test().is_audit_height(&[0; 32]));
    Ok(())
}

/// One in 1,200: of 240,000 beacons 200 ± 5 standard deviations of 14.1.
#[test]
fn audit_heights_come_at_the_rate_stated() {
    let policy = Policy::standard();
    let heights = (0..240_000u32)
        .filter(|height| {
            let mut beacon = [0; 32];
            beacon[..4].copy_from_slice(&height.to_le_bytes());
            policy.is_audit_height(&beacon)
        })
        .count();
    assert!((130..=270).contains(&heights), "{heights}");
}

#[test]
fn json_goes_round_and_strays_are_refused() -> Result<(), PolicyError> {
    for policy in [Policy::standard(), Policy::test()] {
        let json = serde_json::to_string(&policy)?;
        assert_eq!(Policy::from_json(&json)?, policy);
        assert_eq!(Policy::resolve(&policy.name)?, policy);
    }
    let json = serde_json::to_string(&Policy::standard())?;
    let refused = |json: String| Policy::from_json(&json).map_err(|error| error.to_string()).unwrap_err();
    assert!(refused(json.replace("\"version\":1", "\"version\":2")).contains("version is 2, allowed: 1"));
    assert!(refused(json.replace("\"min_layers\":12", "\"min_layers\":65")).contains("(65, 64)"));
    assert!(refused(json.replace("\"min_layers\"", "\"least_layers\"")).contains("least_layers"));
    assert!(refused(json.replace("\"min_samples\":64,", "")).contains("min_samples"));
    assert!(refused(json.replace("\"deadline_ms\":5000", "\"deadline_ms\":0")).contains("deadline_ms is 0"));
    assert!(
        refused(json.replace("\"gathers_per_second\":23500000000.0", "\"gathers_per_second\":-1.0"))
            .contains("rates")
    );
    assert!(
        refused(json.replace("\"link_samples\":44", "\"link_samples\":65537"))
            .contains("65537, allowed: 1 to")
    );
    assert!(refused(json.replace("\"one_in\":1", "\"one_in\":0")).contains("nonzero"));
    assert!(
        refused(json.replace("\"whole_deadline_ms\":21600000", "\"whole_deadline_ms\":0")).contains("0)")
    );
    assert!(matches!(Policy::resolve("no/such/policy"), Err(PolicyError::Unreadable { .. })));
    Ok(())
}
