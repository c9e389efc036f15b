//! Publishing the changed months of people.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::Schema;
use bytes::Bytes;
use tokio::task::JoinSet;

use super::error::LakeError;
use super::log::{Action, Add, Format, Log, MetaData, Remove, Snapshot, Txn};
use super::owner::Pseudonym;
use super::partition::{Partition, Rewritten, may_contain, rewrite};
use super::storage::{Storage, StorageClock};
use super::table::{LakeTable, arrow_schema, delta_schema};
use super::{ATTEMPTS, Lake, Person};
use crate::blocking::blocking;
use crate::catalog::Catalog;
use crate::store::{Changes, Store};
use crate::time::{Instant, Month};

/// A run that began earlier does not delay a publication: its process was killed.
const MAX_RUN_SECONDS: i64 = 3600;

/// The configuration of a table, for engines that maintain it.
const CONFIGURATION: &[(&str, &str)] = &[
    ("delta.deletedFileRetentionDuration", "interval 1 days"),
    ("delta.logRetentionDuration", "interval 7 days"),
];

/// The effect of a publication.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// The number of commits.
    pub commits: usize,
    /// The number of written files.
    pub files: usize,
    /// The number of rows in those files.
    pub rows: usize,
    /// The data sources that were not published.
    pub skipped: Vec<Skipped>,
}

/// A data source that was not published.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// The data source.
    pub key: String,
    /// The reason.
    pub reason: String,
}

/// A data source with changes that may be missing in the lake.
pub(super) struct Source {
    pub key: String,
    pub pseudonym: Pseudonym,
    pub changes: Changes,
    person: Person,
    catalog: Arc<Catalog>,
}

impl Source {
    /// The name under which a table stores the published version.
    fn application(&self) -> String {
        format!("{}{}", application_prefix(&self.pseudonym), self.changes.generation)
    }

    /// The generation, and the version of the last change of any table.
    fn version(&self) -> (String, i64) {
        let newest = self.changes.months.values().flat_map(|months| months.values()).max();
        (self.changes.generation.clone(), newest.copied().unwrap_or(0))
    }

    /// Opens the database for reading.
    pub fn open(&self) -> Result<Store, LakeError> {
        Store::open_existing(&self.person.database, Arc::clone(&self.catalog))
            .map_err(|error| LakeError::store(&self.key, &error))
    }
}

/// The beginning of the names under which tables store the published versions of a person.
pub(super) fn application_prefix(pseudonym: &Pseudonym) -> String {
    format!("ringside/{}/", pseudonym.name)
}

/// The sources of a publication, and the tables.
pub(super) struct Inventory {
    pub sources: Vec<Arc<Source>>,
    pub tables: Vec<LakeTable>,
    pub skipped: Vec<Skipped>,
}

impl Lake {
    /// Publishes the changes of `people`. Data sources in the middle of a sync are skipped, unless
    /// `during_syncs`.
    ///
    /// A failure leaves the tables that were committed before; the next publication continues.
    pub async fn publish(
        &self,
        people: &[Person],
        catalog: &Arc<Catalog>,
        during_syncs: bool,
    ) -> Result<Published, LakeError> {
        self.finish_withdrawals().await?;
        let inventory = self.inventory(people, catalog, during_syncs).await?;
        self.publish_inventory(inventory).await
    }

    /// Publishes the changes of the sources of an inventory.
    pub(super) async fn publish_inventory(
        &self,
        inventory: Inventory,
    ) -> Result<Published, LakeError> {
        let mut published = Published { skipped: inventory.skipped, ..Published::default() };
        let is_news =
            |source: &&Arc<Source>| self.current.lock().get(&source.key) != Some(&source.version());
        let sources: Vec<Arc<Source>> = inventory.sources.iter().filter(is_news).cloned().collect();
        if sources.is_empty() {
            return Ok(published);
        }
        let clock = self.storage.clock().await?;
        for table in &inventory.tables {
            self.publish_table(table, &sources, &clock, &mut published).await?;
        }
        // A person may have withdrawn after a table's look at the withdrawals.
        self.finish_withdrawals().await?;
        let mut current = self.current.lock();
        for source in &sources {
            current.insert(source.key.clone(), source.version());
        }
        Ok(published)
    }

