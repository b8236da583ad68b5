//! Where the password of a key file comes from: a file, the environment, or somebody at the terminal.

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use zeroize::Zeroizing;

/// The environment variable that holds a password where no password file is named.
pub const PASSWORD_VARIABLE: &str = "HOLDFAST_WALLET_PASSWORD";
const PASSWORD_FILE_BYTES_MAXIMUM: u64 = 64 << 10;

/// Why there is no password.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// Nobody can be asked.
    #[error(
        "{place} needs a password, and there is no terminal to ask at; name a file with --password-file, or set \
         {PASSWORD_VARIABLE}"
    )]
    Nobody {
        /// The key file.
        place: String,
    },
    /// A password that protects nothing.
    #[error("the password in {place} is empty")]
    Empty {
        /// The file, the variable or the terminal.
        place: String,
    },
    /// The variable is not text.
    #[error("{PASSWORD_VARIABLE} is not UTF-8")]
    NotText,
    /// The two passwords typed differ.
    #[error("the two passwords differ; nothing was written")]
    Differ,
    /// The password file or the terminal failed.
    #[error("cannot read the password from {place}: {source}")]
    Read {
        /// The file or the terminal.
        place: String,
        /// The system's answer.
        source: io::Error,
    },
}

/// Where passwords come from: the file if one is named, else [`PASSWORD_VARIABLE`] if it is set, else the terminal.
#[derive(Clone, Debug, Default)]
pub struct PasswordSource {
    file: Option<PathBuf>,
}

impl PasswordSource {
    /// Looks into this file first. The password is its first line.
    pub fn new(file: Option<PathBuf>) -> PasswordSource {
        PasswordSource { file }
    }

    /// The password that opens a key file. Read each time: it is not kept.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn existing(&self, key_file: &Path) -> Result<SecretString, PasswordError> {
        match self.given()? {
            Some(password) => Ok(password),
            None => ask(key_file, &format!("Password of {}: ", key_file.display())),
        }
    }

    /// The password that is to protect a new key file; whoever types it types it twice.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn fresh(&self, key_file: &Path) -> Result<SecretString, PasswordError> {
        if let Some(password) = self.given()? {
            return Ok(password);
        }
        let password = ask(key_file, &format!("New password of {}: ", key_file.display()))?;
        let again = ask(key_file, "The same again: ")?;
        if password.expose_secret() == again.expose_secret() {
            Ok(password)
        } else {
            Err(PasswordError::Differ)
        }
    }

    fn given(&self) -> Result<Option<SecretString>, PasswordError> {
        if let Some(file) = &self.file {
            return read_first_line(file).map(Some);
        }
        let Some(text) = std::env::var_os(PASSWORD_VARIABLE) else { return Ok(None) };
        let text = text.into_string().map_err(|_| PasswordError::NotText)?;
        not_empty(text.into(), || PASSWORD_VARIABLE.to_owned()).map(Some)
    }
}

fn read_first_line(path: &Path) -> Result<SecretString, PasswordError> {
    let place = || path.display().to_string();
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(path)
        .and_then(|file| file.take(PASSWORD_FILE_BYTES_MAXIMUM).read_to_string(&mut text))
        .map_err(|source| PasswordError::Read { place: place(), source })?;
    not_empty(SecretString::from(text.lines().next().unwrap_or_default()), place)
}

fn ask(key_file: &Path, prompt: &str) -> Result<SecretString, PasswordError> {
    let place = || "the terminal".to_owned();
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(PasswordError::Nobody { place: key_file.display().to_string() });
    }
    let typed = rpassword::prompt_password(prompt);
    not_empty(typed.map_err(|source| PasswordError::Read { place: place(), source })?.into(), place)
}

fn not_empty(password: SecretString, place: impl Fn() -> String) -> Result<SecretString, PasswordError> {
    if password.expose_secret().is_empty() {
        return Err(PasswordError::Empty { place: place() });
    }
    Ok(password)
}

#[cfg(test)]
mod tests;
