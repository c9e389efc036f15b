//! The log of a Delta table: its actions, snapshots, commits and checkpoints.
//!
//! The program writes the oldest version of the protocol (reader 1, writer 2), which every engine
//! reads, and refuses to change a table with a newer one. See docs/adr/0014.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};

use super::error::LakeError;
use super::storage::Storage;

/// The versions of the protocol that the program writes.
const PROTOCOL: Protocol = Protocol { min_reader_version: 1, min_writer_version: 2 };

/// The number of commits from one checkpoint to the next.
const CHECKPOINT_EVERY: u64 = 20;

/// How long the name of a removed file stays in checkpoints, in milliseconds.
const TOMBSTONES_MS: i64 = 7 * 24 * 3600 * 1000;

/// One line of a commit. Exactly one field is set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Action {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_info: Option<CommitInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<MetaData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn: Option<Txn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add: Option<Add>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove: Option<Remove>,
}

/// The author and the purpose of a commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommitInfo {
    pub timestamp: i64,
    pub operation: String,
    #[serde(default)]
    pub operation_parameters: BTreeMap<String, String>,
    #[serde(default)]
    pub engine_info: String,
    /// A random text, by which a writer recognizes its own commit.
    #[serde(default)]
    pub txn_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub min_reader_version: u32,
    pub min_writer_version: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetaData {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub format: Format,
    pub schema_string: String,
    pub partition_columns: Vec<String>,
    pub configuration: BTreeMap<String, String>,
    pub created_time: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Format {
    pub provider: String,
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// The last version that an application published. The row of a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Txn {
    pub app_id: String,
    pub version: i64,
    pub last_updated: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Add {
    /// The path below the table's folder.
    pub path: String,
    pub partition_values: BTreeMap<String, String>,
    pub size: i64,
    pub modification_time: i64,
    pub data_change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub path: String,
    pub deletion_timestamp: Option<i64>,
    pub data_change: bool,
    #[serde(default)]
    pub extended_file_metadata: Option<bool>,
    #[serde(default)]
    pub partition_values: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub size: Option<i64>,
}

impl Add {
    /// The action that removes this file.
    pub fn removal(&self, now: i64) -> Remove {
        Remove {
            path: self.path.clone(),
            deletion_timestamp: Some(now),
            data_change: true,
            extended_file_metadata: Some(true),
            partition_values: Some(self.partition_values.clone()),
            size: Some(self.size),
        }
    }
}

/// A table at one version.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// The number of the last commit. `None` for a table that does not exist.
    pub version: Option<u64>,
    pub protocol: Option<Protocol>,
    pub meta_data: Option<MetaData>,
    /// The files by path.
    pub files: BTreeMap<String, Add>,
    /// The removed files by path.
    pub removed: HashMap<String, Remove>,
    /// The published version by application.
    pub txns: HashMap<String, Txn>,
    /// The version of the checkpoint that was read.
    checkpoint: Option<u64>,
}

impl Snapshot {
    fn apply(&mut self, action: Action) {
        if let Some(protocol) = action.protocol {
            self.protocol = Some(protocol);
        }
        if let Some(meta_data) = action.meta_data {
            self.meta_data = Some(meta_data);
        }
        if let Some(txn) = action.txn {
            self.txns.insert(txn.app_id.clone(), txn);
        }
        if let Some(add) = action.add {
            self.removed.remove(&add.path);
            self.files.insert(add.path.clone(), add);
        }
        if let Some(remove) = action.remove {
            self.files.remove(&remove.path);
            self.removed.insert(remove.path.clone(), remove);
        }
    }

    /// The version that `application` published, or -1.
    pub fn published(&self, application: &str) -> i64 {
        self.txns.get(application).map_or(-1, |txn| txn.version)
    }

    /// All actions that a checkpoint contains.
    fn actions(&self, now: i64) -> Vec<Action> {
        let mut actions = vec![
            Action { protocol: self.protocol, ..Action::default() },
            Action { meta_data: self.meta_data.clone(), ..Action::default() },
        ];
        let txns = self.txns.values().cloned();
        actions.extend(txns.map(|txn| Action { txn: Some(txn), ..Action::default() }));
        let adds = self.files.values().cloned().map(|add| Add { data_change: false, ..add });
        actions.extend(adds.map(|add| Action { add: Some(add), ..Action::default() }));
        let recent = self
            .removed
            .values()
            .filter(|remove| remove.deletion_timestamp.is_some_and(|at| at > now - TOMBSTONES_MS));
        let removes = recent.cloned().map(|remove| Remove { data_change: false, ..remove });
        actions.extend(removes.map(|remove| Action { remove: Some(remove), ..Action::default() }));
        actions
    }
}

/// The pointer to the newest checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct LastCheckpoint {
    version: u64,
    size: usize,
}

