//! Where Bittensor's wallets keep their keys, and how keys come from there and go there.
//!
//! ```text
//! ~/.bittensor/wallets/NAME/coldkey            the coldkey, usually sealed
//! ~/.bittensor/wallets/NAME/coldkeypub.txt     its public key
//! ~/.bittensor/wallets/NAME/hotkeys/HOTKEY     a hotkey, usually not sealed
//! ~/.bittensor/wallets/NAME/hotkeys/HOTKEYpub.txt
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use holdfast_engine::account::Account;

use super::IdentityError;
use super::files;
use super::key::Key;
use super::key_file::{self, KeyFile, KeyFileError, OpenKey};
use super::password::PasswordSource;
use super::sealed::SealKey;

/// What a key file's name ends with when it holds the public key alone.
const PUBLIC_SUFFIX: &str = "pub.txt";
/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Which key of a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyName {
    /// The one that owns the stake. Miners and validators do without it.
    Coldkey,
    /// One that works on the network.
    Hotkey(String),
}

/// Where wallets are unless said otherwise: `~/.bittensor/wallets`.
///
/// # Errors
/// [`IdentityError::NoHome`].
pub fn default_wallets() -> Result<PathBuf, IdentityError> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    Ok(home.ok_or(IdentityError::NoHome)?.join(".bittensor").join("wallets"))
}

/// A key's two files: the secret one, and the public one beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFiles {
    secret: PathBuf,
}

/// A key read from its file.
#[derive(Debug)]
pub struct LoadedKey {
    /// The key.
    pub key: Key,
    /// Set when others than the owner can get at the file; to be warned of.
    pub exposed: Option<ExposedFile>,
}

/// A secret file that others than its owner may read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposedFile {
    /// The file.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
}

impl fmt::Display for ExposedFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, mode) = (self.path.display(), self.mode);
        write!(out, "others can get at the secret key in {path} (mode {mode:03o}); run: chmod 600 {path}")
    }
}

/// How a secret is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// There is no secret, only the public key.
    Absent,
    /// Whoever reads the file has the key.
    Open,
    /// A password is needed.
    Sealed,
}

/// What can be said of a key without telling its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDescription {
    /// Whose key it is.
    pub account: Account,
    /// How the secret is kept.
    pub secrecy: Secrecy,
    /// As for [`LoadedKey`].
    pub exposed: Option<ExposedFile>,
}

impl KeyFiles {
    /// The files of a key of a wallet.
    ///
    /// # Errors
    /// [`IdentityError::Name`].
    pub fn in_wallet(wallets: &Path, wallet: &str, name: &KeyName) -> Result<KeyFiles, IdentityError> {
        check_name("wallet", wallet)?;
        let wallet = wallets.join(wallet);
        let secret = match name {
            KeyName::Coldkey => wallet.join("coldkey"),
            KeyName::Hotkey(hotkey) => {
                check_name("hotkey", hotkey)?;
                wallet.join("hotkeys").join(hotkey)
            }
        };
        Ok(KeyFiles { secret })
    }

    /// The key in this file, wherever it is.
    pub fn at(secret: PathBuf) -> KeyFiles {
        KeyFiles { secret }
    }

    /// The file with the secret.
    pub fn secret(&self) -> &Path {
        &self.secret
    }

    /// The file with the public key alone.
    pub fn public(&self) -> PathBuf {
        let mut name = self.secret.file_name().unwrap_or_default().to_owned();
        name.push(PUBLIC_SUFFIX);
        self.secret.with_file_name(name)
    }

    /// Reads the secret; asks for the password if there is one.
    ///
    /// # Errors
    /// [`IdentityError`]; a public file beside it must be of the same key.
    pub fn load(&self, passwords: &PasswordSource) -> Result<LoadedKey, IdentityError> {
        let (file, exposed) = self.read_secret()?.ok_or_else(|| self.missing())?;
        let OpenKey { account, key } = self.open(file, passwords)?;
        let key = key.ok_or_else(|| IdentityError::PublicOnly { path: self.secret.clone(), account })?;
        self.check_public(account)?;
        Ok(LoadedKey { key, exposed })
    }

