//! Sealing: encryption of an entry, bound to its address.

use argon2::Argon2;
use chacha20poly1305::aead::{Aead, AeadCore, KeyInit, OsRng, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::VaultError;
use crate::oura::Secret;

/// The length of a key in bytes.
pub(super) const KEY_LENGTH: usize = 32;
/// The length of the salt for the operator's text in bytes.
pub(super) const SALT_LENGTH: usize = 16;
const NONCE_LENGTH: usize = 24;

/// The address of an entry: the primary key of its row.
#[derive(Clone, Copy)]
pub(super) struct Address<'a> {
    /// `<org>/<uid>`.
    pub(super) datasource: &'a str,
    pub(super) purpose: &'a str,
    pub(super) name: &'a str,
}

impl Address<'_> {
    /// Returns the data to which the seal is bound. It is unambiguous, because only the last part
    /// may contain a bar.
    fn associated_data(&self) -> Vec<u8> {
        format!("1|{}|{}|{}", self.datasource, self.purpose, self.name).into_bytes()
    }
}

/// The columns `key_id` and `sealed` of an entry.
pub(super) struct Sealed {
    pub(super) key_id: Vec<u8>,
    /// The nonce, then the ciphertext with its tag.
    pub(super) bytes: Vec<u8>,
}

/// Seals and opens entries with one key.
pub(super) struct Sealer {
    cipher: XChaCha20Poly1305,
    /// Distinguishes entries of another key from modified entries. It does not reveal the key.
    key_id: [u8; 8],
}

impl Sealer {
    pub(super) fn new(key: [u8; KEY_LENGTH]) -> Sealer {
        let digest: [u8; 32] = Sha256::new()
            .chain_update("ringside vault: key id\n")
            .chain_update(key)
            .finalize()
            .into();
        let mut key_id = [0; 8];
        key_id.copy_from_slice(&digest[..8]);
        Sealer { cipher: XChaCha20Poly1305::new(Key::from_slice(&key)), key_id }
    }

    /// Derives a key from the operator's text with Argon2id, which slows down guessing. Takes some
    /// ten milliseconds.
    pub(super) fn from_operator_key(
        text: &Secret,
        salt: &[u8; SALT_LENGTH],
    ) -> Result<Sealer, VaultError> {
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        Argon2::default()
            .hash_password_into(text.reveal().as_bytes(), salt, &mut *key)
            .map_err(|error| VaultError::Storage { detail: error.to_string() })?;
        Ok(Sealer::new(*key))
    }

    /// Hashes the operator's text to a key, as version 0.1.0 did.
    pub(super) fn from_hashed_operator_key(text: &Secret) -> Sealer {
        Sealer::new(
            Sha256::new()
                .chain_update("ringside vault: operator's key\n")
                .chain_update(text.reveal())
                .finalize()
                .into(),
        )
    }

    pub(super) fn key_id(&self) -> &[u8] {
        &self.key_id
    }

    pub(super) fn seal(&self, address: &Address<'_>, value: &[u8]) -> Result<Sealed, VaultError> {
        let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
        let payload = Payload { msg: value, aad: &address.associated_data() };
        let ciphertext = self
            .cipher
            .encrypt(&nonce, payload)
            .map_err(|_| VaultError::Storage { detail: "an entry is too long".to_owned() })?;
        Ok(Sealed { key_id: self.key_id.to_vec(), bytes: [nonce.as_slice(), &ciphertext].concat() })
    }

    pub(super) fn open(
        &self,
        address: &Address<'_>,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, VaultError> {
        if sealed.key_id != self.key_id {
            return Err(VaultError::WrongKey);
        }
        let (nonce, ciphertext) =
            sealed.bytes.split_at_checked(NONCE_LENGTH).ok_or(VaultError::Tampered)?;
        let payload = Payload { msg: ciphertext, aad: &address.associated_data() };
        self.cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| VaultError::Tampered)
    }
}

pub(super) fn random_key() -> [u8; KEY_LENGTH] {
    XChaCha20Poly1305::generate_key(&mut OsRng).into()
}