/// The log of one table.
#[derive(Clone, Debug)]
pub(super) struct Log {
    storage: Storage,
    /// The table, which is also its folder.
    pub table: String,
}

impl Log {
    pub fn new(storage: &Storage, table: &str) -> Log {
        Log { storage: storage.clone(), table: table.to_owned() }
    }

    fn path(&self, name: &str) -> String {
        format!("{}/_delta_log/{name}", self.table)
    }

    fn invalid(&self, detail: impl std::fmt::Display) -> LakeError {
        LakeError::Table { table: self.table.clone(), detail: detail.to_string() }
    }

    /// Reads the newest version.
    pub async fn read(&self) -> Result<Snapshot, LakeError> {
        let mut snapshot = Snapshot::default();
        let pointer = self.storage.read(&self.path("_last_checkpoint")).await?;
        let pointer = pointer.and_then(|text| serde_json::from_slice::<LastCheckpoint>(&text).ok());
        if let Some(LastCheckpoint { version, .. }) = pointer
            && let Some(content) = self.storage.read(&self.path(&checkpoint_name(version))).await?
        {
            for action in read_checkpoint(content).map_err(|error| self.invalid(error))? {
                snapshot.apply(action);
            }
            snapshot.version = Some(version);
            snapshot.checkpoint = Some(version);
        }
        // The next commit is found by its name, without a list of all of them.
        loop {
            let next = snapshot.version.map_or(0, |version| version + 1);
            let Some(content) = self.storage.read(&self.path(&commit_name(next))).await? else {
                break;
            };
            for line in content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let action = serde_json::from_slice(line)
                    .map_err(|error| self.invalid(format!("commit {next}: {error}")))?;
                snapshot.apply(action);
            }
            snapshot.version = Some(next);
        }
        match snapshot.protocol {
            Some(protocol) if protocol > PROTOCOL => Err(self.invalid(format!(
                "its protocol is {}/{}, because another program changed it",
                protocol.min_reader_version, protocol.min_writer_version
            ))),
            None if snapshot.version.is_some() => Err(self.invalid("its log has no protocol")),
            _ => Ok(snapshot),
        }
    }

    /// Writes the commit after `snapshot`. Returns false if another process wrote one before.
    pub async fn commit(
        &self,
        snapshot: &Snapshot,
        operation: &str,
        parameters: BTreeMap<String, String>,
        actions: Vec<Action>,
        now: i64,
    ) -> Result<bool, LakeError> {
        let version = snapshot.version.map_or(0, |version| version + 1);
        let id = uuid::Uuid::new_v4().to_string();
        let info = CommitInfo {
            timestamp: now,
            operation: operation.to_owned(),
            operation_parameters: parameters,
            engine_info: concat!("Ringside/", env!("CARGO_PKG_VERSION")).to_owned(),
            txn_id: id.clone(),
        };
        let mut lines = vec![Action { commit_info: Some(info), ..Action::default() }];
        if snapshot.version.is_none() {
            lines.push(Action { protocol: Some(PROTOCOL), ..Action::default() });
        }
        lines.extend(actions);
        let mut content = Vec::new();
        for line in &lines {
            serde_json::to_writer(&mut content, line).map_err(|error| self.invalid(error))?;
            content.push(b'\n');
        }
        let name = self.path(&commit_name(version));
        if self.storage.create(&name, content.into()).await? {
            return Ok(true);
        }
        // The commit is this one if the answer to an earlier attempt was lost.
        let found = self.storage.read(&name).await?.unwrap_or_default();
        Ok(found.windows(id.len()).any(|part| part == id.as_bytes()))
    }

    /// Writes a checkpoint if the last one is old. Readers work without it, but slower.
    pub async fn checkpoint(&self, now: i64) -> Result<(), LakeError> {
        let snapshot = self.read().await?;
        let Some(version) = snapshot.version else { return Ok(()) };
        if version < snapshot.checkpoint.unwrap_or(0) + CHECKPOINT_EVERY {
            return Ok(());
        }
        let actions = snapshot.actions(now);
        let content = write_checkpoint(&actions).map_err(|error| self.invalid(error))?;
        self.storage.write(&self.path(&checkpoint_name(version)), content).await?;
        let pointer = serde_json::to_vec(&LastCheckpoint { version, size: actions.len() })
            .map_err(|error| self.invalid(error))?;
        self.storage.write(&self.path("_last_checkpoint"), pointer.into()).await
    }

    /// Deletes the commits and checkpoints before the newest checkpoint that were written before
    /// `oldest`, in milliseconds since 1970.
    pub async fn clean(&self, snapshot: &Snapshot, oldest: i64) -> Result<(), LakeError> {
        let Some(checkpoint) = snapshot.checkpoint else { return Ok(()) };
        for file in self.storage.list(&format!("{}/_delta_log", self.table)).await? {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            let version = name.get(..20).and_then(|digits| digits.parse::<u64>().ok());
            if version.is_some_and(|version| version < checkpoint) && file.written < oldest {
                self.storage.delete(&file.path).await?;
            }
        }
        Ok(())
    }
}

