//! Converts rows to time series, as `data.LongToWide` and `sqlutil.ResampleWideFrame` in
//! grafana-plugin-sdk-go do.
//!
//! A series frame has one ascending time column, and one field per number column and label
//! combination. Text and boolean columns become labels. A field is built by taking rows of its
//! source column, never value by value.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, TimestampNanosecondArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, TimestampNanosecondType};

use super::budget::FrameBudget;
use super::encode::size;
use super::{Field, FrameError, FrameType, MAX_LABEL, MAX_LABELS};
use crate::query::{Fill, FillMode};

/// Maximum number of values in a wide frame, over all series.
const MAX_CELLS: usize = 20_000_000;

/// Maximum number of series in a wide frame. Each series is a field with its own metadata.
const MAX_SERIES: usize = 10_000;

/// Memory of a number, in bytes.
const NUMBER: usize = 8;

/// Memory of a row while its series is found, in bytes: its time, its label combination and its
/// place.
const ROW: usize = 32;

/// Memory of a label besides its text, in bytes.
const LABEL_OVERHEAD: usize = 64;

/// Maximum number of frames for series that are too sparse for a wide frame.
const MAX_FRAMES: usize = 1_000;

/// The fields of each frame.
pub enum Series {
    /// One frame: the times, then the values, sorted by name and labels.
    Wide(Vec<Field>),
    /// One frame per series with its times and values. Used if a wide frame would be too large
    /// because most of its cells would be empty.
    Multi(Vec<Vec<Field>>),
}

impl Series {
    /// Returns the type of the frames, and the fields of each.
    pub fn into_parts(self) -> (FrameType, Vec<Vec<Field>>) {
        match self {
            Series::Wide(fields) => (FrameType::TimeSeriesWide, vec![fields]),
            Series::Multi(parts) => (FrameType::TimeSeriesMulti, parts),
        }
    }
}

/// Converts rows to series. `fill` adds the missing times of a regular grid. `budget` is charged for
/// each copy.
pub fn series(
    fields: Vec<Field>,
    fill: Option<&Fill>,
    has_metric_labels: bool,
    budget: &mut FrameBudget,
) -> Result<Series, FrameError> {
    let copy = size(&fields);
    // Integers become floats.
    budget.take(copy)?;
    let Shape { time, factors, mut values } = classify(fields)?;
    if has_metric_labels && values.len() > 1 {
        add_metric_labels(&mut values, &factors);
    }
    if time.values.is_empty() {
        // Without rows the labels are unknown, and filling would invent series.
        return Ok(Series::Wide(std::iter::once(time).chain(values).collect()));
    }
    let (time, factors, values) = match time_order(time.values.as_primitive()) {
        Order::Null(row) => return Err(FrameError::NullTime(row + 1)),
        Order::Ascending => (time, factors, values),
        Order::Mixed => {
            budget.take(copy)?;
            let order = rows_by_time(time.values.as_primitive());
            let time = Field { values: take(&time.values, &order, None)?, ..time };
            (time, take_rows(factors, &order)?, take_rows(values, &order)?)
        }
    };
    let (time, mut values) = if factors.is_empty() {
        (time, values)
    } else {
        budget.take(time.values.len() * ROW)?;
        let long = LongFrame::of(time, &factors, values)?;
        match long.check_size() {
            Err(_) if fill.is_none() && long.series_count() <= MAX_FRAMES => {
                budget.take(copy)?;
                return Ok(Series::Multi(long.into_multi()?));
            }
            result => result?,
        }
        budget.take(long.series_count() * long.timestamps.len() * NUMBER)?;
        long.into_wide(fill)?
    };
    let time = match fill {
        Some(fill) => {
            budget.take(values.len() * fill.times.len() * NUMBER)?;
            fill_grid(time, &mut values, fill)?
        }
        None => time,
    };
    let mut fields = vec![time];
    fields.append(&mut values);
    Ok(Series::Wide(fields))
}

/// Converts a table of texts and several number columns to one field for each number, with the
/// texts of its row and the name of its column as labels. `None` for a single number column, which
/// needs no name, and for more than 10,000 numbers.
pub fn numbers(fields: &[Field]) -> Option<Vec<Field>> {
    let (factors, values): (Vec<Field>, Vec<Field>) = fields.iter().cloned().partition(is_factor);
    let rows = values.first()?.values.len();
    if values.len() < 2 || rows * values.len() > MAX_SERIES {
        return None;
    }
    let mut numbers = Vec::with_capacity(rows * values.len());
    for row in 0..rows {
        let texts = factors.iter().map(|factor| {
            let text = factor.values.as_string::<i32>();
            (factor.name.clone(), if text.is_null(row) { "" } else { text.value(row) }.to_owned())
        });
        let labels: BTreeMap<String, String> = texts.collect();
        let mut of_row: Vec<Field> = values
            .iter()
            .map(|value| Field { values: value.values.slice(row, 1), ..value.clone() })
            .collect();
        add_metric_labels(&mut of_row, &factors);
        for number in &mut of_row {
            number.labels.get_or_insert_default().extend(labels.clone());
        }
        numbers.append(&mut of_row);
    }
    Some(numbers)
}

