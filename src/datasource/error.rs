//! What can go wrong with a data source, in words for a person, with the remedy.

use std::borrow::Cow;
use std::path::PathBuf;

use super::vault::VaultError;
use crate::oura::oauth::OAuthError;
use crate::oura::{GrantStoreError, RedirectUri, TokenError};
use crate::store::StoreError;

/// `Display` says what happened; [`DataSourceError::hint`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataSourceError {
    #[error("the client id or the client secret is missing")]
    NotConfigured,
    #[error("not connected to Oura")]
    NotConnected,
    #[error("{name:?} is not a time zone")]
    UnknownTimezone { name: String },
    #[error("{name:?} is not a collection of Oura's API")]
    UnknownCollection { name: String },
    #[error("a backfill needs a number of days, at least 1")]
    NoDays,
    #[error(
        "Oura does not say just now whose ring this is, and another person's data are not mixed with those that are kept"
    )]
    PersonUnknown,
    #[error("all of these days lie before the first ring")]
    BeforeAnyRing,
    /// Oura does not send anybody to an address that the application was not registered with.
    #[error("the redirect address of this login is not registered with the application at Oura")]
    RedirectNotRegistered {
        /// Known while the login is.
        redirect: Option<RedirectUri>,
    },
    /// Told only to the one who used it.
    #[error("this login was finished already")]
    UsedState,
    /// Told only to the one who began it there.
    #[error("this login was begun in another data source")]
    OtherDatasource,
    /// Forged, long forgotten, or somebody else's: which one is nobody's business.
    #[error("this login is not known here: it was begun long ago, or not here")]
    UnknownState,
    #[error("this login was started more than ten minutes ago")]
    ExpiredState,
    #[error("this login was started by another user")]
    OtherUser,
    #[error("the Oura account that logged in is not the one whose history is kept here")]
    OtherPerson,
    #[error("another process uses the data folder {folder}")]
    Locked { folder: PathBuf },
    #[error("the data folder {folder} cannot be used: {detail}")]
    Folder { folder: PathBuf, detail: String },
    /// Everything that changes something, where only stored data can be read.
    #[error("{why}")]
    ReadOnly { why: String },
    #[error("the demo could not start: {detail}")]
    Demo { detail: String },
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DataSourceError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        self.facts().0
    }

    /// The HTTP status that fits.
    pub fn status(&self) -> u16 {
        self.facts().1
    }

    /// What a person can do about it; empty where the message says it already.
    pub fn hint(&self) -> Cow<'static, str> {
        match self {
            DataSourceError::RedirectNotRegistered { redirect: Some(redirect) } => {
                let redirect = redirect.as_str();
                format!("Register {redirect} exactly so on the application's page at Oura, then press Connect again.").into()
            }
            _ => self.facts().2.into(),
        }
    }

    fn facts(&self) -> (&'static str, u16, &'static str) {
        use DataSourceError::*;
        match self {
            NotConfigured => {
                ("not_configured", 409, "Enter both from the application's page at Oura, and save.")
            }
            NotConnected => (
                "not_connected",
                409,
                "Press Connect in the data source's settings to log in to Oura.",
            ),
            UnknownTimezone { .. } => {
                ("unknown_timezone", 400, "Use an IANA name such as Europe/Vienna.")
            }
            UnknownCollection { .. } => ("unknown_collection", 400, "GET status lists the names."),
            NoDays => ("no_days", 400, "For example days=30."),
            PersonUnknown => (
                "person_unknown",
                503,
                "Press Connect again in a minute. If it stays so, make a second data source, or delete this one's data first.",
            ),
            BeforeAnyRing => (
                "before_any_ring",
                400,
                "Choose a smaller offset_days; there are no data from before 2015.",
            ),
            RedirectNotRegistered { .. } => (
                "redirect_not_registered",
                400,
                "Register the address that the settings page shows on the application's page at Oura, then press Connect again.",
            ),
            UsedState => {
                ("used_state", 400, "If the data source is not connected, press Connect again.")
            }
            OtherDatasource => {
                ("other_datasource", 400, "Go back to that one, or press Connect again here.")
            }
            UnknownState => ("unknown_state", 400, "Press Connect again."),
            ExpiredState => {
                ("expired_state", 400, "Press Connect again, and finish within ten minutes.")
            }
            OtherUser => ("other_user", 403, "Press Connect yourself."),
            OtherPerson => (
                "other_person",
                409,
                "Make a second data source for the second person, or delete this one's data first.",
            ),
            Locked { .. } => (
                "data_folder_locked",
                503,
                "End the other process, or give this one a folder of its own.",
            ),
            Folder { .. } => {
                ("data_folder", 503, "Set data_dir to a folder that this process may write.")
            }
            ReadOnly { .. } => (
                "data_folder_read_only",
                503,
                "Let the user that runs this process own the folder and what is in it.",
            ),
            Demo { .. } => ("demo", 500, ""),
            OAuth(OAuthError::InvalidClient) => ("wrong_client", 400, ""),
            OAuth(OAuthError::InvalidGrant { .. }) => ("invalid_grant", 400, ""),
            OAuth(OAuthError::Rejected { .. }) => {
                ("login_refused", 400, "Check that the redirect address is registered with Oura.")
            }
            OAuth(OAuthError::RedirectNotRegistered) => ("redirect_not_registered", 400, ""),
            OAuth(OAuthError::ClockSkew { .. }) => ("clock_off", 400, ""),
            OAuth(_) => ("login_unreachable", 502, "Check this machine's network, and try again."),
            Token(TokenError::NotConnected) => ("not_connected", 409, ""),
            Token(TokenError::ReconnectNeeded { .. }) => ("reconnect_needed", 409, ""),
            Token(TokenError::Refused { .. }) => {
                ("login_not_renewed", 502, "Check the client id and secret, and save them.")
            }
            Token(TokenError::Network { .. }) => {
                ("login_unreachable", 502, "Check this machine's network.")
            }
            Token(TokenError::Store(error)) => ("vault", 503, hint_on_storage(error)),
            Vault(_) => ("vault", 503, ""),
            Store(_) => ("store", 503, ""),
        }
    }
}

fn hint_on_storage(error: &GrantStoreError) -> &'static str {
    match error {
        GrantStoreError::NotAccessible { .. } => "Check the permissions of the data folder.",
        GrantStoreError::DiskFull { .. } => "Free disk space. The stored data is intact.",
        GrantStoreError::Failed { .. } => {
            "Check the disk space and permissions of the data folder."
        }
    }
}
