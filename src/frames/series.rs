//! Rows → time series, as grafana-plugin-sdk-go does it in `data.LongToWide` and `sqlutil.ResampleWideFrame`.
//!
//! One time column, ascending; one field per column of numbers and combination of labels, which come from the columns of text and
//! booleans. Nothing is copied value by value: a field is its source column taken by row numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, TimestampNanosecondArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, TimestampNanosecondType};

use super::{Field, FrameError};
use crate::query::{Fill, FillMode};

/// The most values a wide frame may have, all series together.
const MAX_CELLS: usize = 20_000_000;

/// The most series a wide frame may have: each is a field, with a description of its own.
const MAX_SERIES: usize = 10_000;

/// The most frames that series too sparse for a wide one are given in.
const MAX_FRAMES: usize = 1_000;

/// The fields of each frame.
pub enum Series {
    /// One frame: the time, then the values, sorted by name and labels.
    Wide(Vec<Field>),
    /// Where most cells of a wide frame would be empty, and it too large: one for each series, its own times and its values.
    Multi(Vec<Vec<Field>>),
}

/// Rows as series.
pub fn series(fields: Vec<Field>, fill: Option<Fill>) -> Result<Series, FrameError> {
    let Shape { time, factors, values } = shape(fields)?;
    if time.values.is_empty() {
        // No labels are known yet, and nothing is filled.
        return Ok(Series::Wide(std::iter::once(time).chain(values).collect()));
    }
    let (time, factors, values) = match ascending(time.values.as_primitive()) {
        Order::Null(row) => return Err(FrameError::NullTime(row + 1)),
        Order::Ascending => (time, factors, values),
        Order::Mixed => {
            let order = in_order(time.values.as_primitive());
            let time = Field { values: take(&time.values, &order, None)?, ..time };
            (time, taken(factors, &order)?, taken(values, &order)?)
        }
    };
    let (time, mut values) = if factors.is_empty() {
        (time, values)
    } else {
        let long = LongFrame::of(time, &factors, values)?;
        match long.within_bounds() {
            Err(_) if fill.is_none() && long.series() <= MAX_FRAMES => {
                return Ok(Series::Multi(long.multi()?));
            }
            within => within?,
        }
        long.wide(fill)?
    };
    let time = match fill {
        Some(fill) => filled(time, &mut values, fill)?,
        None => time,
    };
    let mut fields = vec![time];
    fields.append(&mut values);
    Ok(Series::Wide(fields))
}

/// The parts that columns play in a series.
struct Shape {
    time: Field,
    factors: Vec<Field>,
    values: Vec<Field>,
}

