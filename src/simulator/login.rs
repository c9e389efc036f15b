//! Grants: authorization codes, rotating token pairs and their scopes. Contains no HTTP.

use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use sha2::{Digest, Sha256};

use crate::time::Instant;

/// Prefix of every secret of the simulator, tokens and codes included.
///
/// Tests search all output for this prefix to find leaked secrets.
pub const SECRET_MARK: &str = "simulated-secret";

/// All scopes. Unknown scopes in a request are ignored.
pub(super) const SCOPES: [&str; 11] = [
    "email",
    "personal",
    "daily",
    "heartrate",
    "workout",
    "tag",
    "session",
    "spo2",
    "stress",
    "heart_health",
    "ring_configuration",
];

/// Prefix of granted scopes in responses. Requests may use it, too.
pub(super) const SCOPE_PREFIX: &str = "extapi:";

/// Lifetime of an authorization code in seconds.
const CODE_LIFETIME: i64 = 600;

/// The parameters of an authorization request that the token request must match.
#[derive(Clone, Debug)]
pub(super) struct Authorization {
    pub redirect_uri: String,
    pub scopes: Vec<&'static str>,
    pub challenge: Option<Challenge>,
}

/// A PKCE challenge (RFC 7636).
#[derive(Clone, Debug)]
pub(super) enum Challenge {
    Plain(String),
    S256(String),
}

/// An access token and a refresh token.
#[derive(Debug)]
pub(super) struct Pair {
    pub access: String,
    pub refresh: String,
    pub scopes: Vec<&'static str>,
}

/// Why a code or a refresh token is rejected. The client receives `invalid_grant` for all reasons.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unknown,
    Reused,
    Expired,
    OtherRedirect,
    WrongVerifier,
}

/// All codes and tokens.
#[derive(Default)]
pub(super) struct Login {
    codes: HashMap<String, (Authorization, Instant)>,
    spent_codes: HashSet<String>,
    /// By access token.
    access: HashMap<String, Access>,
    /// The access token of each refresh token.
    refresh: HashMap<String, String>,
    spent_refresh: HashSet<String>,
}

struct Access {
    scopes: Vec<&'static str>,
    expires_at: Instant,
}

impl Login {
    /// Issues an authorization code.
    pub fn authorize(&mut self, authorization: Authorization, now: Instant) -> String {
        let code = token();
        self.codes.insert(code.clone(), (authorization, now.plus(CODE_LIFETIME)));
        code
    }

    /// Exchanges a code for a token pair. Each code works once.
    pub fn exchange(
        &mut self,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        expires_at: Instant,
        now: Instant,
    ) -> Result<Pair, Refusal> {
        if self.spent_codes.contains(code) {
            return Err(Refusal::Reused);
        }
        let (authorization, until) = self.codes.remove(code).ok_or(Refusal::Unknown)?;
        self.spent_codes.insert(code.to_owned());
        if now > until {
            return Err(Refusal::Expired);
        }
        if redirect_uri != authorization.redirect_uri {
            return Err(Refusal::OtherRedirect);
        }
        if !authorization.challenge.is_none_or(|challenge| challenge.is_met_by(verifier)) {
            return Err(Refusal::WrongVerifier);
        }
        Ok(self.issue(authorization.scopes, expires_at))
    }

    /// Exchanges a refresh token for a new pair. Each refresh token works once.
    ///
    /// `ends_access` also revokes its access token.
    pub fn refresh(
        &mut self,
        refresh: &str,
        expires_at: Instant,
        ends_access: bool,
    ) -> Result<Pair, Refusal> {
        if self.spent_refresh.contains(refresh) {
            return Err(Refusal::Reused);
        }
        let access = self.refresh.remove(refresh).ok_or(Refusal::Unknown)?;
        self.spent_refresh.insert(refresh.to_owned());
        let scopes = self.access.get(&access).ok_or(Refusal::Unknown)?.scopes.clone();
        if ends_access {
            self.access.remove(&access);
        }
        Ok(self.issue(scopes, expires_at))
    }

    /// Issues a token pair.
    pub fn issue(&mut self, scopes: Vec<&'static str>, expires_at: Instant) -> Pair {
        let pair = Pair { access: token(), refresh: token(), scopes: scopes.clone() };
        self.access.insert(pair.access.clone(), Access { scopes, expires_at });
        self.refresh.insert(pair.refresh.clone(), pair.access.clone());
        pair
    }

    /// Revokes the grant of an access or refresh token.
    pub fn revoke(&mut self, token: &str) {
        let access = self.refresh.get(token).cloned().unwrap_or_else(|| token.to_owned());
        self.access.remove(&access);
        self.refresh.retain(|_, of| *of != access);
    }

    /// Revokes every grant, as a person can do on Oura's page.
    pub fn revoke_all(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }

    /// The scopes of an access token, if it is valid.
    pub fn scopes(&self, access: &str, now: Instant) -> Option<Vec<&'static str>> {
        self.access
            .get(access)
            .filter(|access| now < access.expires_at)
            .map(|access| access.scopes.clone())
    }
}

impl Challenge {
    fn is_met_by(&self, verifier: Option<&str>) -> bool {
        let Some(verifier) = verifier else { return false };
        match self {
            Challenge::Plain(challenge) => challenge == verifier,
            Challenge::S256(challenge) => {
                *challenge == URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
            }
        }
    }
}

/// The known scopes among `asked`, with or without the prefix.
pub(super) fn known_scopes(asked: &[&str]) -> Vec<&'static str> {
    let named = |scope: &str| {
        asked.iter().any(|asked| asked.strip_prefix(SCOPE_PREFIX).unwrap_or(asked) == scope)
    };
    SCOPES.into_iter().filter(|scope| named(scope)).collect()
}

/// A new random token.
fn token() -> String {
    let mut bytes = [0; 24];
    rand::rng().fill_bytes(&mut bytes);
    format!("{SECRET_MARK}-{}", URL_SAFE_NO_PAD.encode(bytes))
}
