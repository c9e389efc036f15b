//! Whose history is kept here. Two people's nights in one table are nobody's, so a login of another person is refused.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use super::vault::Purpose;
use super::{DataSource, DataSourceError};
use crate::catalog::{Collection, Storage};
use crate::oura::oauth::Grant;
use crate::oura::{AccessTokens, BoxFuture, Client, Range, Secret, TokenError};

/// How long the person at the browser waits for Oura to say whose login it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// The vault's name of the id of the person who logged in last: `personal_info` may be none of the collections that are fetched.
const PERSON: &str = "person";

/// How many collections are compared with what is kept, while nobody knows whose that is.
const COMPARED: usize = 3;

/// Whose history is here.
enum Kept {
    Nothing,
    Of(String),
    /// `personal_info` never came.
    OfSomebody,
}

impl DataSource {
    /// Refuses a grant of another person than the one whose history is here. While Oura does not say whose it is, it may be anybody's:
    /// only where nothing is kept that makes no difference.
    pub(super) async fn check_person(&self, grant: &Grant) -> Result<(), DataSourceError> {
        let kept = self.kept()?;
        if matches!(kept, Kept::Nothing) {
            // Whoever was here before has left nothing.
            self.forget_person()?;
            if self.is_fetched("personal_info") {
                // The first sync brings it; nobody need wait for it now.
                return Ok(());
            }
        }
        let client = self.client_of(grant);
        let person = self.person_behind(&client).await;
        match (&kept, &person) {
            (Kept::Of(kept), Some(person)) if person != kept => {
                return Err(DataSourceError::OtherPerson);
            }
            (Kept::Of(_), None) => return Err(DataSourceError::PersonUnknown),
            (Kept::OfSomebody, _) => match self.has_this_history(&client).await? {
                Some(true) => {}
                Some(false) => return Err(DataSourceError::OtherPerson),
                None => return Err(DataSourceError::PersonUnknown),
            },
            (Kept::Of(_), Some(_)) | (Kept::Nothing, _) => {}
        }
        match person {
            Some(person) => Ok(self.inner.vault.put(
                &self.inner.key,
                Purpose::DataSource,
                PERSON,
                person.as_bytes(),
            )?),
            None => Ok(()),
        }
    }

    fn kept(&self) -> Result<Kept, DataSourceError> {
        let inner = &self.inner;
        if let Some(person) = inner.store.inspector().person()? {
            return Ok(Kept::Of(person));
        }
        if inner.store.inspector().collections()?.iter().all(|collection| collection.documents == 0)
        {
            return Ok(Kept::Nothing);
        }
        // One that cannot be read is as good as none.
        let remembered = inner.vault.get(&inner.key, Purpose::DataSource, PERSON).ok().flatten();
        Ok(remembered
            .and_then(|person| String::from_utf8(person).ok())
            .map_or(Kept::OfSomebody, Kept::Of))
    }

    pub(super) fn forget_person(&self) -> Result<(), DataSourceError> {
        Ok(self.inner.vault.delete(&self.inner.key, Purpose::DataSource, PERSON)?)
    }

    fn client_of(&self, grant: &Grant) -> Client {
        let inner = &self.inner;
        let token = Arc::new(OneToken(grant.access_token.clone()));
        Client::new(
            inner.environment.http.clone(),
            inner.oauth.origins.clone(),
            token,
            inner.environment.clock.clone(),
        )
    }

    /// The id in `personal_info`, which any token opens: the scope `personal` is for the rest of it.
    async fn person_behind(&self, client: &Client) -> Option<String> {
        let catalog = self.catalog();
        let collection = catalog.get("personal_info")?;
        let now = self.inner.environment.clock.now();
        let documents = tokio::time::timeout(
            PATIENCE,
            self.first_page(client, collection, Range { from: now, to: now }),
        )
        .await
        .ok()??;
        let person: Value = serde_json::from_str(documents.first()?.get()).ok()?;
        let id = collection.read(&person, self.zone()).ok()?.id;
        person.get("id").is_some_and(Value::is_string).then_some(id)
    }

    /// Whether the newest days that are kept are this person's: their documents have the same ids. Nothing if there is nothing to compare.
    async fn has_this_history(&self, client: &Client) -> Result<Option<bool>, DataSourceError> {
        let (catalog, zone) = (self.catalog(), self.zone());
        let mut rows = self.inner.store.inspector().collections()?;
        rows.sort_by_key(|row| Reverse(row.documents));
        let days = rows.iter().filter_map(|row| Some((catalog.get(&row.name)?, row.last_day?)));
        let compared =
            days.filter(|(collection, _)| collection.storage == Storage::Documents).take(COMPARED);
        let until = tokio::time::Instant::now() + PATIENCE;
        let mut strange = false;
        for (collection, last) in compared {
            let range =
                Range { from: last.plus(-3).midnight(zone), to: last.plus(2).midnight(zone) };
            let asked = self.first_page(client, collection, range);
            for document in
                tokio::time::timeout_at(until, asked).await.ok().flatten().unwrap_or_default()
            {
                let document: Value = serde_json::from_str(document.get()).unwrap_or_default();
                let Some(id) = document["id"].as_str() else { continue };
                if self.inner.store.inspector().has_document(&collection.name, id)? {
                    return Ok(Some(true));
                }
                strange = true;
            }
        }
        Ok(strange.then_some(false))
    }

    async fn first_page(
        &self,
        client: &Client,
        collection: &Collection,
        range: Range,
    ) -> Option<Vec<Box<RawValue>>> {
        match client.page(collection, range, None).await {
            Ok(page) => Some(page.documents),
            Err(error) => {
                let collection = &collection.name;
                tracing::warn!(datasource = %self.inner.key, collection, %error, "Oura does not say whose login this is");
                None
            }
        }
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