/// The time is the column named so, else the first of times; further times are values.
fn shape(fields: Vec<Field>) -> Result<Shape, FrameError> {
    let names = || fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
    let named =
        fields.iter().position(|field| field.is_time() && field.name.eq_ignore_ascii_case("time"));
    let at = named
        .or_else(|| fields.iter().position(Field::is_time))
        .ok_or_else(|| FrameError::NoTime(names()))?;
    if fields.iter().enumerate().all(|(index, field)| index == at || is_factor(field)) {
        return Err(FrameError::NoValues(names()));
    }
    let mut fields = fields;
    let time = fields.remove(at);
    let (factors, values): (Vec<_>, Vec<_>) = fields.into_iter().partition(is_factor);
    let values = values.into_iter().map(with_floats).collect::<Result<_, _>>()?;
    Ok(Shape { time, factors, values })
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

fn ascending(times: &TimestampNanosecondArray) -> Order {
    match (0..times.len()).find(|row| times.is_null(*row)) {
        Some(row) => Order::Null(row),
        None if times.values().is_sorted() => Order::Ascending,
        None => Order::Mixed,
    }
}

/// Rows by time; of the same time as they came, so that the last stays the last.
fn in_order(times: &TimestampNanosecondArray) -> UInt32Array {
    let times = times.values();
    let mut rows: Vec<u32> = (0..times.len() as u32).collect();
    rows.sort_by_key(|row| times[*row as usize]);
    UInt32Array::from(rows)
}

fn taken(fields: Vec<Field>, rows: &UInt32Array) -> Result<Vec<Field>, FrameError> {
    fields
        .into_iter()
        .map(|field| Ok(Field { values: take(&field.values, rows, None)?, ..field }))
        .collect()
}

/// LongFrame rows, told apart: one series per value column and combination of labels.
struct LongFrame {
    time: Field,
    /// Each moment once.
    timestamps: Vec<i64>,
    names: Vec<String>,
    values: Vec<Field>,
    labels: Vec<Vec<String>>,
    /// For each combination of labels its points: which moment, and the row that fills it. Of several in one moment the last counts.
    points: Vec<Vec<(usize, u32)>>,
}

impl LongFrame {
    fn of(time: Field, factors: &[Field], values: Vec<Field>) -> Result<LongFrame, FrameError> {
        let names: Vec<_> = factors.iter().map(|factor| factor.name.clone()).collect();
        if let Some(name) = names
            .iter()
            .enumerate()
            .find_map(|(index, name)| names[..index].contains(name).then_some(name))
        {
            return Err(FrameError::DuplicateLabel(name.clone()));
        }
        let long: &TimestampNanosecondArray = time.values.as_primitive();
        let mut timestamps: Vec<i64> = long.values().to_vec();
        timestamps.dedup();

        let Combinations { of_row, labels } = Combinations::of(factors)?;
        let mut points: Vec<Vec<(usize, u32)>> = vec![Vec::new(); labels.len()];
        let mut at = 0;
        for (row, (moment, series)) in (0_u32..).zip(long.values().iter().zip(of_row)) {
            if *moment != timestamps[at] {
                at += 1;
            }
            points[series as usize].push((at, row));
        }
        Ok(LongFrame { time, timestamps, names, values, labels, points })
    }

    fn series(&self) -> usize {
        self.labels.len().saturating_mul(self.values.len())
    }

    fn within_bounds(&self) -> Result<(), FrameError> {
        within_bounds(self.series(), self.timestamps.len())
    }

    /// The time, and a field for each series. A moment that lacks a series' row has what `fill` says.
    fn wide(self, fill: Option<Fill>) -> Result<(Field, Vec<Field>), FrameError> {
        let mode = fill.map_or(FillMode::Null, |fill| fill.mode);
        let mut fields = Vec::with_capacity(self.series());
        for (texts, points) in self.labels.iter().zip(&self.points) {
            let mut rows = vec![None; self.timestamps.len()];
            points.iter().for_each(|(at, row)| rows[*at] = Some(*row));
            if mode == FillMode::Previous {
                let mut last = None;
                rows.iter_mut().for_each(|row| {
                    last = row.or(last);
                    *row = last;
                });
            }
            let rows = UInt32Array::from(rows);
            for value in &self.values {
                let field = self.labelled(value, texts, &rows)?;
                fields.push((texts, Field { values: or_fill(field.values, &rows, mode), ..field }));
            }
        }
        fields
            .sort_by(|(a_labels, a), (b_labels, b)| (&a.name, a_labels).cmp(&(&b.name, b_labels)));
        let fields = fields.into_iter().map(|(_, field)| self.named(field)).collect();
        Ok((
            Field {
                values: Arc::new(TimestampNanosecondArray::from(self.timestamps)),
                ..self.time
            },
            fields,
        ))
    }

    /// The times of each series, and its field.
    fn multi(self) -> Result<Vec<Vec<Field>>, FrameError> {
        let mut frames = Vec::with_capacity(self.series());
        for (texts, points) in self.labels.iter().zip(&self.points) {
            let lasts = points.chunk_by(|(a, _), (b, _)| a == b).filter_map(|moment| moment.last());
            let rows: UInt32Array = lasts.map(|(_, row)| *row).collect();
            let times = take(&self.time.values, &rows, None)?;
            for value in &self.values {
                frames.push((texts, times.clone(), self.labelled(value, texts, &rows)?));
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
            .map(|(_, times, field)| vec![time(times), self.named(field)])
            .collect())
    }

    fn labelled(
        &self,
        value: &Field,
        texts: &[String],
        rows: &UInt32Array,
    ) -> Result<Field, FrameError> {
        let labels =
            self.names.iter().cloned().zip(texts.iter().cloned()).collect::<BTreeMap<_, _>>();
        let values = take(&value.values, rows, None)?;
        Ok(Field {
            name: value.name.clone(),
            labels: Some(labels),
            config: value.config.clone(),
            values,
        })
    }

    fn named(&self, field: Field) -> Field {
        if 1 + self.names.len() + self.values.len() == 3 { named_by_metric(field) } else { field }
    }
}

fn within_bounds(series: usize, times: usize) -> Result<(), FrameError> {
    if series > MAX_SERIES || series.saturating_mul(times) > MAX_CELLS {
        Err(FrameError::TooWide { series, times })
    } else {
        Ok(())
    }
}

/// Of three columns, one of them labels named `metric`: the label alone names the series, as Grafana did before it knew labels.
fn named_by_metric(field: Field) -> Field {
    match field.labels.as_ref().and_then(|labels| labels.get("metric")) {
        Some(name) => Field { name: name.clone(), labels: None, ..field },
        None => field,
    }
}

/// The combinations of labels in long rows.
struct Combinations {
    /// The series of each row, an index into `labels`.
    of_row: Vec<u32>,
    /// The label values of each series, in the order of the factors; a null is an empty text.
    labels: Vec<Vec<String>>,
}

impl Combinations {
    fn of(factors: &[Field]) -> Result<Combinations, FrameError> {
        let mut series = Combinations {
            of_row: vec![0; factors.first().map_or(0, |factor| factor.values.len())],
            labels: vec![Vec::new()],
        };
        for factor in factors {
            let values: ArrayRef = cast(&factor.values, &DataType::Utf8)?;
            series.split(values.as_string::<i32>());
        }
        Ok(series)
    }

    /// Tells apart by one more factor.
    fn split(&mut self, values: &arrow::array::StringArray) {
        let mut known: HashMap<(u32, &str), u32> = HashMap::new();
        let mut labels: Vec<Vec<String>> = Vec::new();
        for (row, series) in self.of_row.iter_mut().enumerate() {
            let text = if values.is_null(row) { "" } else { values.value(row) };
            *series = *known.entry((*series, text)).or_insert_with(|| {
                let mut texts = self.labels[*series as usize].clone();
                texts.push(text.to_owned());
                labels.push(texts);
                labels.len() as u32 - 1
            });
        }
        self.labels = labels;
    }
}

/// Every point of the grid takes the last row in the step that ends with it, or what `fill` says. Returns the grid; `values` follow.
fn filled(time: Field, values: &mut [Field], fill: Fill) -> Result<Field, FrameError> {
    let nanoseconds = |seconds: i64| seconds.saturating_mul(1_000_000_000);
    let grid: Vec<i64> =
        (fill.first..=fill.last).step_by(fill.step as usize).map(nanoseconds).collect();
    within_bounds(values.len(), grid.len())?;
    let times = time.values.as_primitive::<TimestampNanosecondType>().values();
    let (mut next, mut sources) = (0, Vec::with_capacity(grid.len()));
    for point in &grid {
        let (before, rest) = (next, &times[next..]);
        next += rest.partition_point(|moment| moment <= point);
        let within = next > before && times[next - 1] > point - nanoseconds(fill.step);
        let last_seen = next.checked_sub(1).map(|row| row as u32);
        sources.push(last_seen.filter(|_| within || fill.mode == FillMode::Previous));
    }
    let rows = UInt32Array::from(sources);
    for field in values {
        let found = take(&field.values, &rows, None)?;
        field.values = or_fill(found, &rows, fill.mode);
    }
    Ok(Field { values: Arc::new(TimestampNanosecondArray::from(grid)), ..time })
}

/// What was `found` in `rows`, and the value of `mode`, if it has one, where there was none.
fn or_fill(found: ArrayRef, rows: &UInt32Array, mode: FillMode) -> ArrayRef {
    match (mode, found.as_primitive_opt()) {
        (FillMode::Value(value), Some(numbers)) => with_value(numbers, rows, value),
        _ => found,
    }
}

/// `value` wherever there was no row; a row's own null stays.
fn with_value(found: &Float64Array, rows: &UInt32Array, value: f64) -> ArrayRef {
    let values = (0..found.len()).map(|at| match (rows.is_null(at), found.is_null(at)) {
        (true, _) => Some(value),
        (false, true) => None,
        (false, false) => Some(found.value(at)),
    });
    Arc::new(values.collect::<Float64Array>())
}