/// The columns by their role in a series.
struct Shape {
    time: Field,
    /// The columns that become labels.
    factors: Vec<Field>,
    values: Vec<Field>,
}

/// Classifies the columns.
///
/// The time is the time column named `time`, or otherwise the first one. Further time columns are
/// values.
fn classify(fields: Vec<Field>) -> Result<Shape, FrameError> {
    let names = || fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
    let named =
        fields.iter().position(|field| field.is_time() && field.name.eq_ignore_ascii_case("time"));
    let index = named
        .or_else(|| fields.iter().position(Field::is_time))
        .ok_or_else(|| FrameError::NoTime(names()))?;
    if fields.iter().enumerate().all(|(other, field)| other == index || is_factor(field)) {
        return Err(FrameError::NoValues(names()));
    }
    let mut fields = fields;
    let time = fields.remove(index);
    let (factors, values): (Vec<_>, Vec<_>) = fields.into_iter().partition(is_factor);
    let values = values.into_iter().map(with_floats).collect::<Result<_, _>>()?;
    Ok(Shape { time, factors, values })
}

/// Gives each value column its name as a label, and as the title that the name alone had given it.
fn add_metric_labels(values: &mut [Field], factors: &[Field]) {
    let is_taken = factors.iter().any(|factor| factor.name == "metric");
    let label = if is_taken { "column" } else { "metric" };
    for value in values {
        let labels = value.labels.get_or_insert_default();
        if labels.is_empty() {
            labels.insert(label.to_owned(), value.name.clone());
            if factors.is_empty() {
                let title = &mut value.config.get_or_insert_default().title;
                title.get_or_insert_with(|| value.name.clone());
            }
        }
    }
}

fn is_factor(field: &Field) -> bool {
    matches!(field.values.data_type(), DataType::Utf8 | DataType::Boolean)
}

fn with_floats(field: Field) -> Result<Field, FrameError> {
    let values =
        if field.is_number() { cast(&field.values, &DataType::Float64)? } else { field.values };
    Ok(Field { values, ..field })
}

enum Order {
    Ascending,
    Mixed,
    /// The first row without a time.
    Null(usize),
}

fn time_order(times: &TimestampNanosecondArray) -> Order {
    match (0..times.len()).find(|row| times.is_null(*row)) {
        Some(row) => Order::Null(row),
        None if times.values().is_sorted() => Order::Ascending,
        None => Order::Mixed,
    }
}

/// Row numbers sorted by time. The sort is stable, so the last row of each time stays last.
fn rows_by_time(times: &TimestampNanosecondArray) -> UInt32Array {
    let times = times.values();
    let mut rows: Vec<u32> = (0..times.len() as u32).collect();
    rows.sort_by_key(|row| times[*row as usize]);
    UInt32Array::from(rows)
}

fn take_rows(fields: Vec<Field>, rows: &UInt32Array) -> Result<Vec<Field>, FrameError> {
    fields
        .into_iter()
        .map(|field| Ok(Field { values: take(&field.values, rows, None)?, ..field }))
        .collect()
}

/// Long rows, grouped into one series per value column and label combination.
struct LongFrame {
    time: Field,
    /// The distinct times in nanoseconds, ascending.
    timestamps: Vec<i64>,
    label_names: Vec<String>,
    values: Vec<Field>,
    /// The label values of each combination.
    labels: Vec<Vec<String>>,
    /// The points of each combination: an index into `timestamps`, and a row. The last row of a
    /// timestamp wins.
    points: Vec<Vec<(usize, u32)>>,
}

impl LongFrame {
    fn of(time: Field, factors: &[Field], values: Vec<Field>) -> Result<LongFrame, FrameError> {
        let mut label_names: Vec<String> = Vec::with_capacity(factors.len());
        for factor in factors {
            if label_names.contains(&factor.name) {
                return Err(FrameError::DuplicateLabel(factor.name.clone()));
            }
            label_names.push(factor.name.clone());
        }
        let long: &TimestampNanosecondArray = time.values.as_primitive();
        let mut timestamps: Vec<i64> = long.values().to_vec();
        timestamps.dedup();

        let Combinations { of_row, labels } = Combinations::of(factors)?;
        check_labels(&labels, &label_names, &values)?;
        let mut points: Vec<Vec<(usize, u32)>> = vec![Vec::new(); labels.len()];
        let mut index = 0;
        for (row, (timestamp, combination)) in (0_u32..).zip(long.values().iter().zip(of_row)) {
            if *timestamp != timestamps[index] {
                index += 1;
            }
            points[combination as usize].push((index, row));
        }
        Ok(LongFrame { time, timestamps, label_names, values, labels, points })
    }

