//! Errors of a data source, with stable codes, HTTP statuses and remedies.

use std::borrow::Cow;
use std::path::PathBuf;

use super::key::DataSourceKey;
use super::vault::VaultError;
use crate::os::RAISE_FILE_LIMIT;
use crate::oura::oauth::OAuthError;
use crate::oura::{GrantStoreError, NetworkError, RedirectUri, TokenError};
use crate::store::{NEEDS_LOCKS, REPAIR, StoreError};

/// A failure of a data source.
///
/// `Display` names the failure and its cause, [`DataSourceError::hint`] the remedy.
#[derive(Debug, thiserror::Error)]
pub enum DataSourceError {
    /// The settings lack a client ID or a client secret.
    #[error("Missing client ID or client secret")]
    NotConfigured,
    /// The operation needs a login, and the data source has none.
    #[error("Not connected to Oura")]
    NotConnected,
    /// The settings contain an unknown time zone.
    #[error("Unknown time zone {name:?}")]
    UnknownTimezone {
        /// The time zone.
        name: String,
    },
    /// A request names a collection that the API specification lacks.
    #[error("Unknown collection {name:?}")]
    UnknownCollection {
        /// The collection.
        name: String,
    },
    /// A backfill of zero days.
    #[error("Invalid number of days: a backfill needs at least 1")]
    NoDays,
    /// Oura did not return the person's id, so the login cannot be compared with the stored data.
    #[error(
        "Oura did not identify the person who logged in. The login was rejected, because it could \
         belong to another person than the stored data"
    )]
    PersonUnknown,
    /// A backfill of days before the first Oura ring was sold.
    #[error("All requested days are before the first ring")]
    BeforeAnyRing,
    /// Oura rejected the redirect address, because the application is registered without it.
    #[error("The redirect address of this login is not registered with the application at Oura")]
    RedirectNotRegistered {
        /// The address, if the pending login is known.
        redirect: Option<RedirectUri>,
    },
    /// A state that this user has used before.
    #[error("This login is already complete")]
    UsedState,
    /// A state that this user received from another data source.
    #[error("This login was started in another data source")]
    OtherDatasource,
    /// A state that is forged, deleted or another user's. The error does not reveal which.
    #[error("Unknown login: it was started too long ago, or not in this data source")]
    UnknownState,
    /// A state that is older than its lifetime.
    #[error("This login was started more than ten minutes ago")]
    ExpiredState,
    /// A state that another user received.
    #[error("This login was started by another user")]
    OtherUser,
    /// The person who logged in differs from the person of the stored data.
    #[error("The stored data belongs to another Oura account than the one that logged in")]
    OtherPerson,
    /// Another process holds the lock of the data folder.
    #[error("Another process uses the data folder {folder}")]
    Locked {
        /// The data folder.
        folder: PathBuf,
    },
    /// The file system of the data folder has no file locks.
    #[error(
        "The file system of the data folder {folder} has no file locks ({detail}), so two \
         processes could damage the data"
    )]
    NoLocks {
        /// The data folder.
        folder: PathBuf,
        /// The system's error.
        detail: String,
    },
    /// The data folder cannot be created or locked.
    #[error("The data folder {folder} cannot be used: {detail}")]
    Folder {
        /// The data folder.
        folder: PathBuf,
        /// The system's error.
        detail: String,
    },
    /// No data source of this name is stored.
    #[error("No data source {key} is stored in the data folder")]
    UnknownDataSource {
        /// The organisation and uid.
        key: DataSourceKey,
    },
    /// A repair of an intact database.
    #[error("The stored data is intact")]
    NotDamaged,
    /// A repair while queries or downloads still read the database.
    #[error("The stored data is still in use")]
    StillInUse,
    /// The data folder is read-only, and the operation would change it.
    #[error("{reason}")]
    ReadOnly {
        /// The complete message, with the folder.
        reason: String,
    },
    /// The simulator could not start, or its login failed.
    #[error("The demo could not start: {detail}")]
    Demo {
        /// The cause.
        detail: String,
    },
    /// A failed login at Oura.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// No valid access token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A failure of the vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A failure of the database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DataSourceError {
    /// Returns the stable code, for programs.
    pub fn code(&self) -> &'static str {
        let (code, _, _) = self.details();
        code
    }

    /// Returns the matching HTTP status.
    pub fn status(&self) -> u16 {
        let (_, status, _) = self.details();
        status
    }

    /// Returns the remedy; empty if the message contains it.
    pub fn hint(&self) -> Cow<'static, str> {
        if let DataSourceError::RedirectNotRegistered { redirect: Some(redirect) } = self {
            return format!(
                "Register exactly {} on the application's page at Oura, then press Connect again.",
                redirect.as_str()
            )
            .into();
        }
        let (_, _, hint) = self.details();
        hint.into()
    }

    /// Returns code, HTTP status and hint.
    fn details(&self) -> (&'static str, u16, &'static str) {
        use DataSourceError::*;
        match self {
            NotConfigured => (
                "not_configured",
                409,
                "Copy both from the application's page at Oura, and save the settings.",
            ),
            NotConnected => (
                "not_connected",
                409,
                "Press Connect in the data source's settings to log in to Oura.",
            ),
            UnknownTimezone { .. } => {
                ("unknown_timezone", 400, "Use an IANA name, for example Europe/Vienna.")
            }
            UnknownCollection { .. } => {
                ("unknown_collection", 400, "Use a name from the list of GET status.")
            }
            NoDays => ("no_days", 400, "Set days, for example days=30."),
            PersonUnknown => (
                "person_unknown",
                503,
                "Press Connect again in a minute. If the error persists, add a second data source, \
                 or delete the data of this one first.",
            ),
            BeforeAnyRing => (
                "before_any_ring",
                400,
                "Choose a smaller offset_days. The first data is from 2015.",
            ),
            RedirectNotRegistered { .. } => (
                "redirect_not_registered",
                400,
                "Register the address that the settings page shows on the application's page at \
                 Oura, then press Connect again.",
            ),
            UsedState => {
                ("used_state", 400, "If the data source is not connected, press Connect again.")
            }
            OtherDatasource => (
                "other_datasource",
                400,
                "Return to that data source, or press Connect again in this one.",
            ),
            UnknownState => ("unknown_state", 400, "Press Connect again."),
            ExpiredState => {
                ("expired_state", 400, "Press Connect again, and finish within ten minutes.")
            }
            OtherUser => ("other_user", 403, "Press Connect yourself."),
            OtherPerson => (
                "other_person",
                409,
                "Add a second data source for the second person, or delete the data of this one \
                 first.",
            ),
            Locked { .. } => (
                "data_folder_locked",
                503,
                "End the other process, or give this one a data folder of its own.",
            ),
            Folder { .. } => {
                ("data_folder", 503, "Set data_dir to a folder that this process may write.")
            }
            UnknownDataSource { .. } => (
                "unknown_data_source",
                404,
                "`gpx_oura doctor` lists all data sources of the folder.",
            ),
            NotDamaged => ("not_damaged", 409, "A repair is not necessary."),
            StillInUse => ("still_in_use", 503, "Try again in a minute."),
            ReadOnly { .. } => (
                "data_folder_read_only",
                503,
                "Make the user that runs this process own the folder and its files.",
            ),
            Demo { .. } => ("demo", 500, ""),
            OAuth(error) => oauth_details(error),
            Token(error) => token_details(error),
            Vault(VaultError::TooManyFiles { .. }) => ("too_many_files", 503, ""),
            Vault(_) => ("vault", 503, ""),
            NoLocks { .. } | Store(StoreError::NoLocks { .. }) => ("no_locks", 503, NEEDS_LOCKS),
            Store(StoreError::TooManyFiles) => ("too_many_files", 503, RAISE_FILE_LIMIT),
            Store(error) if error.is_damage() => ("damaged", 503, REPAIR),
            Store(_) => ("store", 503, ""),
        }
    }
}

