use std::io::{self, Cursor, Read, Write};

use age::secrecy::{ExposeSecret, SecretString};
use holdfast_engine::object::{Address, Objects, PutTerms};
use holdfast_partition::objects::ObjectStore;

use super::{DecryptionError, EncryptionError, Identities, OwnerKey, Recipients};

/// Lengths around age's chunk of 64 KiB, and one of several chunks.
const LENGTHS: [usize; 7] = [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000];

fn string(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251).to_le_bytes()[0]).collect()
}

fn identities(key: &OwnerKey) -> Identities {
    Identities::of_file(&key.identity_file()).unwrap()
}

fn recipients(key: &OwnerKey) -> Recipients {
    Recipients::of_keys([key.recipient().as_str()]).unwrap()
}

fn encrypted(recipients: &Recipients, plaintext: &[u8]) -> Vec<u8> {
    let mut ciphertext = Vec::new();
    recipients.encrypting(plaintext).unwrap().read_to_end(&mut ciphertext).unwrap();
    ciphertext
}

fn decrypted(identities: &Identities, ciphertext: &[u8]) -> Result<Vec<u8>, DecryptionError> {
    let mut plaintext = Vec::new();
    let bytes = identities.decrypt(ciphertext, &mut plaintext)?;
    assert_eq!(bytes, plaintext.len() as u64);
    Ok(plaintext)
}

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

#[test]
fn what_is_encrypted_is_decrypted_at_every_length() {
    let key = OwnerKey::generate();
    let other = OwnerKey::generate();
    let both = Recipients::of_keys([other.recipient().as_str(), key.recipient().as_str()]).unwrap();
    for length in LENGTHS {
        let plaintext = string(length);
        for recipients in [&recipients(&key), &both] {
            let ciphertext = encrypted(recipients, &plaintext);
            assert!(decrypted(&identities(&key), &ciphertext).unwrap() == plaintext, "{length}");
            // A plain caller of age, without our code.
            let plain: age::x25519::Identity = secret_of(&key).parse().unwrap();
            assert!(age::decrypt(&plain, &ciphertext).unwrap() == plaintext, "{length}");
        }
    }
}

/// The line of an identity file that is the key.
fn secret_of(key: &OwnerKey) -> String {
    let file = key.identity_file();
    file.expose_secret().lines().last().unwrap().to_owned()
}

/// Two replicas of one file: other bytes, other roots, one identity.
#[test]
fn replicas_differ_and_a_standard_identity_decrypts_each() {
    let key = OwnerKey::generate();
    let plaintext = string(200_000);
    let mut replicas = [Vec::new(), Vec::new(), Vec::new()];
    let read = recipients(&key).encrypt_replicas(plaintext.as_slice(), &mut replicas).unwrap();
    assert_eq!(read, 200_000);
    let mut roots: Vec<_> = replicas.iter().map(|replica| Address::both_of(replica)[0].to_string()).collect();
    roots.sort();
    roots.dedup();
    assert_eq!(roots.len(), 3);
    let standard: age::x25519::Identity = secret_of(&key).parse().unwrap();
    for replica in &replicas {
        assert!(age::decrypt(&standard, replica).unwrap() == plaintext);
    }
    // Not only the header: of the last 100,000 bytes about one in 256 agrees by chance.
    let ends = replicas[0].iter().rev().zip(replicas[1].iter().rev()).take(100_000);
    let same = ends.filter(|(a, b)| a == b).count();
    assert!(same < 1_000, "{same} of 100,000 bytes agree");
}

#[test]
fn files_of_another_program_are_decrypted() {
    let key = include_str!("../../../tests/fixtures/age/key.txt");
    let identities = Identities::of_file(&passphrase(key)).unwrap();
    let keys = include_bytes!("../../../tests/fixtures/age/keys.age");
    assert!(decrypted(&identities, keys).unwrap() == string(70_000));
    let file = include_bytes!("../../../tests/fixtures/age/passphrase.age");
    let right = Identities::Passphrase(passphrase("correct horse battery staple"));
    assert_eq!(decrypted(&right, file).unwrap(), b"encrypted by another program\n");
}

#[test]
fn a_passphrase_decrypts_and_another_does_not() {
    let ciphertext = encrypted(&Recipients::Passphrase(passphrase("open sesame")), b"plaintext");
    let right = Identities::Passphrase(passphrase("open sesame"));
    assert_eq!(decrypted(&right, &ciphertext).unwrap(), b"plaintext");
    let wrong = Identities::Passphrase(passphrase("open barley"));
    assert!(matches!(decrypted(&wrong, &ciphertext), Err(DecryptionError::WrongKey)));
    let key = identities(&OwnerKey::generate());
    assert!(matches!(decrypted(&key, &ciphertext), Err(DecryptionError::WrongKey)));
}