    /// Reads the changes of `people`.
    pub(super) async fn inventory(
        &self,
        people: &[Person],
        catalog: &Arc<Catalog>,
        during_syncs: bool,
    ) -> Result<Inventory, LakeError> {
        let newest_run = (!during_syncs).then(|| self.clock.now().plus(-MAX_RUN_SECONDS));
        let candidates: Vec<(Person, Option<Pseudonym>)> = people
            .iter()
            .map(|person| {
                let is_withdrawn = self.owner.is_withdrawn(&person.key);
                if is_withdrawn {
                    self.current.lock().remove(&person.key);
                }
                (person.clone(), (!is_withdrawn).then(|| self.owner.pseudonym(&person.key)))
            })
            .collect();
        let catalog = Arc::clone(catalog);
        blocking(move || {
            let mut inventory =
                Inventory { sources: Vec::new(), tables: Vec::new(), skipped: Vec::new() };
            for (person, pseudonym) in candidates {
                let key = person.key.clone();
                let Some(pseudonym) = pseudonym else {
                    let reason = "it is withdrawn".to_owned();
                    inventory.skipped.push(Skipped { key, reason });
                    continue;
                };
                match examine(&person, &catalog, newest_run) {
                    Ok(Ok((changes, store))) => {
                        if inventory.tables.is_empty() {
                            inventory.tables = LakeTable::all(&catalog, &store)?;
                        }
                        let catalog = Arc::clone(&catalog);
                        let source = Source { key, pseudonym, changes, person, catalog };
                        inventory.sources.push(Arc::new(source));
                    }
                    Ok(Err(reason)) => inventory.skipped.push(Skipped { key, reason }),
                    Err(error) => {
                        inventory.skipped.push(Skipped { key, reason: error.to_string() });
                    }
                }
            }
            Ok(inventory)
        })
        .await
    }

    /// Publishes the changes in one table, in one commit.
    pub(super) async fn publish_table(
        &self,
        table: &LakeTable,
        sources: &[Arc<Source>],
        clock: &StorageClock,
        published: &mut Published,
    ) -> Result<(), LakeError> {
        let log = Log::new(&self.storage, &table.name);
        for _ in 0..ATTEMPTS {
            let snapshot = log.read().await?;
            let (table, meta_data) = merge_columns(&log, table, &snapshot, clock.now_ms())?;
            // After the snapshot: `forget` withdraws a person before it commits.
            let withdrawn = self.owner.stored_withdrawals()?;
            let sources = sources.iter().filter(|source| !withdrawn.contains(&source.key));
            let (work, txns) = plan(&table, sources, &snapshot, clock.now_ms());
            if txns.is_empty() && meta_data.is_none() {
                return Ok(());
            }
            let Some(changes) = self.rewrite_all(&table, &snapshot, work, clock).await? else {
                // Another publisher has removed a file.
                continue;
            };
            let mut actions: Vec<Action> = Vec::new();
            actions.extend(
                meta_data.map(|data| Action { meta_data: Some(data), ..Action::default() }),
            );
            actions
                .extend(txns.into_iter().map(|txn| Action { txn: Some(txn), ..Action::default() }));
            let (added, rows) = (changes.added_files(), changes.rows);
            actions.extend(changes.into_actions());
            let operation = BTreeMap::from([("mode".to_owned(), "Overwrite".to_owned())]);
            if log.commit(&snapshot, "WRITE", operation, actions, clock.now_ms()).await? {
                published.commits += 1;
                published.files += added.len();
                published.rows += rows;
                return log.checkpoint(clock.now_ms()).await;
            }
            self.discard(&table.name, &added).await?;
        }
        Err(LakeError::Contended(table.name.clone()))
    }

    /// Rewrites partitions with the present rows of some people. Returns `None` if a file is gone.
    pub(super) async fn rewrite_all(
        &self,
        table: &LakeTable,
        snapshot: &Snapshot,
        work: BTreeMap<Partition, Vec<Fresh>>,
        clock: &StorageClock,
    ) -> Result<Option<FileChanges>, LakeError> {
        let parallel = std::thread::available_parallelism().map_or(2, usize::from);
        let mut changes = FileChanges::default();
        let mut tasks = JoinSet::new();
        let mut stores = Stores::default();
        let mut is_complete = true;
        for (partition, people) in work {
            let fresh = stores.open(partition.shard, people)?;
            let rewriting = Rewriting {
                storage: self.storage.clone(),
                table: table.clone(),
                partition,
                files: partition.files(snapshot),
                now: clock.now_ms(),
            };
            if tasks.len() >= parallel {
                is_complete &= changes.collect(tasks.join_next().await)?;
            }
            tasks.spawn(rewriting.run(fresh));
        }
        while !tasks.is_empty() {
            is_complete &= changes.collect(tasks.join_next().await)?;
        }
        if !is_complete {
            self.discard(&table.name, &changes.added_files()).await?;
            return Ok(None);
        }
        Ok(Some(changes))
    }

    /// Deletes files that no commit names. A vacuum would come too late for a withdrawal in the
    /// meantime.
    pub(super) async fn discard(&self, table: &str, files: &[String]) -> Result<(), LakeError> {
        for file in files {
            self.storage.delete(&format!("{table}/{file}")).await?;
        }
        Ok(())
    }
}