/// The remedy for a response of Oura's login without tokens.
const UNREADABLE_LOGIN: &str = "Try again. If the error persists, check that no proxy changes \
                                Oura's responses, and update the plugin.";

fn oauth_details(error: &OAuthError) -> (&'static str, u16, &'static str) {
    match error {
        OAuthError::InvalidClient => ("wrong_client", 400, ""),
        OAuthError::InvalidGrant { .. } => ("invalid_grant", 400, ""),
        OAuthError::Rejected { .. } => {
            ("login_refused", 400, "Check that the redirect address is registered with Oura.")
        }
        OAuthError::RedirectNotRegistered => ("redirect_not_registered", 400, ""),
        OAuthError::ClockSkew { .. } => ("clock_off", 400, ""),
        OAuthError::Network(error) => ("login_unreachable", 502, network_hint(error)),
        OAuthError::Malformed { .. } => ("login_unreadable", 502, UNREADABLE_LOGIN),
    }
}

fn token_details(error: &TokenError) -> (&'static str, u16, &'static str) {
    match error {
        TokenError::NotConnected => ("not_connected", 409, ""),
        TokenError::ReconnectNeeded { .. } => ("reconnect_needed", 409, ""),
        TokenError::Refused { .. } => {
            ("login_not_renewed", 502, "Check the client ID and secret, and save the settings.")
        }
        TokenError::Network(error) => ("login_unreachable", 502, network_hint(error)),
        TokenError::Malformed { .. } => ("login_unreadable", 502, UNREADABLE_LOGIN),
        TokenError::Store(error) => ("vault", 503, storage_hint(error)),
    }
}

/// The remedy for a fault of the network. Other messages contain theirs.
fn network_hint(error: &NetworkError) -> &'static str {
    match error.remedy() {
        Some(_) => "",
        None => "Check the network of this machine, and try again.",
    }
}

fn storage_hint(error: &GrantStoreError) -> &'static str {
    match error {
        GrantStoreError::NotAccessible { .. } => "Check the permissions of the data folder.",
        // The message contains the remedy.
        GrantStoreError::TooManyFiles { .. } => "",
        GrantStoreError::DiskFull { .. } => "Free disk space. The stored data is intact.",
        GrantStoreError::Failed { .. } => {
            "Check the disk space and the permissions of the data folder."
        }
    }
}
