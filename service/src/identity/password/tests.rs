use super::*;

fn password_in(bytes: &[u8]) -> Result<SecretString, PasswordError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, bytes).unwrap();
    PasswordSource::new(Some(path)).existing(Path::new("hotkey"))
}

/// Editors end lines, and Windows' with two characters; spaces belong to the password.
#[test]
fn a_password_file_has_the_password_in_its_first_line() {
    for bytes in [b" secret ".as_slice(), b" secret \n", b" secret \r\n", b" secret \nanother\n"] {
        assert_eq!(password_in(bytes).unwrap().expose_secret(), " secret ");
    }
}

/// An empty password would protect nothing, and look as if it did.
#[test]
fn files_without_a_password_are_refused() {
    assert!(matches!(password_in(b""), Err(PasswordError::Empty { .. })));
    assert!(matches!(password_in(b"\nsecret"), Err(PasswordError::Empty { .. })));
    assert!(matches!(password_in(b"\xff"), Err(PasswordError::Read { .. })), "not UTF-8");
    let missing = PasswordSource::new(Some("/nowhere/password".into()));
    assert!(matches!(missing.fresh(Path::new("hotkey")), Err(PasswordError::Read { .. })));
}