/// Reads the changes of a data source. The inner `Err` is the reason to skip it.
fn examine(
    person: &Person,
    catalog: &Arc<Catalog>,
    newest_run: Option<Instant>,
) -> Result<Result<(Changes, Store), String>, LakeError> {
    let failed = |error| LakeError::store(&person.key, &error);
    let store = Store::open_existing(&person.database, Arc::clone(catalog)).map_err(failed)?;
    if store.is_outdated().map_err(failed)? {
        return Ok(Err("its tables wait for a rebuild".to_owned()));
    }
    if let Some(since) = newest_run
        && store.inspector().is_syncing(since).map_err(failed)?
    {
        return Ok(Err("a sync is running".to_owned()));
    }
    let changes = store.inspector().changes().map_err(failed)?;
    Ok(changes
        .map(|changes| (changes, store))
        .ok_or_else(|| "its tables wait for a rebuild".to_owned()))
}

/// The present rows of a person in a partition.
pub(super) enum Fresh {
    /// Those in the database.
    Of(Arc<Source>),
    /// None: the person is forgotten.
    None(String),
}

/// The people with changed rows, by partition, and their new versions.
fn plan<'a>(
    table: &LakeTable,
    sources: impl Iterator<Item = &'a Arc<Source>>,
    snapshot: &Snapshot,
    now: i64,
) -> (BTreeMap<Partition, Vec<Fresh>>, Vec<Txn>) {
    let mut work: BTreeMap<Partition, Vec<Fresh>> = BTreeMap::new();
    let mut txns = Vec::new();
    for source in sources {
        let application = source.application();
        let published = snapshot.published(&application);
        let months = table.changed_months(&source.changes);
        let newest = months.values().copied().max().unwrap_or(0);
        if published >= newest {
            continue;
        }
        let shard = source.pseudonym.shard;
        let changed = months.into_iter().filter(|(_, version)| *version > published);
        let mut partitions: Vec<Partition> =
            changed.map(|(month, _)| Partition { shard, month }).collect();
        if published < 0 {
            // Another generation may have published months that are gone.
            partitions.extend(partitions_of(snapshot, &source.pseudonym));
        }
        partitions.sort_unstable();
        partitions.dedup();
        for partition in partitions {
            work.entry(partition).or_default().push(Fresh::Of(Arc::clone(source)));
        }
        txns.push(Txn { app_id: application, version: newest, last_updated: Some(now) });
    }
    (work, txns)
}

/// The partitions that may contain rows of a person.
pub(super) fn partitions_of(
    snapshot: &Snapshot,
    pseudonym: &Pseudonym,
) -> impl Iterator<Item = Partition> {
    snapshot
        .files
        .values()
        .filter(|file| may_contain(file, &pseudonym.name))
        .filter_map(Partition::of)
        .filter(|partition| partition.shard == pseudonym.shard)
}

/// Returns the table with the columns of both the program and the lake, and the description of the
/// table, if the lake needs a new one.
fn merge_columns(
    log: &Log,
    table: &LakeTable,
    snapshot: &Snapshot,
    now: i64,
) -> Result<(LakeTable, Option<MetaData>), LakeError> {
    let Some(stored) = &snapshot.meta_data else {
        let meta_data = MetaData {
            id: uuid::Uuid::new_v4().to_string(),
            name: table.name.clone(),
            description: None,
            format: Format { provider: "parquet".to_owned(), options: BTreeMap::new() },
            schema_string: delta_schema(&table.schema),
            partition_columns: vec!["month".to_owned(), "shard".to_owned()],
            configuration: CONFIGURATION
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            created_time: now,
        };
        return Ok((table.clone(), Some(meta_data)));
    };
    let schema = stored_schema(log, stored)?;
    for field in table.schema.fields() {
        if let Ok(known) = schema.field_with_name(field.name())
            && known.data_type() != field.data_type()
        {
            let detail = format!(
                "its column {} is {}, and this version of the program writes {}",
                field.name(),
                known.data_type(),
                field.data_type()
            );
            return Err(LakeError::Table { table: log.table.clone(), detail });
        }
    }
    let merged = table.with_columns_of(&schema);
    let is_wider = merged.schema.fields().len() > schema.fields().len();
    let meta_data = is_wider
        .then(|| MetaData { schema_string: delta_schema(&merged.schema), ..stored.clone() });
    Ok((merged, meta_data))
}

