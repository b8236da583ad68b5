use super::*;

const GUIDE: &str = include_str!("../../../../docs/guide/validator-config.md");

/// The text of the guide's blocks of TOML.
fn examples() -> Vec<&'static str> {
    GUIDE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_guides_examples_are_what_they_say() {
    let [least, all] = examples()[..] else { panic!("two examples") };
    let least = Config::from_toml(least).unwrap();
    assert_eq!(least, Config::development("validator-1", "/var/lib/holdfast/chain".into()));
    let all = Config::from_toml(all).unwrap();
    assert_eq!(
        all.rounds,
        RoundsConfig { witnesses: all.rounds.witnesses.clone(), ..RoundsConfig::default() }
    );
    assert_eq!(all.settings().unwrap().witnesses.len(), 2);
    assert_eq!(all.care, CareConfig::default());
    assert_eq!(all.export, ExportConfig::default());
    let usual = CareSettings::default();
    let care = all.care_settings().unwrap();
    assert_eq!((care.repair, care.rebalance), (usual.repair, usual.rebalance));
    let deadline_ms = all.settings().unwrap().policy.objects.deadline_ms;
    assert_eq!(care.question_seconds, usual.question_seconds + u64::from(deadline_ms).div_ceil(1000));
    assert_eq!(
        (care.keep_seconds_max, care.owner_bytes_max),
        (usual.keep_seconds_max, usual.owner_bytes_max)
    );
    // Every key that there is stands in the guide.
    let keys = [
        "reseal_one_in",
        "link_one_in",
        "asked_within_blocks",
        "anchor_after_blocks",
        "tempo_blocks",
        "ping_every_blocks",
        "retrieve_every_blocks",
        "held_mib",
        "judged_mib",
        "commitment_mib",
        "lease_ms",
        "witnesses",
        "process",
        "form",
    ];
    for key in keys {
        assert!(GUIDE.contains(&format!("`rounds.{key}`")), "{key}");
    }
    let keys = [
        "serve",
        "owners",
        "keep_days_max",
        "owner_gib_max",
        "failed_audits",
        "absent_minutes",
        "repair_gib",
        "tend_every_blocks",
        "workshop",
    ];
    for key in keys {
        assert!(GUIDE.contains(&format!("`care.{key}`")), "{key}");
    }
    for key in ["directory", "every_blocks"] {
        assert!(GUIDE.contains(&format!("`export.{key}`")), "{key}");
    }
}

fn refused(text: &str) -> String {
    let least = "[identity]\ndevelopment = \"v\"\n[chain]\ndirectory = \"c\"\n";
    Config::from_toml(&format!("{least}{text}")).unwrap_err().to_string()
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    assert!(refused("[rounds]\ntempo = 3").contains("unknown field `tempo`"));
    assert!(
        refused("[rounds]\nanchor_after_blocks = 10")
            .contains("rounds.anchor_after_blocks is 10, allowed: 1 to 9")
    );
    assert!(
        refused("[rounds]\nheld_mib = 4\njudged_mib = 5").contains("rounds.judged_mib is 5, allowed: 1 to 4")
    );
    assert!(refused("[care]\nabsent_minutes = 0").contains("care.absent_minutes is 0, allowed: 1 to"));
    assert!(refused("[rounds]\nreseal_one_in = 0").contains("reseal_one_in"));
    assert!(refused("[rounds]\nform = \"short\"").contains("short"));
    let none = Config::from_toml("[identity]\n[chain]\ndirectory = \"c\"\n").unwrap_err().to_string();
    assert!(none.contains("identity is 0 keys"), "{none}");
    let both =
        "[identity]\ndevelopment = \"v\"\nwallet = \"w\"\nhotkey = \"h\"\n[chain]\ndirectory = \"c\"\n";
    assert!(Config::from_toml(both).unwrap_err().to_string().contains("identity is 2 keys"));
    let alone = "[identity]\nwallet = \"w\"\n[chain]\ndirectory = \"c\"\n";
    assert!(Config::from_toml(alone).unwrap_err().to_string().contains("identity.hotkey"));
}
