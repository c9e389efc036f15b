//! Data sources that Grafana no longer names: they stop fetching, and can be erased.
//!
//! Grafana does not tell a plugin that a data source was deleted.

use std::io::ErrorKind;

use super::{DataSources, close_completely};
use crate::blocking::blocking;
use crate::datasource::error::DataSourceError;
use crate::datasource::key::DataSourceKey;
use crate::datasource::login::{StoredLogin, stored_login};
use crate::datasource::vault::Purpose;
use crate::oura::oauth::{Application, OAuth};
use crate::time::Instant;

/// The time after which a use is stored again, in seconds.
const NAMED_RESOLUTION: i64 = 86_400;

/// The last use of a data source.
#[derive(Default)]
pub(super) struct Use {
    /// A later use has a higher number.
    pub(super) order: u64,
    /// The stored time.
    named_at: Option<Instant>,
}

/// The result of [`DataSources::forget`].
#[derive(Debug)]
pub struct Forgotten {
    /// Whether Oura revoked the login. `None` without a stored login.
    pub revoked: Option<Result<(), String>>,
}

impl DataSources {
    /// Makes `key` the data source that was used last.
    pub(super) fn touch(&self, key: &DataSourceKey) {
        let mut used = self.shared.used.lock();
        let next = used.values().map(|used| used.order).max().unwrap_or(0) + 1;
        used.entry(key.clone()).or_default().order = next;
    }

    /// Records that Grafana, or a user on the command line, named `key`.
    pub(super) async fn record_naming(&self, key: &DataSourceKey) {
        self.touch(key);
        let now = self.shared.environment.clock.now();
        {
            let mut used = self.shared.used.lock();
            let named_at = &mut used.entry(key.clone()).or_default().named_at;
            let is_current =
                named_at.is_some_and(|at| (now.seconds() - at.seconds()).abs() < NAMED_RESOLUTION);
            if is_current {
                return;
            }
            *named_at = Some(now);
        }
        let (datasources, key) = (self.clone(), key.clone());
        blocking(move || {
            datasources.shared.records.update(&key, |record| record.named_at = Some(now));
        })
        .await;
    }

    /// Returns whether `key` was not named for so long that it must not fetch. Logs the decision.
    /// Blocks on the vault.
    pub(super) fn is_forgotten(&self, key: &DataSourceKey) -> bool {
        let environment = &self.shared.environment;
        let Some(limit) = environment.forget_after else { return false };
        let now = environment.clock.now();
        let Some(named_at) = self.shared.records.get(key).named_at else {
            // An entry of an older version. Its time starts now.
            self.shared.records.update(key, |record| record.named_at = Some(now));
            return false;
        };
        let days = (now.seconds() - named_at.seconds()) / 86_400;
        days >= limit.into()
    }

    /// Closes the data sources that are forgotten.
    pub(super) async fn close_forgotten(&self) {
        let datasources = self.clone();
        let active = move || {
            let mut keys = datasources.shared.vault.keys(Purpose::DataSource).unwrap_or_default();
            keys.retain(|key| datasources.is_forgotten(key));
            keys
        };
        for key in blocking(active).await {
            let was_dormant = self.shared.dormant.lock().remove(&key).is_some();
            let slot = self.slot(&key);
            let Ok(mut slot) = slot.try_lock_owned() else { continue };
            let is_unused = slot.as_ref().is_some_and(|open| open.datasource.is_unused());
            if is_unused {
                self.close_slot(&key, &mut slot).await;
                self.shared.dormant.lock().remove(&key);
            }
            if was_dormant || is_unused {
                log_forgotten(&key);
            }
        }
    }

    /// Revokes the login of `key` at Oura, and deletes everything that is stored for it. A failed
    /// revocation does not stop the deletion.
    pub async fn forget(&self, key: &DataSourceKey) -> Result<Forgotten, DataSourceError> {
        if let Some(reason) = self.read_only_reason() {
            return Err(DataSourceError::ReadOnly { reason: reason.to_owned() });
        }
        let folder = key.folder(&self.shared.environment.data_dir);
        let mut slot = self.slot(key).lock_owned().await;
        self.shared.dormant.lock().remove(key);
        let entries = self.shared.vault.count(key)?;
        if entries == 0 && !folder.exists() {
            return Err(DataSourceError::UnknownDataSource { key: key.clone() });
        }
        if let Some(open) = slot.take() {
            close_completely(open.datasource).await?;
        }
        let revoked = self.revoke_stored_login(key).await;
        self.shared.vault.delete_all(key)?;
        blocking(move || match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(DataSourceError::Folder { folder, detail: error.to_string() })
            }
            _ => Ok(()),
        })
        .await?;
        tracing::warn!(datasource = %key, "a data source was erased");
        Ok(Forgotten { revoked })
    }

    /// Revokes the stored login. `None` without one that opens, and for demo data.
    async fn revoke_stored_login(&self, key: &DataSourceKey) -> Option<Result<(), String>> {
        let (settings, client_secret) = self.stored_settings(key).ok().flatten()?;
        let StoredLogin { grant, .. } = stored_login(&self.shared.vault, key).ok().flatten()?;
        if settings.demo {
            return None;
        }
        let environment = &self.shared.environment;
        let oauth = OAuth {
            http: environment.http.clone(),
            origins: environment.origins.clone(),
            application: Application { client_id: settings.client_id, client_secret },
            clock: environment.clock.clone(),
        };
        Some(oauth.revoke(&grant).await.map_err(|error| error.to_string()))
    }
}

/// Logs that a data source does not fetch any more.
pub(super) fn log_forgotten(key: &DataSourceKey) {
    tracing::warn!(
        datasource = %key,
        "Grafana has not named this data source for a long time: it fetches nothing until Grafana \
         names it again. If it was deleted in Grafana, `gpx_oura forget {key}` revokes its login \
         and erases its data"
    );
}