    fn series_count(&self) -> usize {
        self.labels.len().saturating_mul(self.values.len())
    }

    fn check_size(&self) -> Result<(), FrameError> {
        check_size(self.series_count(), self.timestamps.len())
    }

    /// Returns the time field and one field per series. `fill` decides the values of missing rows.
    fn into_wide(self, fill: Option<&Fill>) -> Result<(Field, Vec<Field>), FrameError> {
        let mode = fill.map_or(FillMode::Null, |fill| fill.mode);
        let mut fields = Vec::with_capacity(self.series_count());
        for (texts, points) in self.labels.iter().zip(&self.points) {
            let mut rows = vec![None; self.timestamps.len()];
            for (index, row) in points {
                rows[*index] = Some(*row);
            }
            if mode == FillMode::Previous {
                let mut last = None;
                for row in &mut rows {
                    last = row.or(last);
                    *row = last;
                }
            }
            let rows = UInt32Array::from(rows);
            for value in &self.values {
                let field = self.series_field(value, texts, &rows)?;
                let values = fill_missing(field.values, &rows, mode);
                fields.push((texts, Field { values, ..field }));
            }
        }
        fields
            .sort_by(|(a_labels, a), (b_labels, b)| (&a.name, a_labels).cmp(&(&b.name, b_labels)));
        let fields = fields.into_iter().map(|(_, field)| self.rename(field)).collect();
        Ok((
            Field {
                values: Arc::new(TimestampNanosecondArray::from(self.timestamps)),
                ..self.time
            },
            fields,
        ))
    }

    /// Returns one frame per series: its times and its values.
    fn into_multi(self) -> Result<Vec<Vec<Field>>, FrameError> {
        let mut frames = Vec::with_capacity(self.series_count());
        for (texts, points) in self.labels.iter().zip(&self.points) {
            let last_points =
                points.chunk_by(|(a, _), (b, _)| a == b).filter_map(|same_time| same_time.last());
            let rows: UInt32Array = last_points.map(|(_, row)| *row).collect();
            let times = take(&self.time.values, &rows, None)?;
            for value in &self.values {
                frames.push((texts, times.clone(), self.series_field(value, texts, &rows)?));
            }
        }
        frames.sort_by(|(a_labels, _, a), (b_labels, _, b)| {
            (&a.name, a_labels).cmp(&(&b.name, b_labels))
        });
        let time = |values| Field {
            name: self.time.name.clone(),
            labels: None,
            config: self.time.config.clone(),
            values,
        };
        Ok(frames
            .into_iter()
            .map(|(_, times, field)| vec![time(times), self.rename(field)])
            .collect())
    }

    /// Returns the rows of a value column as a field with labels.
    fn series_field(
        &self,
        value: &Field,
        texts: &[String],
        rows: &UInt32Array,
    ) -> Result<Field, FrameError> {
        let mut labels = value.labels.clone().unwrap_or_default();
        labels.extend(self.label_names.iter().cloned().zip(texts.iter().cloned()));
        let values = take(&value.values, rows, None)?;
        Ok(Field {
            name: value.name.clone(),
            labels: Some(labels),
            config: value.config.clone(),
            values,
        })
    }

    /// Renames a series of a frame with exactly three columns after its label `metric`.
    fn rename(&self, field: Field) -> Field {
        let columns = 1 + self.label_names.len() + self.values.len();
        if columns == 3 { rename_to_metric(field) } else { field }
    }
}

fn check_size(series: usize, times: usize) -> Result<(), FrameError> {
    if series > MAX_SERIES || series.saturating_mul(times) > MAX_CELLS {
        Err(FrameError::TooWide { series, times })
    } else {
        Ok(())
    }
}

/// Checks the size of names and labels. Each value column repeats the labels, and each combination
/// of labels the names.
fn check_labels(
    labels: &[Vec<String>],
    label_names: &[String],
    values: &[Field],
) -> Result<(), FrameError> {
    let texts: usize = labels.iter().map(|texts| label_bytes(texts)).sum();
    let value_names: usize = values.iter().map(|value| value.name.len()).sum();
    let names = label_bytes(label_names) * values.len() + value_names;
    if texts * values.len() + names * labels.len() > MAX_LABELS {
        return Err(FrameError::TooManyLabels);
    }
    Ok(())
}

