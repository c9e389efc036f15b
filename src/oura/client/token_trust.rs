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

/// The token of a request, and the rejected token that it replaces.
pub(super) struct Bearer {
    pub(super) token: Secret,
    replaced: Option<Secret>,
}

impl Bearer {
    pub(super) fn new(token: Secret) -> Bearer {
        Bearer { token, replaced: None }
    }
}

impl Client {
    /// Replaces a token that `collection` answered with 401. A request replaces its token once, and
    /// never with a token that the collection rejected before.
    pub(super) async fn replace_token(
        &self,
        collection: &Collection,
        bearer: Bearer,
        detail: String,
    ) -> Result<Bearer, FetchError> {
        let Bearer { token, replaced } = bearer;
        let was_rejected_before;
        let opens_others;
        {
            let mut trust = self.trust();
            if replaced.is_some() {
                trust.rejected.insert(collection.name.clone(), token.clone());
            }
            was_rejected_before = trust.rejected.get(&collection.name) == Some(&token);
            opens_others = trust
                .accepted
                .as_ref()
                .is_some_and(|accepted| *accepted == token || Some(accepted) == replaced.as_ref());
        }
        if !was_rejected_before {
            let replacement = self.shared.tokens.replace(token.clone()).await?;
            return Ok(Bearer { token: replacement, replaced: Some(token) });
        }
        if opens_others {
            return Err(FetchError::Forbidden { detail });
        }
        Err(self.verify_rejected_token(collection, token, detail).await)
    }

    /// Decides whether the login is over or only `collection` is closed. `token` is fresh, was
    /// rejected by the collection, and no collection has accepted it yet.
    ///
    /// Requests the collection that every token can read before it ends the login, because only a
    /// person can undo that.
    async fn verify_rejected_token(
        &self,
        collection: &Collection,
        token: Secret,
        detail: String,
    ) -> FetchError {
        let url = join_path(&self.shared.origins.api, UNSCOPED_PATH);
        match self.attempt(collection, url, &token).await {
            Err(AttemptError::Unauthorized { .. }) => {
                let reason = format!("Oura rejects a fresh access token: {detail}");
                self.shared.tokens.end_login(token, reason).await.into()
            }
            Err(AttemptError::Transient(error)) => error,
            Err(AttemptError::RateLimited { .. }) => FetchError::RateLimited,
            Ok(_) | Err(AttemptError::Permanent(_)) => {
                self.trust().accepted = Some(token);
                FetchError::Forbidden { detail }
            }
        }
    }

    pub(super) fn trust(&self) -> MutexGuard<'_, TokenTrust> {
        self.shared.trust.lock()
    }
}
