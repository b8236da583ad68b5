use super::{PostgresSettings, is_url};
use crate::index::IndexError;

const URL: &str = "postgres://scribe:s3cret-%40word@db.example:6000/index?application_name=x&sslmode=disable";

#[test]
fn no_password_is_shown() {
    let settings = PostgresSettings::from_url(URL).expect("a URL");
    assert_eq!(&*settings.place(), "postgres://scribe@db.example:6000/index");
    let shown = format!("{settings:?}");
    assert!(shown.contains("db.example") && !shown.contains("s3cret"), "{shown}");
    // The negative control: it is there.
    assert_eq!(settings.config.get_password(), Some(&b"s3cret-@word"[..]));
}

#[test]
fn errors_show_nothing_of_a_url_that_cannot_be_read() {
    // A password with a bare @, ? or : makes the parser take parts of it for something else.
    for url in [
        "postgres://u:hunter2:hunter2@h@:xport/db",
        "postgres://u:pass@hunter2@host/db",
        "postgres://u:hunter2@host:hunter2/db",
        "postgres://u:hunter2@host/db?hunter2=hunter2",
        "postgres://u:hunter2@/db",
        "mysql://u:hunter2@host/db",
    ] {
        let error = PostgresSettings::from_url(url).expect_err(url);
        let shown = format!("{error} {error:?}");
        assert!(matches!(error, IndexError::Settings { .. }) && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn places_name_what_was_given() {
    for (url, place) in [
        ("postgres://a@h/?sslmode=disable", "postgres://a@h:5432/a"),
        ("postgresql://a@%2Frun%2Fpg/d", "postgres://a@/run/pg:5432/d"),
        ("postgres:///d?host=/run/pg&user=b", "postgres://b@/run/pg:5432/d"),
    ] {
        assert_eq!(&*PostgresSettings::from_url(url).expect(url).place(), place);
    }
    let other =
        PostgresSettings::from_url(URL).and_then(|settings| settings.schema("second")).expect("a name");
    assert_eq!(&*other.place(), "postgres://scribe@db.example:6000/index (schema second)");
}

#[test]
fn names_of_schemas_are_plain() {
    let with = |name: &str| PostgresSettings::from_url(URL).expect("a URL").schema(name);
    for name in ["a", "holdfast_2", &"a".repeat(63)] {
        assert!(with(name).is_ok(), "{name}");
    }
    // They stand in statements as they are.
    for name in ["", "2", "_a", "A", "a b", "a\"; DROP", "ä", "pg_mine", &"a".repeat(64)] {
        assert!(with(name).is_err(), "{name}");
    }
}

#[test]
fn urls_are_told_from_paths() {
    assert!(is_url("postgres://h/d") && is_url("postgresql://h/d"));
    assert!(!is_url("/var/lib/postgres") && !is_url("index.redb") && !is_url("postgres"));
}
