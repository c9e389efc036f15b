//! The ZIP file of Oura's account page (*Export data*): one CSV file for each kind of data, in the
//! folder `App Data`.
//!
//! Oura does not document the format. Programs that read it agree on the following. A file has the
//! name of its collection without underscores, `dailysleep.csv`, and some have a suffix with dates,
//! `dailysleep_2024-01-01_2024-12-31.csv`. Sleep is in `sleepmodel.csv`. Fields are separated by
//! semicolons, in some exports by commas. The first line has the field names of the API. Nested
//! values are JSON, and missing values are empty.
//!
//! Names inside of the archive are only compared, never used as paths.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::catalog::{Catalog, Collection, Kind, Storage};

/// Names of files that differ from the name of their collection.
const OTHER_NAMES: &[(&str, &str)] = &[("sleepmodel", "sleep")];

/// The largest uncompressed size of one file, in bytes. Ten years of heart rate have 250 MB.
const MAX_FILE: u64 = 1 << 30;

/// The longest line, in bytes. A night with its series has 20 kB.
const MAX_LINE: usize = 4 << 20;

/// The maximum number of files in the archive.
const MAX_FILES: usize = 1_000;

/// Rows that are passed on at once. Documents of a collection are always passed on together.
const ROWS_AT_ONCE: usize = 20_000;

/// The largest size of the documents that are passed on together, in bytes.
const MAX_DOCUMENTS: usize = 512 << 20;

/// Digits above which a number is a text, such as a hypnogram.
const MAX_DIGITS: usize = 15;

/// An opened export of Oura's account page.
pub struct AccountExport {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
}

/// A CSV file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// The name in the archive.
    pub name: String,
    /// The name of its collection. `None` for data that the API does not have.
    pub collection: Option<String>,
    place: usize,
}

/// Why an export cannot be read. `Display` includes the remedy.
#[derive(Debug, thiserror::Error)]
pub enum AccountExportError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}. Download it again")]
    Unreadable {
        /// The ZIP file.
        path: PathBuf,
        /// The operating system's or the archive's error.
        source: io::Error,
    },
    /// The archive is damaged, cut off, encrypted, or not a ZIP file.
    #[error("{path} is not a complete ZIP file: {source}. Download it again")]
    Archive {
        /// The ZIP file.
        path: PathBuf,
        /// The finding.
        source: ZipError,
    },
    /// The archive has none of Oura's files.
    #[error(
        "{0} is not an export of Oura's account page: it has no file such as \
         App Data/dailysleep.csv"
    )]
    NotAnExport(PathBuf),
    /// The archive exceeds a limit.
    #[error("{path} is too large: {limit}. Exports of Oura's account page are much smaller")]
    TooLarge {
        /// The ZIP file.
        path: PathBuf,
        /// The limit.
        limit: String,
    },
    /// A file of the archive is not CSV.
    #[error("{name} in the ZIP file is not CSV: {source}. Download the export again")]
    Csv {
        /// The name in the archive.
        name: String,
        /// The finding, with the line.
        source: csv::Error,
    },
}

impl AccountExport {
    /// Opens the ZIP file at `path`.
    pub fn open(path: &Path) -> Result<AccountExport, AccountExportError> {
        let file = File::open(path).map_err(|source| unreadable(path, source))?;
        let archive =
            ZipArchive::new(BufReader::new(file)).map_err(|source| damaged(path, source))?;
        if archive.len() > MAX_FILES {
            let limit = format!("it has more than {MAX_FILES} files");
            return Err(AccountExportError::TooLarge { path: path.to_owned(), limit });
        }
        Ok(AccountExport { path: path.to_owned(), archive })
    }

    /// Lists the CSV files. Fails if none belongs to a collection of `catalog`.
    pub fn files(&self, catalog: &Catalog) -> Result<Vec<ExportedFile>, AccountExportError> {
        let files: Vec<ExportedFile> = self
            .archive
            .file_names()
            .enumerate()
            .filter(|(_, name)| name.to_ascii_lowercase().ends_with(".csv"))
            .map(|(place, name)| ExportedFile {
                name: name.to_owned(),
                collection: collection_of(name, catalog),
                place,
            })
            .collect();
        if files.iter().all(|file| file.collection.is_none()) {
            return Err(AccountExportError::NotAnExport(self.path.clone()));
        }
        Ok(files)
    }

