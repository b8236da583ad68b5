use super::*;

fn finding(kind: AuditKind, accepted: Option<bool>) -> Finding {
    Finding {
        kind: kind as u8,
        subject: 1,
        batch: None,
        record_digest: None,
        challenge_seed: Hex32([1; 32]),
        response_digest: accepted.filter(|accepted| *accepted).map(|_| Hex32([2; 32])),
        accepted,
        latency_ms: None,
        bytes_read: 0,
        proven_space_bytes: 0,
        proven_object_bytes: 0,
        linked_bytes: None,
        class: None,
        message: None,
    }
}

fn of_bytes(kind: AuditKind, proven_object_bytes: u64) -> Finding {
    Finding { proven_object_bytes, ..finding(kind, Some(true)) }
}

fn link(linked_bytes: Option<u64>, accepted: Option<bool>) -> Finding {
    Finding { linked_bytes, ..finding(AuditKind::Link, accepted) }
}

fn worth(links: &[Finding]) -> [u64; 3] {
    let held = [
        of_bytes(AuditKind::Possession, 1_000_000_000_000),
        of_bytes(AuditKind::Possession, 6_000_000),
        of_bytes(AuditKind::Chunks, 500),
    ];
    let row = AnswersRow { findings: [&held, links].concat(), judged: true, linked: None };
    let worth: Vec<u64> = row.worth().map(|(_, bytes)| bytes).collect();
    assert!(worth[3..].iter().all(|bytes| *bytes == 0), "a link shows no bytes");
    [worth[0], worth[1], worth[2]]
}

#[test]
fn possession_is_worth_the_share_of_the_bytes_whose_links_were_passed() {
    let all = [1_000_000_000_000, 6_000_000, 500];
    assert_eq!(worth(&[]), all);
    let passed = link(Some(100), Some(true));
    assert_eq!(worth(std::slice::from_ref(&passed)), all);
    // Of what does not rest on commitments nothing is taken.
    let failed = link(Some(300), Some(false));
    assert_eq!(worth(&[passed.clone(), failed.clone()]), [250_000_000_000, 1_500_000, 500]);
    assert_eq!(worth(std::slice::from_ref(&failed)), [0, 0, 500]);
    // A doubted object stands for nothing itself; and what we failed to judge is nobody's fault.
    assert_eq!(worth(&[passed, link(None, Some(false)), link(Some(500), None)]), all);
    let rounded = [link(Some(1), Some(true)), link(Some(2), Some(false))];
    assert_eq!(worth(&rounded), [333_333_000_000, 1_999_998, 500], "in millionths, rounded down");
    let most = [link(Some(u64::MAX), Some(true)), link(Some(u64::MAX), Some(true))];
    assert_eq!(worth(&most), all);
}

/// Findings are kept for as long as receipts: those of other questions are as they were before links were weighed.
#[test]
fn only_a_link_by_lot_says_what_it_speaks_for() {
    let text = |finding: &Finding| serde_json::to_string(finding).expect("writes");
    let [of_lot, other] = [link(Some(7), None), link(None, None)].map(|finding| text(&finding));
    assert!(of_lot.contains("linked_bytes") && !other.contains("linked_bytes"));
    assert_eq!(serde_json::from_str::<Finding>(&other).expect("reads"), link(None, None));
}