fn commit_name(version: u64) -> String {
    format!("{version:020}.json")
}

fn checkpoint_name(version: u64) -> String {
    format!("{version:020}.checkpoint.parquet")
}

/// The columns of a checkpoint, as Delta's protocol defines them.
fn checkpoint_schema() -> Schema {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let small = |name: &str| Field::new(name, DataType::Int32, true);
    let flag = |name: &str| Field::new(name, DataType::Boolean, true);
    let map = |name: &str| {
        let key = Arc::new(Field::new("key", DataType::Utf8, false));
        Field::new_map(name, "key_value", key, Arc::new(text("value")), false, true)
    };
    let group = |name: &str, fields: Vec<Field>| {
        Field::new(name, DataType::Struct(Fields::from(fields)), true)
    };
    let element = Arc::new(text("element"));
    Schema::new(vec![
        group("txn", vec![text("appId"), number("version"), number("lastUpdated")]),
        group(
            "add",
            vec![
                text("path"),
                map("partitionValues"),
                number("size"),
                number("modificationTime"),
                flag("dataChange"),
                text("stats"),
            ],
        ),
        group(
            "remove",
            vec![
                text("path"),
                number("deletionTimestamp"),
                flag("dataChange"),
                flag("extendedFileMetadata"),
                map("partitionValues"),
                number("size"),
            ],
        ),
        group(
            "metaData",
            vec![
                text("id"),
                text("name"),
                text("description"),
                group("format", vec![text("provider"), map("options")]),
                text("schemaString"),
                Field::new("partitionColumns", DataType::List(element), true),
                map("configuration"),
                number("createdTime"),
            ],
        ),
        group("protocol", vec![small("minReaderVersion"), small("minWriterVersion")]),
    ])
}

fn write_checkpoint(actions: &[Action]) -> Result<Bytes, LakeError> {
    let schema = Arc::new(checkpoint_schema());
    let mut decoder = ReaderBuilder::new(Arc::clone(&schema))
        .with_batch_size(actions.len().max(1))
        .build_decoder()?;
    decoder.serialize(actions)?;
    let batch = decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(&schema)));
    let mut content = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut content, schema, None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(content.into())
}

fn read_checkpoint(content: Bytes) -> Result<Vec<Action>, LakeError> {
    let mut lines = LineDelimitedWriter::new(Vec::new());
    for batch in ParquetRecordBatchReaderBuilder::try_new(content)?.build()? {
        lines.write(&batch?)?;
    }
    lines.finish()?;
    let lines = lines.into_inner();
    lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            serde_json::from_slice(line).map_err(|error| {
                LakeError::Parquet(parquet::errors::ParquetError::External(Box::new(error)))
            })
        })
        .collect()
}

