//! Reaction to a 401 that names no scope.
//!
//! The token may be expired, the login may be over, or one collection may be closed to this person.
//! Oura's response is the same in all three cases. Only earlier responses to the same token
//! distinguish them.

use std::collections::HashMap;

use parking_lot::MutexGuard;

use super::{AttemptError, Client};
use crate::catalog::Collection;
use crate::oura::{FetchError, Secret, join_path};

/// The collection that every valid token can read, independent of its scopes.
pub(super) const UNSCOPED_PATH: &str = "/v2/usercollection/personal_info";

/// Responses of the API to earlier tokens.
#[derive(Default)]
pub(super) struct TokenTrust {
    /// The last token that returned a page of any collection.
    pub(super) accepted: Option<Secret>,
    /// By collection: a fresh token that it rejected. Another token would be rejected too, and each
    /// costs a refresh token.
    rejected: HashMap<String, Secret>,
}

/// The number of tokens that a request tries. Concurrent requests can replace each of them before
/// Oura receives it.
const MAX_TOKENS: u32 = 8;

/// The token of a request, and the rejected token that it replaces.
pub(super) struct Bearer {
    pub(super) token: Secret,
    replaced: Option<Secret>,
    /// The number of tokens so far, this one included.
    count: u32,
}

impl Bearer {
    pub(super) fn new(token: Secret) -> Bearer {
        Bearer { token, replaced: None, count: 1 }
    }
}

impl Client {
    /// Replaces a token that `collection` answered with 401. A request replaces its token once, and
    /// never with a token that the collection rejected before. A token that expired or was replaced
    /// on its way does not count.
    pub(super) async fn replace_token(
        &self,
        collection: &Collection,
        bearer: Bearer,
        detail: String,
    ) -> Result<Bearer, FetchError> {
        if bearer.count == MAX_TOKENS {
            return Err(FetchError::Server { status: 401 });
        }
        if !self.shared.tokens.is_current(&bearer.token).await {
            return self.next_bearer(bearer).await;
        }
        let was_rejected_before;
        let opens_others;
        {
            let Bearer { token, replaced, .. } = &bearer;
            let mut trust = self.trust();
            if replaced.is_some() {
                trust.rejected.insert(collection.name.clone(), token.clone());
            }
            was_rejected_before = trust.rejected.get(&collection.name) == Some(token);
            opens_others = trust
                .accepted
                .as_ref()
                .is_some_and(|accepted| accepted == token || Some(accepted) == replaced.as_ref());
        }
        if !was_rejected_before {
            let replaced = Some(bearer.token.clone());
            return Ok(Bearer { replaced, ..self.next_bearer(bearer).await? });
        }
        if opens_others {
            return Err(FetchError::Forbidden { detail });
        }
        match self.verify_rejected_token(collection, bearer.token.clone(), detail).await {
            Some(error) => Err(error),
            None => self.next_bearer(bearer).await,
        }
    }

    /// Returns another token than that of `bearer`.
    async fn next_bearer(&self, bearer: Bearer) -> Result<Bearer, FetchError> {
        let Bearer { token, replaced, count } = bearer;
        Ok(Bearer { token: self.shared.tokens.replace(token).await?, replaced, count: count + 1 })
    }

    /// Decides whether the login is over or only `collection` is closed. `token` is fresh, was
    /// rejected by the collection, and no collection has accepted it yet. Returns `None` if the
    /// token has been replaced.
    ///
    /// Requests the collection that every token can read before it ends the login, because only a
    /// person can undo that.
    async fn verify_rejected_token(
        &self,
        collection: &Collection,
        token: Secret,
        detail: String,
    ) -> Option<FetchError> {
        let url = join_path(&self.shared.origins.api, UNSCOPED_PATH);
        match self.attempt(collection, url, &token).await {
            Err(AttemptError::Unauthorized { .. }) => {
                let reason = format!("Oura rejects a fresh access token: {detail}");
                self.shared.tokens.end_login(token, reason).await.map(FetchError::from)
            }
            Err(
                AttemptError::Transient(error)
                | AttemptError::Permanent(error @ FetchError::Network(_)),
            ) => Some(error),
            Err(AttemptError::RateLimited { .. }) => Some(FetchError::RateLimited),
            Ok(_) | Err(AttemptError::Permanent(_)) => {
                self.trust().accepted = Some(token);
                Some(FetchError::Forbidden { detail })
            }
        }
    }

    pub(super) fn trust(&self) -> MutexGuard<'_, TokenTrust> {
        self.shared.trust.lock()
    }
}
