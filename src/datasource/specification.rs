//! Which version of Oura's specification is in force: the bundled one, or a newer one that Oura has published since. What was found is
//! kept in the data folder, reduced to facts, so that a restart without a network knows it too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::catalog::{Catalog, CatalogError, Loss, reduce};
use crate::oura::specification::{PublishedSpecification, SpecificationError, Version, find_newer};
use crate::oura::{InvalidVersion, Origins};
use crate::time::{Clock, Instant};

/// In the data folder.
const FILE: &str = "specification.json";
/// How often to ask for a newer one, in seconds.
const DAY: i64 = 86_400;

/// Why the specification stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Specification(#[from] SpecificationError),
    #[error(transparent)]
    Version(#[from] InvalidVersion),
    #[error("specification {version} cannot be used: {source}")]
    Unreadable { version: Version, source: CatalogError },
    #[error("specification {version} cannot be used: {source}")]
    Implausible { version: Version, source: Loss },
    #[error("{} cannot be written: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

/// The specification in force, for every data source of this process.
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

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    checked_at: Instant,
    /// None as long as the bundled one is the newest.
    document: Option<Box<RawValue>>,
}

/// The catalogue to work with in `data_dir`: the one kept there if it is newer than `bundled`.
pub fn catalog(data_dir: &Path, bundled: Arc<Catalog>) -> Arc<Catalog> {
    Specification::open(data_dir, bundled).catalog()
}

impl Specification {
    /// Reads what is kept. A file that cannot be read is as good as none: it is written anew with the next check.
    pub(super) fn open(data_dir: &Path, bundled: Arc<Catalog>) -> Specification {
        let path = data_dir.join(FILE);
        let kept = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Kept>(&text).ok());
        let checked_at = kept.as_ref().map(|kept| kept.checked_at);
        let newer = kept.and_then(|kept| kept.document).and_then(|document| {
            let kept = Catalog::from_openapi(document.get().as_bytes()).ok()?;
            (version_of(&kept).ok()? > version_of(&bundled).ok()?)
                .then(|| bundled.succeeded_by(kept).ok())
                .flatten()
        });
        let catalog = newer.map_or_else(|| Arc::clone(&bundled), Arc::new);
        Specification { path, bundled, state: RwLock::new(State { catalog, checked_at }) }
    }

    pub(super) fn catalog(&self) -> Arc<Catalog> {
        self.state().catalog
    }

    /// When Oura was last asked for a newer one, and answered.
    pub(super) fn checked_at(&self) -> Option<Instant> {
        self.state().checked_at
    }

    /// Whether the last answer is a day old, or lies in the future of a clock that was set back.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.checked_at()
            .is_none_or(|checked| checked > now || now.seconds() - checked.seconds() >= DAY)
    }

    /// Asks for a newer version; `Some` is the catalogue to work with from now on. One that cannot be used counts as checked: the
    /// next may be better.
    pub(super) async fn check(
        &self,
        http: &reqwest::Client,
        origins: &Origins,
        clock: &Clock,
    ) -> Result<Option<Arc<Catalog>>, CheckError> {
        let known = version_of(&self.catalog())?;
        let published = find_newer(http, origins, known).await?;
        let taken = published.map(|published| self.take(published)).transpose();
        let State { catalog, .. } = self.state();
        let (adopted, document) = match &taken {
            Ok(Some((catalog, document))) => (Some(Arc::clone(catalog)), Some(document.clone())),
            _ => (None, self.kept_document()),
        };
        let checked_at = clock.now();
        self.keep(&Kept { checked_at, document })?;
        let state =
            State { catalog: adopted.clone().unwrap_or(catalog), checked_at: Some(checked_at) };
        *self.state.write() = state;
        taken.map(|_| adopted)
    }

    /// The catalogue that follows from a published document, and the document's facts.
    fn take(
        &self,
        published: PublishedSpecification,
    ) -> Result<(Arc<Catalog>, Box<RawValue>), CheckError> {
        let PublishedSpecification { version, document } = published;
        let unreadable = |source| CheckError::Unreadable { version, source };
        let facts = reduce(&document, Some(&version.to_string())).map_err(unreadable)?;
        let catalog = Catalog::from_openapi(&facts).map_err(unreadable)?;
        let catalog = self
            .bundled
            .succeeded_by(catalog)
            .map_err(|source| CheckError::Implausible { version, source })?;
        let facts = serde_json::from_slice(&facts).map_err(|error| unreadable(error.into()))?;
        Ok((Arc::new(catalog), facts))
    }

    fn kept_document(&self) -> Option<Box<RawValue>> {
        serde_json::from_slice::<Kept>(&fs::read(&self.path).ok()?).ok()?.document
    }

    /// Written whole beside the old file, then put in its place.
    fn keep(&self, kept: &Kept) -> Result<(), CheckError> {
        let text = serde_json::to_vec(kept).expect("JSON goes back to JSON");
        let draft = self.path.with_extension("json.new");
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &self.path))
            .map_err(|source| CheckError::File { path: self.path.clone(), source })
    }

    fn state(&self) -> State {
        self.state.read().clone()
    }
}

fn version_of(catalog: &Catalog) -> Result<Version, InvalidVersion> {
    catalog.version.parse()
}
