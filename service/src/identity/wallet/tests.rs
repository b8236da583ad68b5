use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::mnemonic::WordCount;
use super::super::password::PasswordError;
use super::super::{DevelopmentNames, Identity, IdentitySource};
use super::*;

fn key() -> Key {
    Key::generate(WordCount::Twelve).unwrap()
}

fn hotkey(wallets: &Path, name: &str) -> KeyFiles {
    KeyFiles::in_wallet(wallets, "miner", &KeyName::Hotkey(name.to_owned())).unwrap()
}

/// Asks nobody: a test that needs a password by mistake fails at once.
fn nobody() -> PasswordSource {
    PasswordSource::new(Some("/nowhere/password".into()))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The layout is Bittensor's, and nobody else can read it.
#[test]
fn new_keys_are_where_bittensor_looks_for_them_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let wallets = folder.path().join("not/yet/there");
    let (hot, cold) = (key(), key());
    hotkey(&wallets, "disk1").create(&hot, None).unwrap();
    KeyFiles::in_wallet(&wallets, "miner", &KeyName::Coldkey).unwrap().create(&cold, None).unwrap();
    for name in ["hotkeys/disk1", "hotkeys/disk1pub.txt", "coldkey", "coldkeypub.txt"] {
        assert_eq!(mode(&wallets.join("miner").join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&wallets.join("miner/hotkeys")), 0o700);
    // btcli takes every file of this folder for a hotkey: nothing may be left over.
    assert_eq!(fs::read_dir(wallets.join("miner/hotkeys")).unwrap().count(), 2);

    let source = IdentitySource::Wallet {
        wallets: Some(wallets.clone()),
        wallet: "miner".to_owned(),
        hotkey: "disk1".to_owned(),
    };
    let identity = Identity::load(&source, DevelopmentNames::Refused, &nobody()).unwrap();
    assert_eq!((identity.account(), identity.exposed()), (hot.account(), None));
    let source = IdentitySource::KeyFile(wallets.join("miner/coldkey"));
    let identity = Identity::load(&source, DevelopmentNames::Refused, &nobody()).unwrap();
    assert_eq!(identity.into_signer().account(), cold.account());
}

#[test]
fn existing_keys_are_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let files = hotkey(folder.path(), "disk1");
    files.create(&key(), None).unwrap();
    let before = fs::read(files.secret()).unwrap();
    assert!(matches!(files.create(&key(), None), Err(IdentityError::Exists { .. })));
    assert_eq!(fs::read(files.secret()).unwrap(), before);
    // Also where the name is taken by a link that leads nowhere: writing would go there.
    let linked = hotkey(folder.path(), "linked");
    symlink(folder.path().join("elsewhere"), linked.secret()).unwrap();
    assert!(matches!(linked.create(&key(), None), Err(IdentityError::Exists { .. })));
    assert!(!folder.path().join("elsewhere").exists());
}

/// A public file alone says which key is to come: another one beside it would be paid for and not held.
#[test]
fn a_key_goes_beside_its_own_public_file_only() {
    let folder = tempfile::tempdir().unwrap();
    let (files, own, other) = (hotkey(folder.path(), "disk1"), key(), key());
    files.create(&own, None).unwrap();
    fs::remove_file(files.secret()).unwrap();
    let description = files.describe(&nobody()).unwrap();
    assert_eq!((description.account, description.secrecy), (own.account(), Secrecy::Absent));
    assert!(matches!(files.load(&nobody()), Err(IdentityError::Missing { .. })));
    assert!(matches!(files.create(&other, None), Err(IdentityError::PublicFileDiffers { .. })));
    assert!(!files.secret().exists());
    files.create(&own, None).unwrap();
    assert_eq!(files.load(&nobody()).unwrap().key.account(), own.account());
    let public = hotkey(folder.path(), "other");
    public.create(&other, None).unwrap();
    fs::copy(public.public(), files.public()).unwrap();
    assert!(matches!(files.load(&nobody()), Err(IdentityError::PublicFileDiffers { .. })));
    assert!(matches!(files.describe(&nobody()), Err(IdentityError::PublicFileDiffers { .. })));
}

