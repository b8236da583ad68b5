use super::{Tls, Wanted, percent_decoded};
use crate::index::{IndexError, PostgresSettings};

fn taken(url: &str) -> (String, Option<String>, Option<String>) {
    let (rest, wanted) = Wanted::take_from(url);
    (rest, wanted.mode, wanted.authorities)
}

#[test]
fn the_two_parameters_are_taken_and_the_rest_is_left() {
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(taken("postgres://h/d"), ("postgres://h/d".to_owned(), None, None));
    assert_eq!(taken("postgres://h/d?sslmode=disable"), ("postgres://h/d".to_owned(), text("disable"), None));
    assert_eq!(
        taken("postgres://h/d?a=b&sslrootcert=%2Fca%20.pem&sslmode=verify-full&c=d"),
        ("postgres://h/d?a=b&c=d".to_owned(), text("verify-full"), text("/ca .pem"))
    );
    // Not in a password.
    let url = "postgres://u:p?sslmode=disable@h/d";
    assert_eq!(taken(url), (url.to_owned(), None, None));
}

#[test]
fn percents_are_decoded_once() {
    assert_eq!(percent_decoded("a%2Fb%252F%zz%"), "a/b%2F%zz%");
    assert_eq!(percent_decoded("%ff"), "\u{fffd}");
}

#[test]
fn what_leaves_the_machine_is_encrypted_or_said_not_to_be() {
    for (url, good) in [
        ("postgres://u@localhost/d", true),
        ("postgres://u@127.0.0.1/d", true),
        ("postgres://u@[::1]/d", true),
        ("postgres://u@%2Frun/d", true),
        ("postgres://u@db.example/d", false),
        ("postgres://u@localhost,db.example/d", false),
        // The name is only for the certificate; this goes to another machine.
        ("postgres://u@localhost/d?hostaddr=192.0.2.1", false),
        ("postgres://u@db.example/d?sslmode=disable", true),
        // Encrypted to whoever answers.
        ("postgres://u@db.example/d?sslmode=require", false),
        ("postgres://u@localhost/d?sslmode=prefer", false),
        ("postgres://u@db.example/d?sslmode=verify-full", false),
        ("postgres://u@localhost/d?sslrootcert=/ca.pem", false),
    ] {
        match PostgresSettings::from_url(url) {
            Ok(settings) => assert!(good && matches!(settings.tls, Tls::Plain), "{url}"),
            Err(IndexError::Settings { reason }) => assert!(!good, "{url}: {reason}"),
            Err(error) => panic!("{url}: {error}"),
        }
    }
}

#[test]
fn authorities_are_read_from_a_file_of_certificates() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("authority.pem");
    let url = format!("postgres://u@h/d?sslmode=verify-full&sslrootcert={}", path.display());
    assert!(matches!(PostgresSettings::from_url(&url), Err(IndexError::File { .. })));
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for text in ["", "no certificate", damaged] {
        std::fs::write(&path, text).expect("writes");
        let outcome = PostgresSettings::from_url(&url);
        assert!(
            matches!(&outcome, Err(IndexError::Settings { reason }) if reason.contains("authority.pem")),
            "{outcome:?}"
        );
    }
    let authority = rcgen::generate_simple_self_signed(["h".to_owned()]).expect("a certificate");
    std::fs::write(&path, authority.cert.pem()).expect("writes");
    let settings = PostgresSettings::from_url(&url).expect("settings");
    assert!(matches!(settings.tls, Tls::Verified(_)));
}
