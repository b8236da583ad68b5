use age::secrecy::ExposeSecret;

use super::*;

const TWELVE: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";

/// Vectors of the `substrate-bip39` crate, whose password is "Substrate". The seeds of BIP 39 itself are others.
#[test]
fn seeds_are_those_of_substrate() {
    let zeros = ["abandon"; 11].join(" ") + " about";
    for (words, password, expected) in [
        (zeros.as_str(), "Substrate", "44e9d125f037ac1d51f0a7d3649689d422c2af8b1ec8e00d71db4d7bf6d127e3"),
        (TWELVE, "Substrate", "4313249608fe8ac10fd5886c92c4579007272cb77c21551ee5b8d60b78041685"),
        // Without a password, by Python's hashlib over the entropy.
        (TWELVE, "", "6fa2796b0071cac425d8a7851038318c2c37dcebfe4bae73197ce93e75909bd2"),
    ] {
        assert_eq!(hex::encode(*seed(words, password).unwrap()), expected, "{words}");
    }
}

/// Words are copied from paper, with capitals and in columns; the key must not depend on that.
#[test]
fn case_and_spaces_do_not_count() {
    let typed = format!("  {}\n", TWELVE.to_uppercase().replace(' ', "\n\t "));
    assert_eq!(*seed(&typed, "").unwrap(), *seed(TWELVE, "").unwrap());
    assert_eq!(normalize(&typed).unwrap().expose_secret(), TWELVE);
}

#[test]
fn wrong_words_are_told_without_being_repeated() {
    let error = |words: &str| seed(words, "").unwrap_err();
    assert_eq!(error(""), MnemonicError::Words { words: 0 });
    assert_eq!(error(&format!("{TWELVE} zoo")), MnemonicError::Words { words: 13 });
    assert_eq!(error(&TWELVE.replace("sausage", "sausages")), MnemonicError::Unknown { number: 6 });
    assert_eq!(error(&TWELVE.replace("yellow", "zoo")), MnemonicError::Checksum);
    assert_eq!(error(&TWELVE.replace("winner", "wïnner")), MnemonicError::Unknown { number: 2 });
    assert!(!error(&TWELVE.replace("sausage", "sausages")).to_string().contains("sausages"));
}

#[test]
fn fresh_mnemonics_have_their_words_and_differ() {
    for (count, words) in [(WordCount::Twelve, 12), (WordCount::TwentyFour, 24)] {
        let fresh = [generate(count).unwrap(), generate(count).unwrap()];
        for phrase in &fresh {
            assert_eq!(phrase.expose_secret().split(' ').count(), words);
            seed(phrase.expose_secret(), "").unwrap();
        }
        assert_ne!(fresh[0].expose_secret(), fresh[1].expose_secret());
    }
}