    /// Says whose key it is. Of a sealed one, the public file tells; only without one, a password is asked for.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn describe(&self, passwords: &PasswordSource) -> Result<KeyDescription, IdentityError> {
        let public = self.read_public()?;
        let Some((file, exposed)) = self.read_secret()? else {
            let account = public.ok_or_else(|| self.missing())?;
            return Ok(KeyDescription { account, secrecy: Secrecy::Absent, exposed: None });
        };
        if let (KeyFile::Sealed(_), Some(account)) = (&file, public) {
            return Ok(KeyDescription { account, secrecy: Secrecy::Sealed, exposed });
        }
        let sealed = matches!(file, KeyFile::Sealed(_));
        let OpenKey { account, key } = self.open(file, passwords)?;
        self.check_public(account)?;
        let secrecy = match (sealed, key) {
            (true, _) => Secrecy::Sealed,
            (false, Some(_)) => Secrecy::Open,
            (false, None) => Secrecy::Absent,
        };
        Ok(KeyDescription { account, secrecy, exposed: exposed.filter(|_| secrecy != Secrecy::Absent) })
    }

    /// Writes a key that is not there yet: the secret, sealed if there is a password, then the public file. Both are durable when
    /// this returns.
    ///
    /// # Errors
    /// [`IdentityError::Exists`] before anything is written; [`IdentityError::PublicFileDiffers`] too.
    pub fn create(&self, key: &Key, password: Option<&SecretString>) -> Result<(), IdentityError> {
        self.check_vacant()?;
        self.check_public(key.account())?;
        let open = key_file::encode(key);
        match password {
            None => files::create(&self.secret, &open)?,
            Some(password) => {
                let sealed = SealKey::derive(password).and_then(|seal| seal.seal(&open));
                files::create(&self.secret, &sealed.map_err(|error| self.refuse(error.into()))?)?;
            }
        }
        match files::create(&self.public(), &key_file::encode_public(key.account())) {
            // It was checked above.
            Err(IdentityError::Exists { .. }) => Ok(()),
            written => written,
        }
    }

    /// Refuses when there is a key already, before anybody is asked for a password.
    ///
    /// # Errors
    /// [`IdentityError::Exists`].
    pub fn check_vacant(&self) -> Result<(), IdentityError> {
        // A link that leads nowhere is something too.
        match self.secret.symlink_metadata() {
            Ok(_) => Err(IdentityError::Exists { path: self.secret.clone() }),
            Err(_) => Ok(()),
        }
    }

    fn read_secret(&self) -> Result<Option<(KeyFile, Option<ExposedFile>)>, IdentityError> {
        let Some(contents) = files::read(&self.secret)? else { return Ok(None) };
        let mode = contents.mode & 0o777;
        let exposed = (mode & OTHERS != 0).then(|| ExposedFile { path: self.secret.clone(), mode });
        let file = KeyFile::parse(&contents.bytes).map_err(|error| self.refuse(error))?;
        Ok(Some((file, exposed)))
    }

    fn open(&self, file: KeyFile, passwords: &PasswordSource) -> Result<OpenKey, IdentityError> {
        match file {
            KeyFile::Open(open) => Ok(open),
            KeyFile::Sealed(sealed) => {
                let password = passwords.existing(&self.secret)?;
                let seal = SealKey::derive(&password).map_err(|error| self.refuse(error.into()))?;
                OpenKey::unseal(&sealed, &seal).map_err(|error| self.refuse(error))
            }
        }
    }

    fn read_public(&self) -> Result<Option<Account>, IdentityError> {
        let path = self.public();
        let Some(contents) = files::read(&path)? else { return Ok(None) };
        match KeyFile::parse(&contents.bytes) {
            Ok(KeyFile::Open(open)) => Ok(Some(open.account)),
            Ok(KeyFile::Sealed(_)) => Err(IdentityError::KeyFile { path, source: KeyFileError::NoKey }),
            Err(source) => Err(IdentityError::KeyFile { path, source }),
        }
    }

    fn check_public(&self, secret: Account) -> Result<(), IdentityError> {
        match self.read_public()? {
            Some(public) if public != secret => {
                Err(IdentityError::PublicFileDiffers { path: self.public(), public, secret })
            }
            _ => Ok(()),
        }
    }

    fn missing(&self) -> IdentityError {
        IdentityError::Missing { path: self.secret.clone() }
    }

    fn refuse(&self, source: KeyFileError) -> IdentityError {
        IdentityError::KeyFile { path: self.secret.clone(), source }
    }
}

fn check_name(what: &'static str, name: &str) -> Result<(), IdentityError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.contains(['/', '\0']) || matches!(name, "." | "..") {
        "it is not one step of a path"
    } else if what == "hotkey" && name.ends_with(PUBLIC_SUFFIX) {
        "names that end in `pub.txt` are those of public files"
    } else {
        return Ok(());
    };
    Err(IdentityError::Name { what, name: name.to_owned(), reason })
}

#[cfg(test)]
mod tests;
