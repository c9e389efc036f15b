//! The specification of Oura's API in use: the bundled version, or a newer one that Oura has
//! published.
//!
//! The newest version is stored in the data folder, reduced to facts, so that a restart without a
//! network uses it too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::catalog::{Catalog, CatalogError, UpgradeError, reduce};
use crate::oura::specification::{PublishedSpecification, SpecificationError, Version, find_newer};
use crate::oura::{InvalidVersion, Origins};
use crate::time::{Clock, Instant};

/// The name of the file in the data folder.
const FILE: &str = "specification.json";
/// The seconds between two checks for a newer version.
const CHECK_INTERVAL: i64 = 86_400;

/// A failed check for a newer specification. The present one stays in use.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The request to Oura failed.
    #[error(transparent)]
    Specification(#[from] SpecificationError),
    /// The present catalogue has an invalid version.
    #[error(transparent)]
    Version(#[from] InvalidVersion),
    /// The published document cannot be parsed.
    #[error("Specification {version} cannot be used: {source}")]
    Unreadable {
        /// The published version.
        version: Version,
        /// The cause.
        source: CatalogError,
    },
    /// The published document lacks too many collections or fields.
    #[error("Specification {version} cannot be used: {source}")]
    Implausible {
        /// The published version.
        version: Version,
        /// The missing parts.
        source: UpgradeError,
    },
    /// The file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// The specification of all data sources of this process.
pub(super) struct Specification {
    path: PathBuf,
    bundled: Arc<Catalog>,
    state: RwLock<State>,
}

#[derive(Clone)]
struct State {
    catalog: Arc<Catalog>,
    checked_at: Option<Instant>,
}

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct StoredSpecification {
    checked_at: Instant,
    /// The facts of the newest version, if it is newer than the bundled one.
    document: Option<Box<RawValue>>,
}

/// Returns the catalogue for `data_dir`: the stored one if it is newer than `bundled`.
pub fn catalog(data_dir: &Path, bundled: Arc<Catalog>) -> Arc<Catalog> {
    Specification::open(data_dir, bundled).catalog()
}

impl Specification {
    /// Reads the stored specification. An unreadable file counts as missing, and the next check
    /// replaces it.
    pub(super) fn open(data_dir: &Path, bundled: Arc<Catalog>) -> Specification {
        let path = data_dir.join(FILE);
        let stored = read_file(&path);
        let checked_at = stored.as_ref().map(|stored| stored.checked_at);
        let catalog = stored
            .and_then(|stored| stored.document)
            .and_then(|document| newer_catalog(&document, &bundled))
            .map_or_else(|| Arc::clone(&bundled), Arc::new);
        Specification { path, bundled, state: RwLock::new(State { catalog, checked_at }) }
    }

    pub(super) fn catalog(&self) -> Arc<Catalog> {
        self.state().catalog
    }

    /// Returns the time of the last check that Oura answered.
    pub(super) fn checked_at(&self) -> Option<Instant> {
        self.state().checked_at
    }

    /// Returns whether the last check is a day old, or in the future because the clock was set
    /// back.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let Some(checked_at) = self.checked_at() else { return true };
        checked_at > now || now.seconds() - checked_at.seconds() >= CHECK_INTERVAL
    }

    /// Requests a newer version. Returns its catalogue, which is in use from now on.
    ///
    /// An unusable document counts as checked, because the next one may be usable.
    pub(super) async fn check(
        &self,
        http: &reqwest::Client,
        origins: &Origins,
        clock: &Clock,
    ) -> Result<Option<Arc<Catalog>>, CheckError> {
        let known = version_of(&self.catalog())?;
        let published = find_newer(http, origins, known).await?;
        let accepted = published.map(|published| self.accept(published)).transpose();
        let (new_catalog, document) = match &accepted {
            Ok(Some((catalog, document))) => (Some(Arc::clone(catalog)), Some(document.clone())),
            Ok(None) | Err(_) => (None, read_file(&self.path).and_then(|stored| stored.document)),
        };
        let checked_at = clock.now();
        self.write_file(&StoredSpecification { checked_at, document })?;
        let catalog = new_catalog.clone().unwrap_or_else(|| self.catalog());
        *self.state.write() = State { catalog, checked_at: Some(checked_at) };
        accepted.map(|_| new_catalog)
    }

    /// Returns the catalogue of a published document, and the document's facts.
    fn accept(
        &self,
        published: PublishedSpecification,
    ) -> Result<(Arc<Catalog>, Box<RawValue>), CheckError> {
        let PublishedSpecification { version, document } = published;
        let unreadable = |source| CheckError::Unreadable { version, source };
        let facts = reduce(&document, Some(&version.to_string())).map_err(unreadable)?;
        let catalog = Catalog::from_openapi(&facts).map_err(unreadable)?;
        let catalog = self
            .bundled
            .upgrade(catalog)
            .map_err(|source| CheckError::Implausible { version, source })?;
        let facts = serde_json::from_slice(&facts).map_err(|error| unreadable(error.into()))?;
        Ok((Arc::new(catalog), facts))
    }

    /// Replaces the file, completely or not at all.
    fn write_file(&self, stored: &StoredSpecification) -> Result<(), CheckError> {
        let text = serde_json::to_vec(stored).expect("a stored specification is plain data");
        let draft = self.path.with_extension("json.new");
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &self.path))
            .map_err(|source| CheckError::File { path: self.path.clone(), source })
    }

    fn state(&self) -> State {
        self.state.read().clone()
    }
}

fn read_file(path: &Path) -> Option<StoredSpecification> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Returns the catalogue of a stored document, if it is usable and newer than `bundled`.
fn newer_catalog(document: &RawValue, bundled: &Catalog) -> Option<Catalog> {
    let stored = Catalog::from_openapi(document.get().as_bytes()).ok()?;
    if version_of(&stored).ok()? <= version_of(bundled).ok()? {
        return None;
    }
    bundled.upgrade(stored).ok()
}

fn version_of(catalog: &Catalog) -> Result<Version, InvalidVersion> {
    catalog.version.parse()
}
