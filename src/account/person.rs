//! Whose history is kept here. Two people's nights in one table are nobody's, so a login of another person is refused.

use std::sync::Arc;
use std::time::Duration;

use super::vault::Purpose;
use super::{Account, AccountError};
use crate::oura::oauth::Grant;
use crate::oura::{AccessTokens, BoxFuture, Client, Range, Secret, TokenError};

/// How long the person at the browser waits for Oura to say whose login it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// The vault's name of the id of the person who logged in last: `personal_info` may be none of the collections that are fetched.
const PERSON: &str = "person";

impl Account {
    /// Refuses a grant of another person than the one whose history is here. While Oura does not say whose it is, it may be anybody's:
    /// only where nothing is kept that makes no difference.
    pub(super) async fn check_person(&self, grant: &Grant) -> Result<(), AccountError> {
        let (inner, kept) = (&self.inner, self.person()?);
        if kept.is_none() && self.is_fetched("personal_info") {
            // The first sync brings it; nobody need wait for it now.
            return Ok(());
        }
        match (self.person_behind(grant).await, kept) {
            (Some(person), Some(kept)) if person != kept => Err(AccountError::OtherPerson),
            (Some(person), _) => Ok(inner.vault.put(&inner.key, Purpose::Account, PERSON, person.as_bytes())?),
            (None, Some(_)) => Err(AccountError::PersonUnknown),
            (None, None) => Ok(()),
        }
    }

    /// Whose history is here, if there is any.
    fn person(&self) -> Result<Option<String>, AccountError> {
        let inner = &self.inner;
        if let Some(person) = inner.store.person()? {
            return Ok(Some(person));
        }
        let is_empty = inner.store.collections()?.iter().all(|collection| collection.documents == 0);
        // One that cannot be read is as good as none.
        let remembered = inner.vault.get(&inner.key, Purpose::Account, PERSON).ok().flatten();
        Ok(remembered.filter(|_| !is_empty).and_then(|person| String::from_utf8(person).ok()))
    }

    pub(super) fn forget_person(&self) -> Result<(), AccountError> {
        Ok(self.inner.vault.delete(&self.inner.key, Purpose::Account, PERSON)?)
    }

    /// The id in `personal_info`, which any token opens: the scope `personal` is for the rest of it.
    async fn person_behind(&self, grant: &Grant) -> Option<String> {
        let inner = &self.inner;
        let catalog = self.catalog();
        let collection = catalog.get("personal_info")?;
        let token = Arc::new(OneToken(grant.access_token.clone()));
        let client = Client::new(inner.environment.http.clone(), inner.oauth.origins.clone(), token, inner.environment.clock.clone());
        let now = inner.environment.clock.now();
        let asked = client.page(collection, Range { from: now, to: now }, None);
        let page = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(page)) => page,
            Ok(Err(error)) => {
                tracing::warn!(datasource = %inner.key, %error, "Oura does not say whose login this is");
                return None;
            }
            Err(_) => return None,
        };
        let person: serde_json::Value = serde_json::from_str(page.documents.first()?.get()).ok()?;
        let id = collection.read(&person, self.zone()).ok()?.id;
        person.get("id").is_some_and(|id| id.is_string()).then_some(id)
    }
}

/// A grant that nobody keeps yet.
struct OneToken(Secret);

impl AccessTokens for OneToken {
    fn access_token(&self) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(async { Ok(self.0.clone()) })
    }

    fn replace(&self, _: Secret) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(async { Err(TokenError::NotConnected) })
    }
}