/// The memory of labels, in bytes.
fn label_bytes(texts: &[String]) -> usize {
    texts.iter().map(|text| LABEL_OVERHEAD + text.len()).sum()
}

/// Replaces the labels of a series by its label `metric` as the name.
///
/// Grafana's SQL data sources named series this way before labels existed.
fn rename_to_metric(field: Field) -> Field {
    match field.labels.as_ref().and_then(|labels| labels.get("metric")) {
        Some(name) => Field { name: name.clone(), labels: None, ..field },
        None => field,
    }
}

/// The label combinations in long rows.
struct Combinations {
    /// The combination of each row, as an index into `labels`.
    of_row: Vec<u32>,
    /// The label values of each combination, in the order of the factors. Null becomes an empty
    /// text.
    labels: Vec<Vec<String>>,
}

impl Combinations {
    fn of(factors: &[Field]) -> Result<Combinations, FrameError> {
        let mut combinations = Combinations {
            of_row: vec![0; factors.first().map_or(0, |factor| factor.values.len())],
            labels: vec![Vec::new()],
        };
        for factor in factors {
            let values: ArrayRef = cast(&factor.values, &DataType::Utf8)?;
            combinations.split(&factor.name, values.as_string::<i32>())?;
        }
        Ok(combinations)
    }

    /// Splits every combination by the values of one more factor.
    fn split(
        &mut self,
        column: &str,
        values: &arrow::array::StringArray,
    ) -> Result<(), FrameError> {
        let mut known: HashMap<(u32, &str), u32> = HashMap::new();
        let mut labels: Vec<Vec<String>> = Vec::new();
        let mut bytes = 0;
        for (row, combination) in self.of_row.iter_mut().enumerate() {
            let text = if values.is_null(row) { "" } else { values.value(row) };
            *combination = match known.entry((*combination, text)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(vacant) => {
                    if text.len() > MAX_LABEL {
                        let column = column.to_owned();
                        return Err(FrameError::LongLabel { column, bytes: text.len() });
                    }
                    let mut texts = self.labels[*combination as usize].clone();
                    texts.push(text.to_owned());
                    bytes += label_bytes(&texts);
                    if bytes > MAX_LABELS {
                        return Err(FrameError::TooManyLabels);
                    }
                    labels.push(texts);
                    *vacant.insert(labels.len() as u32 - 1)
                }
            };
        }
        self.labels = labels;
        Ok(())
    }
}

/// Resamples `values` to the grid of `fill`. Returns the times of the grid.
///
/// Each grid point takes the last row within the step that ends at the point. If there is no row,
/// the mode of `fill` decides the value.
fn fill_grid(time: Field, values: &mut [Field], fill: &Fill) -> Result<Field, FrameError> {
    let [before, grid @ ..] = &*fill.times else { return Ok(time) };
    let nanoseconds = |seconds: i64| seconds.saturating_mul(1_000_000_000);
    let grid: Vec<i64> = grid.iter().copied().map(nanoseconds).collect();
    check_size(values.len(), grid.len())?;
    let times = time.values.as_primitive::<TimestampNanosecondType>().values();
    let mut step_start = nanoseconds(*before);
    // The first row after the grid point.
    let mut next = 0;
    let mut rows = Vec::with_capacity(grid.len());
    for point in &grid {
        let before = next;
        next += times[next..].partition_point(|time| time <= point);
        let is_in_step = next > before && times[next - 1] > step_start;
        let last = next.checked_sub(1).map(|row| row as u32);
        rows.push(last.filter(|_| is_in_step || fill.mode == FillMode::Previous));
        step_start = *point;
    }
    let rows = UInt32Array::from(rows);
    for field in values {
        let found = take(&field.values, &rows, None)?;
        field.values = fill_missing(found, &rows, fill.mode);
    }
    Ok(Field { values: Arc::new(TimestampNanosecondArray::from(grid)), ..time })
}

/// Replaces missing rows by the value of `mode`, if it has one.
fn fill_missing(found: ArrayRef, rows: &UInt32Array, mode: FillMode) -> ArrayRef {
    match (mode, found.as_primitive_opt()) {
        (FillMode::Value(value), Some(numbers)) => with_value(numbers, rows, value),
        _ => found,
    }
}

/// Replaces missing rows by `value`. Nulls of existing rows remain.
fn with_value(found: &Float64Array, rows: &UInt32Array, value: f64) -> ArrayRef {
    let values = (0..found.len()).map(|index| match (rows.is_null(index), found.is_null(index)) {
        (true, _) => Some(value),
        (false, true) => None,
        (false, false) => Some(found.value(index)),
    });
    Arc::new(values.collect::<Float64Array>())
}