#[test]
fn files_that_others_can_read_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let files = hotkey(folder.path(), "disk1");
    files.create(&key(), None).unwrap();
    assert_eq!(files.load(&nobody()).unwrap().exposed, None);
    fs::set_permissions(files.secret(), fs::Permissions::from_mode(0o640)).unwrap();
    let exposed = files.load(&nobody()).unwrap().exposed.unwrap();
    assert_eq!((exposed.path.as_path(), exposed.mode), (files.secret(), 0o640));
    assert!(exposed.to_string().contains("640"));
    assert_eq!(files.describe(&nobody()).unwrap().exposed, Some(exposed));
}

#[test]
fn public_files_in_place_of_secret_ones_cannot_sign() {
    let folder = tempfile::tempdir().unwrap();
    let files = hotkey(folder.path(), "disk1");
    let own = key();
    files.create(&own, None).unwrap();
    let public = KeyFiles::at(files.public());
    match public.load(&nobody()).unwrap_err() {
        IdentityError::PublicOnly { account, .. } => assert_eq!(account, own.account()),
        other => panic!("{other}"),
    }
    let description = public.describe(&nobody()).unwrap();
    assert_eq!((description.secrecy, description.exposed), (Secrecy::Absent, None));
}

/// Of a sealed key the public file is enough; only without it somebody is asked.
#[test]
fn sealed_keys_are_described_without_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let (files, own) = (hotkey(folder.path(), "disk1"), key());
    files.create(&own, None).unwrap();
    fs::write(files.secret(), [b"$NACL".as_slice(), &[0; 60]].concat()).unwrap();
    let description = files.describe(&nobody()).unwrap();
    assert_eq!((description.account, description.secrecy), (own.account(), Secrecy::Sealed));
    fs::remove_file(files.public()).unwrap();
    let error = files.describe(&nobody()).unwrap_err();
    assert!(matches!(error, IdentityError::Password(PasswordError::Read { .. })), "{error}");
}

#[test]
fn what_is_no_key_file_is_told_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let files = hotkey(folder.path(), "disk1");
    assert!(matches!(files.load(&nobody()), Err(IdentityError::Missing { .. })));
    assert!(matches!(files.describe(&nobody()), Err(IdentityError::Missing { .. })));
    fs::create_dir_all(files.secret()).unwrap();
    assert!(matches!(files.load(&nobody()), Err(IdentityError::File { .. })), "a directory");
    fs::remove_dir(files.secret()).unwrap();
    fs::write(files.secret(), vec![b' '; 10 << 20]).unwrap();
    match files.load(&nobody()).unwrap_err() {
        IdentityError::KeyFile { path, source: KeyFileError::TooLarge } => assert_eq!(path, files.secret()),
        other => panic!("{other}"),
    }
}

/// Names come from configurations; none leads out of the wallets' directory, or onto a public file.
#[test]
fn names_are_single_steps() {
    let make = |wallet: &str, name: KeyName| KeyFiles::in_wallet(Path::new("/w"), wallet, &name);
    for bad in ["", ".", "..", "a/b", "/etc", "a\0"] {
        assert!(
            matches!(make(bad, KeyName::Coldkey), Err(IdentityError::Name { what: "wallet", .. })),
            "{bad:?}"
        );
        let hotkey = make("miner", KeyName::Hotkey(bad.to_owned()));
        assert!(matches!(hotkey, Err(IdentityError::Name { what: "hotkey", .. })), "{bad:?}");
    }
    assert!(make("miner", KeyName::Hotkey("disk1pub.txt".to_owned())).is_err());
    let cold = make("miner", KeyName::Coldkey).unwrap();
    assert_eq!(
        (cold.secret(), cold.public()),
        (Path::new("/w/miner/coldkey"), "/w/miner/coldkeypub.txt".into())
    );
}

/// Everybody can sign with a development key: a validator must not take one by a slip in its configuration.
#[test]
fn development_names_are_used_only_where_allowed() {
    let source = IdentitySource::Development("alice".to_owned());
    let refused = Identity::load(&source, DevelopmentNames::Refused, &nobody()).unwrap_err();
    assert!(matches!(refused, IdentityError::Development { name } if name == "alice"));
    let identity = Identity::load(&source, DevelopmentNames::Allowed, &nobody()).unwrap();
    assert_eq!(identity.account(), Account::parse("alice").unwrap().0);
}
