//! Key files of Bittensor's wallets. What is accepted is of one key.

use holdfast_service::identity::KeyFile;

const ALICE: &str = concat!(
    r#"{"accountId":"0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d","#,
    r#""privateKey":"0x33a6f3093f158a7109f679410bef1a0c54168145e0cecb4df006c1c2fffb1f09"#,
    r#"925a225d97aa00682d6a59b95b18780c10d7032336e88f3442b42361f4a66011","cryptoType":1,"#,
    r#""ss58Address":"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"}"#,
);
const WORDS: &str = r#"{"secretPhrase":"legal winner thank year wave sausage worth useful legal winner thank yellow","secretSeed":null}"#;

pub(crate) fn run(bytes: &[u8]) -> bool {
    match KeyFile::parse(bytes) {
        Ok(KeyFile::Open(open)) => {
            assert!(open.key.is_none_or(|key| key.account() == open.account));
            true
        }
        Ok(KeyFile::Sealed(_)) => true,
        Err(_) => false,
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    vec![ALICE.into(), WORDS.into(), [b"$NACL".as_slice(), &[7; 60]].concat()]
}