    /// Reads `file` as documents of `collection`, as the API sends them, and passes them to `sink`:
    /// rows in parts, documents all at once.
    pub fn read<E: From<AccountExportError>>(
        &mut self,
        file: &ExportedFile,
        collection: &Collection,
        mut sink: impl FnMut(&[Box<[u8]>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = self.path.clone();
        let too_large = |limit: &str| AccountExportError::TooLarge {
            path: path.clone(),
            limit: format!("{} has {limit}", file.name),
        };
        let entry = self.archive.by_index(file.place).map_err(|error| damaged(&path, error))?;
        if entry.size() > MAX_FILE {
            return Err(too_large("more than 1 GiB").into());
        }
        // The size in the directory may be wrong.
        let mut lines = BufReader::new(Lines { inner: entry.take(MAX_FILE), length: 0 });
        let separator = separator(&mut lines).map_err(|source| unreadable(&path, source))?;
        let mut csv = csv::ReaderBuilder::new()
            .delimiter(separator)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(lines);
        let invalid = |source| AccountExportError::Csv { name: file.name.clone(), source };
        let fields: Vec<Field> = csv
            .headers()
            .map_err(invalid)?
            .iter()
            .map(|name| Field::new(name.trim_start_matches('\u{feff}'), collection))
            .collect();
        let mut documents = Vec::new();
        let mut bytes = 0;
        let mut record = csv::StringRecord::new();
        while csv.read_record(&mut record).map_err(invalid)? {
            let document = document(&fields, &record);
            bytes += document.len();
            documents.push(document);
            if collection.storage == Storage::Rows && documents.len() == ROWS_AT_ONCE {
                sink(&documents)?;
                documents.clear();
                bytes = 0;
            }
            if bytes > MAX_DOCUMENTS {
                return Err(too_large("more than 512 MiB of documents").into());
            }
        }
        if documents.is_empty() { Ok(()) } else { sink(&documents) }
    }
}

fn unreadable(path: &Path, source: io::Error) -> AccountExportError {
    AccountExportError::Unreadable { path: path.to_owned(), source }
}

fn damaged(path: &Path, source: ZipError) -> AccountExportError {
    AccountExportError::Archive { path: path.to_owned(), source }
}

/// Returns the collection of a file in the archive, by its name.
fn collection_of(name: &str, catalog: &Catalog) -> Option<String> {
    let base = name.rsplit(['/', '\\']).next()?.to_ascii_lowercase();
    let stem = base.strip_suffix(".csv")?;
    // Without the dates at the end.
    let stem = stem.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '_');
    let found = |wanted: &str| {
        let known = |collection: &&Collection| collection.table.replace('_', "") == wanted;
        catalog.collections.iter().find(known).map(|collection| collection.name.clone())
    };
    let plain = stem.replace('_', "");
    let named = OTHER_NAMES.iter().find(|(name, _)| *name == plain).map(|(_, name)| *name);
    found(named.unwrap_or(&plain))
}

/// Guesses the separator from the first line.
fn separator(lines: &mut impl io::BufRead) -> io::Result<u8> {
    let start = lines.fill_buf()?;
    let header = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator| header.iter().filter(|byte| **byte == separator).count();
    Ok(if count(b';') >= count(b',') { b';' } else { b',' })
}

/// A column of a CSV file.
struct Field {
    name: String,
    is_text: bool,
}

impl Field {
    fn new(name: &str, collection: &Collection) -> Field {
        let column = collection.columns.iter().find(|column| column.path == [name]);
        let is_text = column
            .is_some_and(|column| matches!(column.kind, Kind::Text | Kind::Day | Kind::Instant));
        Field { name: name.to_owned(), is_text: is_text || name == "id" }
    }

    /// Returns the value as the API sends it. `None` if it is missing.
    fn value(&self, text: &str) -> Option<Value> {
        if text.is_empty() {
            return None;
        }
        let is_text = self.is_text || text.len() > MAX_DIGITS && !text.starts_with(['{', '[']);
        let parsed = if is_text { None } else { serde_json::from_str(text).ok() };
        Some(parsed.unwrap_or_else(|| Value::String(text.to_owned())))
    }
}

fn document(fields: &[Field], record: &csv::StringRecord) -> Box<[u8]> {
    let object: Map<String, Value> = fields
        .iter()
        .zip(record)
        .filter_map(|(field, text)| Some((field.name.clone(), field.value(text)?)))
        .collect();
    Value::Object(object).to_string().into_bytes().into_boxed_slice()
}

/// Fails at a line that is too long, so that a damaged file takes no memory.
struct Lines<R> {
    inner: R,
    length: usize,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.length = match buffer[..read].iter().rposition(|byte| *byte == b'\n') {
            Some(end) => read - end,
            None => self.length + read,
        };
        if self.length > MAX_LINE {
            return Err(io::Error::other("a line has more than 4 MiB"));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_belong_to_collections_by_their_names() {
        let catalog = Catalog::bundled();
        for (name, expected) in [
            ("App Data/dailysleep.csv", Some("daily_sleep")),
            ("App Data/sleepmodel.csv", Some("sleep")),
            ("sleep_2024-01-01_2024-12-31.csv", Some("sleep")),
            ("App Data/SleepTime.csv", Some("sleep_time")),
            ("App Data\\heartrate.csv", Some("heartrate")),
            ("App Data/vo2max.csv", Some("vO2_max")),
            ("App Data/ringbatterylevel.csv", Some("ring_battery_level")),
            ("App Data/dailycardiovascularage.csv", Some("daily_cardiovascular_age")),
            ("../../App Data/workout.csv", Some("workout")),
            ("App Data/temperature.csv", None),
            ("App Data/sleep_notes.csv", None),
            ("App Data/dailysleep.txt", None),
            (".csv", None),
        ] {
            assert_eq!(collection_of(name, &catalog).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn values_have_the_types_of_the_api() {
        let catalog = Catalog::bundled();
        let sleep = catalog.get("sleep").unwrap();
        for (name, text, expected) in [
            ("average_hrv", "41", serde_json::json!(41)),
            ("average_breath", "14.25", serde_json::json!(14.25)),
            ("type", "long_sleep", serde_json::json!("long_sleep")),
            ("id", "12", serde_json::json!("12")),
            ("day", "2026-01-05", serde_json::json!("2026-01-05")),
            ("sleep_phase_5_min", "4443322211123334", serde_json::json!("4443322211123334")),
            ("low_battery_alert", "false", serde_json::json!(false)),
            ("readiness", "{\"score\": 80}", serde_json::json!({"score": 80})),
            ("readiness", "{broken", serde_json::json!("{broken")),
        ] {
            let value = Field::new(name, sleep).value(text);
            assert_eq!(value, Some(expected), "{name}={text}");
        }
        assert_eq!(Field::new("average_hrv", sleep).value(""), None);
    }
}