/// The end is where it goes wrong: the last chunk is marked, may be full or have one byte, and nothing may be taken for it.
#[test]
fn decryption_goes_on_behind_any_chunk() {
    const CHUNK: usize = 65_536;
    let key = OwnerKey::generate();
    for length in [1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 1, 4 * CHUNK - 1] {
        let plaintext = string(length);
        let ciphertext = encrypted(&recipients(&key), &plaintext);
        let (header, _) = identities(&key).decrypting(ciphertext.as_slice()).unwrap();
        for chunks in 0..length.div_ceil(CHUNK) {
            let behind = (chunks * CHUNK) as u64;
            let at = usize::try_from(header.resume_at(behind)).unwrap();
            assert_eq!(header.stored_bytes(behind), Some((header.0.len() + chunks * (CHUNK + 16)) as u64));
            let resumed = |identities: &Identities, stored: &[u8]| {
                let mut rest = Vec::new();
                let reader = identities.decrypting_behind(&header, behind, stored)?;
                reader.copy(&mut rest).map(|bytes| (bytes, rest))
            };
            let rest = plaintext[chunks * CHUNK..].to_vec();
            let got = resumed(&identities(&key), &ciphertext[at..]).unwrap();
            assert!(got == (rest.len() as u64, rest), "{length} bytes, behind {chunks} chunks");
            // From elsewhere, cut off, or for somebody else.
            let damaged =
                |stored| matches!(resumed(&identities(&key), stored), Err(DecryptionError::Damaged));
            assert!(damaged(&ciphertext[at + 1..]) && damaged(&ciphertext[at..ciphertext.len() - 1]));
            let other = resumed(&identities(&OwnerKey::generate()), &ciphertext[at..]);
            assert!(matches!(other, Err(DecryptionError::WrongKey)), "{other:?}");
        }
        assert_eq!(header.stored_bytes(1), None, "within a chunk");
    }
}

/// A file may ask for any amount of work and memory; 2^30 would be a terabyte.
#[test]
fn a_passphrase_that_needs_too_much_work_is_refused() {
    let ciphertext = encrypted(&Recipients::Passphrase(passphrase("x")), b"");
    let text = String::from_utf8_lossy(&ciphertext[..80]).into_owned();
    let at = text.find(" 18\n").unwrap();
    let greedy = [&ciphertext[..at], b" 30\n", &ciphertext[at + 4..]].concat();
    let refused = decrypted(&Identities::Passphrase(passphrase("x")), &greedy);
    assert!(matches!(refused, Err(DecryptionError::TooMuchWork { required: 30, .. })), "{refused:?}");
}

#[test]
fn others_cannot_decrypt() {
    let ciphertext = encrypted(&recipients(&OwnerKey::generate()), b"plaintext");
    let refused = decrypted(&identities(&OwnerKey::generate()), &ciphertext);
    assert!(matches!(refused, Err(DecryptionError::WrongKey)));
}

/// Every byte of the header and places all over the payload. A file that is only cut off must not pass either.
#[test]
fn no_changed_cut_or_continued_file_is_decrypted_without_an_error() {
    let key = OwnerKey::generate();
    let identities = identities(&key);
    let ciphertext = encrypted(&recipients(&key), &string(140_000));
    let places = (0..400).chain((400..ciphertext.len()).step_by(1_999)).chain([ciphertext.len() - 1]);
    for at in places {
        let mut changed = ciphertext.clone();
        changed[at] ^= 1;
        assert!(decrypted(&identities, &changed).is_err(), "byte {at} changed");
        assert!(decrypted(&identities, &ciphertext[..at]).is_err(), "cut off at {at}");
    }
    assert!(decrypted(&identities, &[ciphertext.as_slice(), &[0]].concat()).is_err(), "a byte more");
    // What age's stream ends with says that it is the end: a whole chunk less is noticed, and what came before it was written.
    let cut = ciphertext.len() - (140_000 - 2 * 65_536) - 16;
    let mut written = Vec::new();
    let refused = identities.decrypt(&ciphertext[..cut], &mut written).unwrap_err();
    assert!(matches!(refused, DecryptionError::Damaged), "{refused}");
    assert!(written.len() <= 2 * 65_536);
    for garbage in
        [b"".as_slice(), b"age-encryption.org/v2\n", &[0; 1000], b"-----BEGIN AGE ENCRYPTED FILE-----\n"]
    {
        assert!(decrypted(&identities, garbage).is_err());
    }
}

