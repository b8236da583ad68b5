use std::sync::Mutex;

use tracing::{info, info_span, warn};

use super::*;

/// Everything that is logged while `work` runs.
fn capture(format: LogFormat, work: impl FnOnce()) -> String {
    let written = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&written);
    let write = Arc::new(move |line: &str| sink.lock().expect("no panic").push_str(line));
    let subscriber = Registry::default().with(Lines { format, write });
    tracing::subscriber::with_default(subscriber, work);
    written.lock().expect("no panic").clone()
}

#[test]
fn a_json_line_is_one_document_with_the_fields_of_its_spans() {
    let text = capture(LogFormat::Json, || {
        let span = info_span!("call", request_id = "r1", height = 7_u64);
        let _entered = span.enter();
        warn!(height = 8_u64, late = true, "a round was missed");
    });
    assert_eq!(text.lines().count(), 1);
    let line: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(line["level"], "warn");
    assert_eq!(line["message"], "a round was missed");
    assert_eq!(line["fields"]["request_id"], "r1");
    assert_eq!(line["fields"]["height"], 8, "the event's own field counts");
    assert_eq!(line["fields"]["late"], true);
}

#[test]
fn secrets_are_not_written_wherever_they_are_put() {
    for format in [LogFormat::Human, LogFormat::Json] {
        let text = capture(format, || {
            let span = info_span!("load", wallet_password = "hunter2", late_secret = tracing::field::Empty);
            span.record("late_secret", "hunter2");
            let _entered = span.enter();
            info!(mnemonic = "hunter2", Secret_Seed = ?"hunter2", hotkey = "5Grw", "loaded");
        });
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("5Grw") && text.contains(REDACTED), "{text}");
    }
}

#[test]
fn a_peers_text_cannot_start_a_new_line_or_move_the_cursor() {
    let text = capture(LogFormat::Human, || {
        info!(refused = "no\n00:00:00Z  INFO all is well\x1b[2J", "a peer said")
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn the_same_text_is_due_once_in_its_interval() {
    let seldom = Seldom::every(Duration::from_secs(10));
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    assert!(seldom.is_due("a", at(0)));
    assert!(!seldom.is_due("a", at(9)));
    assert!(seldom.is_due("b", at(9)));
    assert!(seldom.is_due("a", at(10)));
    assert!(!seldom.is_due("a", at(19)));
    // However many texts there are, few are remembered.
    for number in 0..2 * REMEMBERED {
        assert!(seldom.is_due(&number.to_string(), at(20)));
    }
    assert!(seldom.written.lock().expect("no panic").len() <= REMEMBERED);
}
