//! The tables of a lake: their columns, and the statements that read their rows from a database.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant as StdInstant};

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, RecordBatch, StringArray, new_null_array,
};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use serde_json::{Value, json};

use super::error::LakeError;
use crate::catalog::{Catalog, Collection, Storage};
use crate::sql::{TokenizedSql, quote_identifier};
use crate::store::{Changes, ReadLimits, SAMPLES, Scalar, Store};
use crate::time::{Day, Instant, Month, Tz};

/// Columns that name a person at Oura. A lake has pseudonyms instead.
const IDENTIFYING: &[(&str, &str)] = &[("personal_info", "email"), ("personal_info", "id")];

/// The views that a lake contains.
const VIEWS: &[&str] = &["days", "nights"];

/// The limits of reading one month of one table.
const READ_TIMEOUT: Duration = Duration::from_secs(3600);
const MAX_BYTES: usize = 4 << 30;
const MAX_MEMORY: usize = 1 << 30;

/// How the rows of a month are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Documents have a day. A month has its days.
    Days,
    /// Rows have a time. Their days and months are those of the wearer.
    LocalTimes,
    /// Samples have a time and the day of their document. Their months are those of their times
    /// in UTC.
    Times,
}

/// A table of a lake.
#[derive(Clone, Debug)]
pub(super) struct LakeTable {
    pub name: String,
    source: Source,
    /// The tables of the database from which the rows derive.
    changes: Vec<String>,
    /// The columns of a file. The table's partitions are `month` and `shard`.
    pub schema: SchemaRef,
}

impl LakeTable {
    /// Returns the tables of `catalog`, with the columns of `store`.
    pub fn all(catalog: &Catalog, store: &Store) -> Result<Vec<LakeTable>, LakeError> {
        let documents = catalog
            .collections
            .iter()
            .filter(|collection| collection.storage == Storage::Documents);
        let documents: Vec<String> = documents.map(|collection| collection.table.clone()).collect();
        let mut wanted: Vec<(&str, Source, Vec<String>)> = catalog
            .collections
            .iter()
            .map(|collection| {
                let source = match collection.storage {
                    Storage::Documents => Source::Days,
                    Storage::Rows => Source::LocalTimes,
                };
                (collection.table.as_str(), source, vec![collection.table.clone()])
            })
            .collect();
        wanted.push((SAMPLES, Source::Times, vec![SAMPLES.to_owned()]));
        wanted.extend(VIEWS.iter().map(|view| (*view, Source::Days, documents.clone())));
        let mut tables = Vec::new();
        for (name, source, changes) in wanted {
            let columns = store
                .inspector()
                .columns(name)
                .map_err(|error| LakeError::store(&store.path().display().to_string(), &error))?;
            if columns.is_empty() {
                continue;
            }
            let collection = catalog.collections.iter().find(|collection| collection.table == name);
            let schema = Arc::new(schema(name, &columns, collection));
            tables.push(LakeTable { name: name.to_owned(), source, changes, schema });
        }
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(tables)
    }

    /// A table in the lake with these columns, which no database is read for.
    pub fn stored(name: &str, schema: SchemaRef) -> LakeTable {
        LakeTable { name: name.to_owned(), source: Source::Days, changes: Vec::new(), schema }
    }

    /// Returns the version of the last change of each month. `None` stands for rows without a day.
    pub fn changed_months(&self, changes: &Changes) -> BTreeMap<Option<Month>, i64> {
        let mut months = BTreeMap::new();
        for (month, version) in
            self.changes.iter().filter_map(|table| changes.months.get(table)).flatten()
        {
            let known = months.entry(*month).or_insert(*version);
            *known = (*known).max(*version);
        }
        months
    }

    /// Returns a table with the columns of `other` as well, in their order.
    pub fn with_columns_of(&self, other: &Schema) -> LakeTable {
        let mut fields: Vec<_> = other.fields().iter().cloned().collect();
        fields.extend(
            self.schema
                .fields()
                .iter()
                .filter(|field| other.field_with_name(field.name()).is_err())
                .cloned(),
        );
        LakeTable { schema: Arc::new(Schema::new(fields)), ..self.clone() }
    }