/// The columns of a table in the lake.
pub(super) fn stored_schema(log: &Log, stored: &MetaData) -> Result<Schema, LakeError> {
    let invalid = |detail| LakeError::Table { table: log.table.clone(), detail };
    if stored.partition_columns != ["month", "shard"] {
        return Err(invalid("it has other partitions than month and shard".to_owned()));
    }
    arrow_schema(&stored.schema_string).map_err(invalid)
}

/// The open databases of the people of one shard.
#[derive(Default)]
struct Stores {
    shard: u8,
    open: HashMap<String, Store>,
}

impl Stores {
    /// Opens the databases of `people`, and closes those of the shard before.
    fn open(
        &mut self,
        shard: u8,
        people: Vec<Fresh>,
    ) -> Result<Vec<(String, Option<Store>)>, LakeError> {
        if self.shard != shard {
            *self = Stores { shard, open: HashMap::new() };
        }
        people
            .into_iter()
            .map(|person| match person {
                Fresh::None(pseudonym) => Ok((pseudonym, None)),
                Fresh::Of(source) => {
                    let pseudonym = source.pseudonym.name.clone();
                    if let Some(store) = self.open.get(&pseudonym) {
                        return Ok((pseudonym, Some(store.clone())));
                    }
                    let store = source.open()?;
                    self.open.insert(pseudonym.clone(), store.clone());
                    Ok((pseudonym, Some(store)))
                }
            })
            .collect()
    }
}

/// The files of a commit.
#[derive(Default)]
pub(super) struct FileChanges {
    pub added: Vec<Add>,
    pub removed: Vec<Remove>,
    pub rows: usize,
}

/// The outcome of rewriting one partition; `None` if a file is gone.
type Outcome = Result<Option<FileChanges>, LakeError>;

impl FileChanges {
    /// Adds the outcome of a task. Returns false if a file was gone.
    fn collect(
        &mut self,
        ended: Option<Result<Outcome, tokio::task::JoinError>>,
    ) -> Result<bool, LakeError> {
        let outcome = match ended {
            None => return Ok(true),
            Some(Ok(outcome)) => outcome?,
            Some(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
        };
        let Some(changes) = outcome else { return Ok(false) };
        self.added.extend(changes.added);
        self.removed.extend(changes.removed);
        self.rows += changes.rows;
        Ok(true)
    }

    /// The paths of the added files in the table's folder.
    pub fn added_files(&self) -> Vec<String> {
        self.added.iter().map(|add| add.path.clone()).collect()
    }

    /// The actions of a commit.
    pub fn into_actions(self) -> impl Iterator<Item = Action> {
        let removed = self.removed.into_iter();
        let added = self.added.into_iter();
        removed
            .map(|remove| Action { remove: Some(remove), ..Action::default() })
            .chain(added.map(|add| Action { add: Some(add), ..Action::default() }))
    }
}

/// The rewriting of one partition.
struct Rewriting {
    storage: Storage,
    table: LakeTable,
    partition: Partition,
    files: Vec<Add>,
    now: i64,
}

impl Rewriting {
    async fn run(self, people: Vec<(String, Option<Store>)>) -> Outcome {
        let mut contents: Vec<Bytes> = Vec::new();
        for file in &self.files {
            let path = format!("{}/{}", self.table.name, file.path);
            let Some(content) = self.storage.read(&path).await? else { return Ok(None) };
            contents.push(content);
        }
        let (table, month) = (self.table.clone(), self.partition.month);
        let rewritten = blocking(move || rewrite_with(&table, contents, people, month)).await?;
        let removed = || self.files.iter().map(|file| file.removal(self.now)).collect();
        match rewritten {
            Rewritten::Unchanged => Ok(Some(FileChanges::default())),
            Rewritten::Empty => {
                Ok(Some(FileChanges { removed: removed(), ..FileChanges::default() }))
            }
            Rewritten::File { content, stats, rows } => {
                let path = self.partition.new_file();
                let add = Add {
                    path: path.clone(),
                    partition_values: self.partition.values(),
                    size: i64::try_from(content.len()).unwrap_or(i64::MAX),
                    modification_time: self.now,
                    data_change: true,
                    stats: Some(stats),
                };
                self.storage.write(&format!("{}/{path}", self.table.name), content).await?;
                Ok(Some(FileChanges { added: vec![add], removed: removed(), rows }))
            }
        }
    }
}

fn rewrite_with(
    table: &LakeTable,
    files: Vec<Bytes>,
    people: Vec<(String, Option<Store>)>,
    month: Option<Month>,
) -> Result<Rewritten, LakeError> {
    let mut fresh = BTreeMap::new();
    for (person, store) in people {
        let rows = match store {
            Some(store) => table.read(&store, month, &person)?,
            None => table.concat(&[])?,
        };
        fresh.insert(person, rows);
    }
    rewrite(table, files, fresh)
}
