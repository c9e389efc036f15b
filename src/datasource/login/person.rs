//! The check that a login belongs to the person of the stored data. Mixed data of two people would
//! be useless to both, so the login of another person is rejected.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::catalog::{Collection, Storage, parse_document};
use crate::datasource::error::DataSourceError;
use crate::datasource::key::DataSourceKey;
use crate::datasource::settings::Settings;
use crate::datasource::vault::{Purpose, Vault};
use crate::oura::oauth::Grant;
use crate::oura::{AccessTokens, BoxFuture, Client, Origins, Range, Secret, TokenError};
use crate::store::Store;
use crate::time::Clock;

/// The time to wait for Oura to identify a person, while a user waits in the browser.
const IDENTITY_TIMEOUT: Duration = Duration::from_secs(10);
/// The number of collections compared with stored data if the stored person is unknown.
const MAX_COMPARED_COLLECTIONS: usize = 3;
/// The collection that contains the person's id.
const PERSONAL_INFO: &str = "personal_info";
/// The name of the person's id in the vault. The settings may exclude [`PERSONAL_INFO`] from syncs.
const PERSON: &str = "person";

/// Compares the person of a new grant with the person of the stored data.
pub(super) struct PersonCheck {
    pub(super) key: DataSourceKey,
    pub(super) settings: Arc<Settings>,
    pub(super) vault: Arc<Vault>,
    pub(super) store: Store,
    pub(super) http: reqwest::Client,
    pub(super) origins: Origins,
    pub(super) clock: Clock,
}

/// The person of the stored data.
enum StoredIdentity {
    /// No data is stored.
    NoData,
    /// The id from `personal_info`.
    Person(String),
    /// Data is stored, but `personal_info` was never fetched.
    Unknown,
}

/// The result of comparing a person's documents with stored ones.
enum Comparison {
    Same,
    Different,
    /// No documents to compare.
    Inconclusive,
}

impl PersonCheck {
    /// Rejects a grant of another person than that of the stored data.
    ///
    /// Also rejects a grant if Oura does not identify its person, unless no data is stored.
    pub(super) async fn check(&self, grant: &Grant) -> Result<(), DataSourceError> {
        let stored = self.stored_identity()?;
        if matches!(stored, StoredIdentity::NoData) {
            self.forget()?;
            if self.settings.fetches(&self.store.catalog(), PERSONAL_INFO) {
                // The first sync stores the person. The user need not wait for a request now.
                return Ok(());
            }
        }
        let client = self.client_for(grant);
        let person = self.fetch_person(&client).await;
        match (&stored, &person) {
            (StoredIdentity::NoData, _) => {}
            (StoredIdentity::Person(stored), Some(person)) if stored == person => {}
            (StoredIdentity::Person(_), Some(_)) => return Err(DataSourceError::OtherPerson),
            (StoredIdentity::Person(_), None) => return Err(DataSourceError::PersonUnknown),
            (StoredIdentity::Unknown, _) => match self.compare_documents(&client).await? {
                Comparison::Same => {}
                Comparison::Different => return Err(DataSourceError::OtherPerson),
                Comparison::Inconclusive => return Err(DataSourceError::PersonUnknown),
            },
        }
        if let Some(person) = person {
            self.vault.put(&self.key, Purpose::DataSource, PERSON, person.as_bytes())?;
        }
        Ok(())
    }

    /// Deletes the person's id from the vault.
    pub(super) fn forget(&self) -> Result<(), DataSourceError> {
        Ok(self.vault.delete(&self.key, Purpose::DataSource, PERSON)?)
    }

    fn stored_identity(&self) -> Result<StoredIdentity, DataSourceError> {
        if let Some(person) = self.store.inspector().person()? {
            return Ok(StoredIdentity::Person(person));
        }
        if self.store.inspector().collections()?.iter().all(|collection| collection.documents == 0)
        {
            return Ok(StoredIdentity::NoData);
        }
        // An entry that does not open counts as missing.
        let stored = self.vault.get(&self.key, Purpose::DataSource, PERSON).ok().flatten();
        Ok(stored
            .and_then(|person| String::from_utf8(person).ok())
            .map_or(StoredIdentity::Unknown, StoredIdentity::Person))
    }

    fn client_for(&self, grant: &Grant) -> Client {
        Client::new(
            self.http.clone(),
            self.origins.clone(),
            Arc::new(FixedToken(grant.access_token.clone())),
            self.clock.clone(),
            // A user waits for the login, so it passes the queue of the syncs.
            Arc::default(),
        )
    }

    /// Fetches the id in `personal_info`. Every token can read it: the scope `personal` is for its
    /// other fields.
    async fn fetch_person(&self, client: &Client) -> Option<String> {
        let catalog = self.store.catalog();
        let collection = catalog.get(PERSONAL_INFO)?;
        let now = self.clock.now();
        let page = self.fetch_first_page(client, collection, Range { from: now, to: now });
        let documents = tokio::time::timeout(IDENTITY_TIMEOUT, page).await.ok()??;
        let person = parse_document(documents.first()?).value;
        let id = collection.read(&person, self.store.zone()).ok()?.id;
        person.get("id").is_some_and(Value::is_string).then_some(id)
    }

    /// Compares the ids of the person's documents with the stored ones of the same, newest days.
    async fn compare_documents(&self, client: &Client) -> Result<Comparison, DataSourceError> {
        let catalog = self.store.catalog();
        let zone = self.store.zone();
        let mut rows = self.store.inspector().collections()?;
        rows.sort_by_key(|row| Reverse(row.documents));
        let compared = rows
            .iter()
            .filter_map(|row| Some((catalog.get(&row.name)?, row.last_day?)))
            .filter(|(collection, _)| collection.storage == Storage::Documents)
            .take(MAX_COMPARED_COLLECTIONS);
        let deadline = tokio::time::Instant::now() + IDENTITY_TIMEOUT;
        let mut found_unknown = false;
        for (collection, last_day) in compared {
            let range = Range {
                from: last_day.plus(-3).midnight(zone),
                to: last_day.plus(2).midnight(zone),
            };
            let page = self.fetch_first_page(client, collection, range);
            let documents = tokio::time::timeout_at(deadline, page).await.ok().flatten();
            for document in documents.unwrap_or_default() {
                let document = parse_document(&document).value;
                let Some(id) = document["id"].as_str() else { continue };
                if self.store.inspector().has_document(&collection.name, id)? {
                    return Ok(Comparison::Same);
                }
                found_unknown = true;
            }
        }
        Ok(if found_unknown { Comparison::Different } else { Comparison::Inconclusive })
    }

    async fn fetch_first_page(
        &self,
        client: &Client,
        collection: &Collection,
        range: Range,
    ) -> Option<Vec<Box<[u8]>>> {
        match client.page(collection, range, None).await {
            Ok(page) => Some(page.documents),
            Err(error) => {
                tracing::warn!(
                    datasource = %self.key,
                    collection = %collection.name,
                    %error,
                    "could not identify the person of a login"
                );
                None
            }
        }
    }
}

/// The access token of a grant that is not stored yet.
struct FixedToken(Secret);

impl AccessTokens for FixedToken {
    fn access_token(&self) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(async { Ok(self.0.clone()) })
    }

    fn replace(&self, _: Secret) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(async { Err(TokenError::NotConnected) })
    }
}