    /// Reads the rows of one month of a person, sorted by time.
    pub fn read(
        &self,
        store: &Store,
        month: Option<Month>,
        person: &str,
    ) -> Result<RecordBatch, LakeError> {
        let stored: Vec<&str> = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .filter(|name| {
                *name != "person" && (*name != "day" || self.source != Source::LocalTimes)
            })
            .collect();
        let (condition, params) = self.condition(month, store.zone());
        let names: Vec<String> = stored.iter().map(|name| quote_identifier(name)).collect();
        let statement = format!(
            "SELECT {} FROM {} WHERE {condition} ORDER BY time",
            names.join(", "),
            quote_identifier(&self.name)
        );
        let limits = ReadLimits {
            deadline: StdInstant::now() + READ_TIMEOUT,
            max_rows: usize::MAX,
            max_bytes: MAX_BYTES,
            max_memory: MAX_MEMORY,
            tables: None,
            cancelled: Arc::new(AtomicBool::new(false)),
        };
        let sql = TokenizedSql::new(&statement);
        let rows = store
            .read(&sql, &params, &limits)
            .map_err(|error| LakeError::read(&store.path().display().to_string(), &error))?;
        let count = rows.rows;
        let found: HashMap<&str, ArrayRef> = stored
            .iter()
            .zip(&rows.columns)
            .map(|(name, column)| (*name, Arc::clone(&column.values)))
            .collect();
        let columns =
            self.schema
                .fields()
                .iter()
                .map(|field| match (field.name().as_str(), found.get(field.name().as_str())) {
                    ("person", _) => Ok(Arc::new(StringArray::from_iter_values(
                        std::iter::repeat_n(person, count),
                    )) as ArrayRef),
                    (_, Some(values)) => convert(values, field.data_type()),
                    ("day", None) => local_days(found.get("time"), store.zone(), count),
                    (_, None) => Ok(new_null_array(field.data_type(), count)),
                })
                .collect::<Result<Vec<ArrayRef>, LakeError>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// The condition that selects the rows of a month, and its parameters.
    fn condition(&self, month: Option<Month>, zone: Tz) -> (&'static str, Vec<Scalar>) {
        let Some(month) = month else {
            // Rows without a time cannot be stored.
            return match self.source {
                Source::Days => ("day IS NULL", Vec::new()),
                Source::LocalTimes | Source::Times => ("time IS NULL", Vec::new()),
            };
        };
        let (from, to) = (month.first(), month.next().first());
        let times = |zone| [from, to].map(|day| Scalar::Integer(day.midnight(zone).seconds()));
        match self.source {
            Source::Days => (
                "day >= ?1 AND day < ?2",
                [from, to].map(|day| Scalar::Text(day.to_string())).into(),
            ),
            Source::LocalTimes => ("time >= ?1 AND time < ?2", times(zone).into()),
            Source::Times => ("time >= ?1 AND time < ?2", times(Tz::UTC).into()),
        }
    }

    /// Returns `batch` with exactly the columns of this table. Missing ones are null.
    pub fn align(&self, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
        let columns = self
            .schema
            .fields()
            .iter()
            .map(|field| match batch.column_by_name(field.name()) {
                Some(values) => convert(values, field.data_type()),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            })
            .collect::<Result<Vec<ArrayRef>, LakeError>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// Joins batches of this table.
    pub fn concat(&self, batches: &[RecordBatch]) -> Result<RecordBatch, LakeError> {
        Ok(concat_batches(&self.schema, batches)?)
    }
}

/// The columns of a table: `person`, `day` and `time`, then the others.
fn schema(table: &str, columns: &[(String, String)], collection: Option<&Collection>) -> Schema {
    let described = |name: &str, data_type: DataType, description: String| {
        let metadata = (!description.is_empty()).then(|| ("comment".to_owned(), description));
        Field::new(name, data_type, true)
            .with_metadata(metadata.into_iter().collect::<HashMap<String, String>>())
    };
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![
        described("person", DataType::Utf8, "Pseudonym of the wearer".to_owned()),
        described("day", DataType::Date32, "Day by the wearer's calendar".to_owned()),
        described("time", time.clone(), "Start, in UTC".to_owned()),
    ];
    for (name, declared) in columns {
        let is_fixed = name == "day" || name == "time";
        if is_fixed || IDENTIFYING.contains(&(table, name.as_str())) {
            continue;
        }
        let column = collection
            .and_then(|collection| collection.columns.iter().find(|column| column.name == *name));
        let mut description = column.map_or("", |column| column.description).to_owned();
        if let Some(unit) = column.and_then(|column| column.unit) {
            description = format!("{description} ({})", unit.0).trim().to_owned();
        }
        let declared = declared.to_ascii_uppercase();
        let data_type = match declared.as_str() {
            "TIMESTAMP" => time.clone(),
            "DATE" => DataType::Date32,
            "BOOLEAN" => DataType::Boolean,
            "REAL" | "NUM" | "NUMERIC" => DataType::Float64,
            number if number.contains("INT") => DataType::Int64,
            _ => DataType::Utf8,
        };
        fields.push(described(name, data_type, description));
    }
    Schema::new(fields)
}

/// Converts values to a column's type. A value that does not fit becomes null.
fn convert(values: &ArrayRef, to: &DataType) -> Result<ArrayRef, LakeError> {
    if values.data_type() == to {
        return Ok(Arc::clone(values));
    }
    Ok(match (values.data_type(), to) {
        (DataType::Timestamp(_, None), DataType::Timestamp(TimeUnit::Microsecond, Some(_))) => {
            let times = cast(values, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            let times = times.as_primitive::<TimestampMicrosecondType>().clone();
            Arc::new(times.with_timezone("UTC"))
        }
        _ => cast(values, to)?,
    })
}

/// The local days of times.
fn local_days(times: Option<&ArrayRef>, zone: Tz, count: usize) -> Result<ArrayRef, LakeError> {
    let Some(times) = times else { return Ok(new_null_array(&DataType::Date32, count)) };
    let seconds = cast(times, &DataType::Timestamp(TimeUnit::Second, None))?;
    let seconds = seconds.as_primitive::<arrow::datatypes::TimestampSecondType>();
    let epoch = Day::new(1970, 1, 1).unwrap_or_else(|| Instant(0).day(Tz::UTC));
    // Most times are on the day of the time before.
    let mut last = Instant(0)..Instant(0);
    let mut number = 0;
    let days = seconds.iter().map(|seconds| {
        let at = Instant(seconds?);
        if !last.contains(&at) {
            let day = at.day(zone);
            last = day.midnight(zone)..day.plus(1).midnight(zone);
            number = i32::try_from(epoch.until(day)).ok()?;
        }
        Some(number)
    });
    Ok(Arc::new(days.collect::<Date32Array>()))
}

/// Returns the schema in Delta's JSON, with the partition columns.
pub(super) fn delta_schema(schema: &Schema) -> String {
    let field = |name: &str, kind: &str, comment: Option<&String>| {
        let metadata = comment.map_or_else(|| json!({}), |comment| json!({ "comment": comment }));
        json!({ "name": name, "type": kind, "nullable": true, "metadata": metadata })
    };
    let mut fields: Vec<Value> = schema
        .fields()
        .iter()
        .map(|column| {
            field(column.name(), delta_type(column.data_type()), column.metadata().get("comment"))
        })
        .collect();
    fields.push(field("month", "string", None));
    fields.push(field("shard", "integer", None));
    json!({ "type": "struct", "fields": fields }).to_string()
}

/// The name of a column's type in Delta's schema.
pub(super) fn delta_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 => "date",
        DataType::Boolean => "boolean",
        DataType::Float64 => "double",
        DataType::Int64 => "long",
        _ => "string",
    }
}

/// Reads Delta's JSON schema, without the partition columns. `Err` names a column of another type.
pub(super) fn arrow_schema(text: &str) -> Result<Schema, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut fields = Vec::new();
    for column in value["fields"].as_array().into_iter().flatten() {
        let name = column["name"].as_str().unwrap_or_default();
        if name == "month" || name == "shard" {
            continue;
        }
        let data_type = match column["type"].as_str() {
            Some("timestamp") => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Some("date") => DataType::Date32,
            Some("boolean") => DataType::Boolean,
            Some("double") => DataType::Float64,
            Some("long") => DataType::Int64,
            Some("string") => DataType::Utf8,
            _ => return Err(format!("its column {name} has the type {}", column["type"])),
        };
        let comment = column["metadata"]["comment"].as_str();
        let metadata = comment.map(|comment| ("comment".to_owned(), comment.to_owned()));
        fields.push(
            Field::new(name, data_type, true)
                .with_metadata(metadata.into_iter().collect::<HashMap<String, String>>()),
        );
    }
    Ok(Schema::new(fields))
}
