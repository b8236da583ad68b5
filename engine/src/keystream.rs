//! ChaCha20's keystream, of a key that serves once (RFC 8439 §2.4 with a nonce of zeros).

use std::fmt;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};

/// The keystream of one key. Erased from memory when it is dropped.
pub struct Keystream(ChaCha20);

/// Says nothing of the key.
impl fmt::Debug for Keystream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Keystream")
    }
}

impl Keystream {
    /// At its beginning. The key must be of this one stream, so that the nonce need not be.
    pub fn new(key: &[u8; 32]) -> Keystream {
        Keystream(ChaCha20::new(key.into(), &[0; 12].into()))
    }

    /// Goes to a byte of the stream, which is below 2^38.
    pub fn seek(&mut self, byte: u64) {
        self.0.seek(byte);
    }

    /// Adds the next bytes of the stream: encrypts plaintext, decrypts ciphertext.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first block of RFC 8439's test vectors (appendix A.1, number 1: key and nonce of zeros, counter 0), and the second (number 2, counter 1).
    #[test]
    fn it_is_the_rfcs_wherever_it_begins() {
        let blocks = "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586\
                      9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f";
        let expected = hex::decode(blocks.replace(char::is_whitespace, "")).unwrap();
        for start in [0, 1, 63, 64, 65, 127] {
            let mut stream = Keystream::new(&[0; 32]);
            stream.seek(start as u64);
            let mut bytes = vec![0; 128 - start];
            let (first, rest) = bytes.split_at_mut(1);
            stream.apply(first);
            stream.apply(rest);
            assert_eq!(bytes, expected[start..], "from {start}");
        }
    }
}