/// The paths of removed files that no snapshot since `oldest` needs.
pub(super) fn outdated(snapshot: &Snapshot, oldest: i64) -> BTreeSet<String> {
    let is_old = |remove: &&Remove| remove.deletion_timestamp.unwrap_or(0) < oldest;
    snapshot.removed.values().filter(is_old).map(|remove| remove.path.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, Log) {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path().to_str().unwrap(), true).unwrap();
        (folder, Log::new(&storage, "sleep"))
    }

    fn add(path: &str) -> Action {
        let add = Add {
            path: path.to_owned(),
            partition_values: BTreeMap::from([("month".to_owned(), "2026-01".to_owned())]),
            size: 7,
            modification_time: 1,
            data_change: true,
            stats: Some("{\"numRecords\":1}".to_owned()),
        };
        Action { add: Some(add), ..Action::default() }
    }

    fn meta_data() -> Action {
        let meta_data = MetaData {
            id: "id".to_owned(),
            name: "sleep".to_owned(),
            description: None,
            format: Format { provider: "parquet".to_owned(), options: BTreeMap::new() },
            schema_string: "{}".to_owned(),
            partition_columns: vec!["month".to_owned(), "shard".to_owned()],
            configuration: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            created_time: 5,
        };
        Action { meta_data: Some(meta_data), ..Action::default() }
    }

    #[tokio::test]
    async fn only_one_of_two_commits_after_a_snapshot_succeeds() {
        let (_folder, log) = place();
        let none = log.read().await.unwrap();
        let commit = |path: &str| vec![meta_data(), add(path)];
        assert!(log.commit(&none, "WRITE", BTreeMap::new(), commit("a"), 1).await.unwrap());
        assert!(!log.commit(&none, "WRITE", BTreeMap::new(), commit("b"), 1).await.unwrap());
        let files: Vec<String> = log.read().await.unwrap().files.into_keys().collect();
        assert_eq!(files, ["a"]);
    }

    #[tokio::test]
    async fn checkpoint_and_commits_give_the_same_snapshot() {
        let (folder, log) = place();
        let now = 1_000_000;
        for version in 0..=i64::try_from(CHECKPOINT_EVERY).unwrap() {
            let before = log.read().await.unwrap();
            let mut actions = vec![add(&format!("file-{version}"))];
            if version == 0 {
                actions.push(meta_data());
            }
            if let Some(old) = before.files.values().next() {
                let remove = old.removal(now);
                actions.push(Action { remove: Some(remove), ..Action::default() });
            }
            let txn = Txn { app_id: "person".to_owned(), version, last_updated: Some(now) };
            actions.push(Action { txn: Some(txn), ..Action::default() });
            assert!(log.commit(&before, "WRITE", BTreeMap::new(), actions, now).await.unwrap());
        }
        let replayed = log.read().await.unwrap();
        log.checkpoint(now).await.unwrap();
        for version in 0..=CHECKPOINT_EVERY {
            let name = folder.path().join("sleep/_delta_log").join(commit_name(version));
            std::fs::remove_file(name).unwrap();
        }
        let restored = log.read().await.unwrap();
        assert_eq!(restored.version, Some(CHECKPOINT_EVERY));
        assert_eq!(restored.protocol, Some(PROTOCOL));
        assert_eq!(restored.meta_data, replayed.meta_data);
        assert_eq!(restored.txns, replayed.txns);
        let paths = |snapshot: &Snapshot| snapshot.files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(paths(&restored), paths(&replayed));
        assert_eq!(restored.removed.len(), replayed.removed.len());
    }

    #[tokio::test]
    async fn newer_protocol_is_refused() {
        let (folder, log) = place();
        let path = folder.path().join("sleep/_delta_log");
        std::fs::create_dir_all(&path).unwrap();
        let line =
            r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":[]}}"#;
        std::fs::write(path.join(commit_name(0)), line).unwrap();
        let error = log.read().await.unwrap_err().to_string();
        assert!(error.contains("sleep") && error.contains("3/7"), "{error}");
    }
}