/// The whole way of a file: encrypted while it is stored, read with every block checked, decrypted.
#[test]
fn a_file_goes_to_a_store_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = ObjectStore::create(&directory.path().join("objects"), 1 << 24).unwrap();
    let objects = Objects::new(store);
    let key = OwnerKey::generate();
    let plaintext = string(2_000_000);
    let terms = PutTerms { now: 1, ..PutTerms::default() };
    let put =
        || objects.put(recipients(&key).encrypting(plaintext.as_slice()).unwrap(), &terms).unwrap().stat;
    let (first, second) = (put(), put());
    assert_ne!(first.root, second.root, "two replicas in one store are two objects");
    for stat in [first, second] {
        let mut ciphertext = Vec::new();
        objects.open(&stat.cid, 1).unwrap().copy(0..stat.bytes, &mut ciphertext).unwrap();
        assert!(decrypted(&identities(&key), &ciphertext).unwrap() == plaintext);
    }
}

/// Whoever reads a byte at a time gets the same as whoever reads at once, and a source that fails is not taken for one that
/// ends.
#[test]
fn the_stream_does_not_depend_on_how_it_is_read() {
    let key = OwnerKey::generate();
    let plaintext = string(70_000);
    let mut reader = recipients(&key).encrypting(OneByOne(Cursor::new(&plaintext))).unwrap();
    let mut ciphertext = Vec::new();
    for size in (1..).take(2_000) {
        let mut buffer = vec![0; size];
        let read = reader.read(&mut buffer).unwrap();
        ciphertext.extend_from_slice(&buffer[..read]);
    }
    assert!(decrypted(&identities(&key), &ciphertext).unwrap() == plaintext);
    let torn = plaintext.as_slice().chain(Torn);
    let failed = recipients(&key).encrypting(torn).unwrap().read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(failed.kind(), io::ErrorKind::ConnectionReset);
}

struct OneByOne<R>(R);

impl<R: Read> Read for OneByOne<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let one = buffer.len().min(1);
        self.0.read(&mut buffer[..one])
    }
}

struct Torn;

impl Read for Torn {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl Write for Torn {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn who_failed_is_told_apart() {
    let key = OwnerKey::generate();
    let (to, by) = (recipients(&key), identities(&key));
    let ciphertext = encrypted(&to, &string(100_000));
    assert!(matches!(by.decrypt(ciphertext.as_slice(), &mut Torn), Err(DecryptionError::Sink(_))));
    let torn = io::BufReader::new(ciphertext[..300].chain(Torn));
    assert!(matches!(by.decrypt(torn, &mut io::sink()), Err(DecryptionError::Source(_))));
    assert!(matches!(to.encrypt_replicas(Torn, &mut [io::sink()]), Err(EncryptionError::Source(_))));
    assert!(matches!(to.encrypt_replicas(b"x".as_slice(), &mut [Torn]), Err(EncryptionError::Sink(_))));
}

#[test]
fn recipients_and_identities_are_read_as_age_writes_them() {
    let (a, b) = (OwnerKey::generate(), OwnerKey::generate());
    let file = format!("# both of us\n\n{}\n  {}  \n", a.recipient(), b.recipient());
    let ciphertext = encrypted(&Recipients::of_file(&file).unwrap(), b"x");
    for key in [&a, &b] {
        assert_eq!(decrypted(&identities(key), &ciphertext).unwrap(), b"x");
    }
    assert!(matches!(Recipients::of_file("# nobody\n"), Err(EncryptionError::NoRecipients)));
    let secret = secret_of(&a);
    for wrong in ["age1", "ssh-ed25519 AAAA", "", &secret] {
        assert!(matches!(Recipients::of_keys([wrong]), Err(EncryptionError::NotARecipient { .. })));
    }
    for wrong in ["", "# public key\n", "AGE-SECRET-KEY-1", &a.recipient()] {
        let refused = Identities::of_file(&passphrase(wrong));
        assert!(matches!(refused, Err(DecryptionError::NotAnIdentityFile)), "{wrong}");
    }
}

/// A secret key that was given for a public one by mistake must not stand in the message, nor in any Debug.
#[test]
fn secrets_are_not_shown() {
    let key = OwnerKey::generate();
    let secret = secret_of(&key);
    let error = Recipients::of_keys([secret.as_str()]).unwrap_err();
    let shown = [
        format!("{key:?}"),
        format!("{:?}", identities(&key)),
        format!("{:?}", recipients(&key)),
        format!("{:?}", Recipients::Passphrase(passphrase("open sesame"))),
        format!("{:?}", Identities::Passphrase(passphrase("open sesame"))),
        format!("{error} {error:?}"),
    ];
    for text in shown {
        assert!(!text.contains(&secret[20..]) && !text.contains("open sesame"), "{text}");
    }
}
