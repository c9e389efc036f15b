use std::fmt::Write;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{BooleanArray, Float64Array, Int64Array, StringArray, TimestampNanosecondArray};
use arrow::ipc::reader::FileReader;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::*;
use crate::catalog::{Collection, Column, KeyRule, Kind, Storage, Style, TimeRule, Unit};
use crate::query::{Downsample, FieldDisplay, Fill, FillMode, Line, Reader, RowStream};
use crate::store::{ColumnBatch, Limit, Origin, ResultColumn, Truncation};

fn catalog() -> Catalog {
    let column = |name: &str, unit| Column {
        name: name.to_owned(),
        path: vec![name.to_owned()],
        kind: Kind::Integer,
        unit,
        description: "as the ring measured it",
        sentinel: None,
    };
    let collection = |name: &str, columns| Collection {
        name: name.to_owned(),
        table: name.to_owned(),
        path: format!("/v2/usercollection/{name}"),
        style: Style::Dates,
        storage: Storage::Documents,
        key: KeyRule::Document,
        time: TimeRule { day: &["day"], start: &[], end: &[] },
        scope: None,
        max_window_days: 30,
        description: "",
        columns,
        series: Vec::new(),
    };
    let sleep = collection(
        "sleep",
        vec![column("average_hrv", Some(Unit("ms"))), column("latency", Some(Unit("s")))],
    );
    let workout = collection("workout", vec![column("latency", Some(Unit("ms")))]);
    Catalog { version: "1".to_owned(), collections: vec![sleep, workout] }
}

/// A result column. Only `average_hrv` has an origin.
fn column(name: &str, values: impl arrow::array::Array + 'static) -> ResultColumn {
    let origin = (name == "average_hrv")
        .then(|| Origin { table: "sleep".to_owned(), column: name.to_owned() });
    ResultColumn { name: name.to_owned(), origin, is_mixed: false, values: Arc::new(values) }
}

fn times(seconds: impl IntoIterator<Item = Option<i64>>) -> TimestampNanosecondArray {
    seconds.into_iter().map(|seconds| seconds.map(|seconds| seconds * 1_000_000_000)).collect()
}

fn result(columns: Vec<ResultColumn>) -> QueryResult {
    let rows = columns.first().map_or(0, |column| column.values.len());
    QueryResult {
        elapsed: Duration::from_millis(12),
        downsample: (Downsample::Auto, 1_000),
        ..QueryResult::of(
            ColumnBatch { columns, rows, truncation: None, charge: Default::default() },
            "SELECT 1".to_owned(),
        )
    }
}

/// Decodes frames as text: metadata, fields, rows.
fn decoded(result: &QueryResult, format: Format) -> String {
    let frames = match frames(result, format, "A", &catalog()) {
        Ok(frames) => frames,
        Err(error) => return error.to_string(),
    };
    let mut text = String::new();
    for frame in frames {
        let reader = FileReader::try_new(Cursor::new(frame), None).unwrap();
        let schema = reader.schema();
        let mut keys: Vec<_> = schema.metadata().iter().collect();
        keys.sort();
        keys.into_iter().for_each(|(key, value)| writeln!(text, "{key}: {value}").unwrap());
        for field in schema.fields() {
            let mut metadata: Vec<_> =
                field.metadata().iter().map(|(key, value)| format!(" {key}={value}")).collect();
            metadata.sort();
            writeln!(text, "- {} {}{}", field.name(), field.data_type(), metadata.concat())
                .unwrap();
        }
        for batch in reader.map(Result::unwrap) {
            let options = FormatOptions::default().with_null("null");
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let values: Vec<_> =
                    columns.iter().map(|column| column.value(row).to_string()).collect();
                writeln!(text, "{}", values.join(" | ")).unwrap();
            }
        }
    }
    text
}

#[test]
fn tables_keep_rows_and_have_catalogue_units() {
    let origin = |table: &str, column: &str| {
        Some(Origin { table: table.to_owned(), column: column.to_owned() })
    };
    let mut table = result(vec![
        column("time", times([Some(1_700_000_000), None])),
        ResultColumn {
            origin: origin("sleep", "latency"),
            ..column("fell asleep after", Int64Array::from(vec![Some(300), None]))
        },
        column("average_hrv", Float64Array::from(vec![41.5, 39.0])),
        column("latency", Int64Array::from(vec![1, 2])),
        column("type", StringArray::from(vec!["long_sleep", "rest"])),
        column("type", BooleanArray::from(vec![true, false])),
    ]);
    table.notices.push("The first 2 of 3 rows are shown.".to_owned());
    insta::assert_snapshot!(decoded(&table, Format::Table));
}

#[test]
fn numbers_with_labels_and_without_time_are_numeric_long() {
    let table = result(vec![
        column("source", StringArray::from(vec!["awake", "rest"])),
        column("bpm", Int64Array::from(vec![60, 50])),
    ]);
    insta::assert_snapshot!(decoded(&table, Format::Table));
}

#[test]
fn a_time_series_is_sorted_and_its_numbers_are_floats() {
    let series = result(vec![
        column("average_hrv", Int64Array::from(vec![Some(3), None, Some(2)])),
        column("time", times([Some(30), Some(10), Some(20)])),
    ]);
    insta::assert_snapshot!(decoded(&series, Format::TimeSeries));
}

fn long() -> QueryResult {
    result(vec![
        column("time", times([Some(10), Some(10), Some(20), Some(30), Some(30)])),
        column(
            "source",
            StringArray::from(vec![Some("rest"), Some("awake"), Some("rest"), None, Some("rest")]),
        ),
        column("main", BooleanArray::from(vec![true, false, true, true, true])),
        column("bpm", Int64Array::from(vec![50, 60, 51, 70, 52])),
        column(
            "average_hrv",
            Float64Array::from(vec![Some(1.5), None, Some(2.5), Some(3.5), Some(4.5)]),
        ),
    ])
}

#[test]
fn text_and_booleans_become_labels_of_sorted_series() {
    insta::assert_snapshot!(decoded(&long(), Format::TimeSeries));
}

#[test]
fn last_of_unsorted_rows_at_one_time_wins() {
    let seconds = (0..1_000).map(|row| Some(1_700_000_000 - row % 10 * 60));
    let values = (0..1_000).map(f64::from).collect::<arrow::array::Float64Array>();
    let labels = arrow::array::StringArray::from(vec!["a"; 1_000]);
    let text = decoded(
        &result(vec![column("time", times(seconds)), column("l", labels), column("v", values)]),
        Format::TimeSeries,
    );
    for last in 990..1_000 {
        assert!(text.contains(&format!("{last}.0")), "{last} is not in {text}");
    }
    assert!(!text.contains("989.0"), "{text}");
}

#[test]
fn last_row_with_equal_time_and_labels_wins() {
    let series = result(vec![
        column("time", times([Some(10), Some(10)])),
        column("source", StringArray::from(vec!["rest", "rest"])),
        column("bpm", Int64Array::from(vec![Some(50), None])),
    ]);
    insta::assert_snapshot!(decoded(&series, Format::TimeSeries));
}

#[test]
fn a_column_named_metric_names_the_series() {
    let series = result(vec![
        column("time", times([Some(10), Some(20)])),
        column("metric", StringArray::from(vec!["deep", "rem"])),
        column("value", Float64Array::from(vec![1.0, 2.0])),
    ]);
    insta::assert_snapshot!(decoded(&series, Format::TimeSeries));
}

#[test]
fn empty_results_are_typed_frames_without_fields() {
    let series = result(vec![
        column("time", times([])),
        column("source", StringArray::from(Vec::<&str>::new())),
        column("bpm", Int64Array::from(Vec::<i64>::new())),
    ]);
    insta::assert_snapshot!(decoded(&series, Format::TimeSeries));
}

#[test]
fn grid_points_take_the_last_row_or_the_fill_value() {
    let filled = |mode| {
        let columns = vec![
            column("time", times([Some(5), Some(12), Some(18), Some(40)])),
            column("value", Float64Array::from(vec![Some(1.0), Some(2.0), None, Some(4.0)])),
        ];
        let fill = Some(Fill::regular(mode, 0, 55, 10));
        let text = decoded(&QueryResult { fill, ..result(columns) }, Format::TimeSeries);
        text.lines()
            .filter_map(|line| Some(line.split_once(" | ")?.1.to_owned()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(filled(FillMode::Null), "null 1.0 null null 4.0 null");
    assert_eq!(filled(FillMode::Previous), "null 1.0 null null 4.0 4.0");
    assert_eq!(filled(FillMode::Value(0.0)), "0.0 1.0 null 0.0 4.0 0.0");
}

#[test]
fn invalid_time_series_name_the_missing_column() {
    let time = || column("time", times([Some(1)]));
    let text = |name: &str| column(name, StringArray::from(vec!["x"]));
    let number = || column("bpm", Int64Array::from(vec![1]));
    for (columns, message) in [
        (
            vec![number(), text("a")],
            "a time series needs a time column: name one column \"time\", or use the format Table \
             (columns: bpm, a)",
        ),
        (
            vec![time(), text("a")],
            "a time series needs a number column: add one, or use the format Table \
             (columns: time, a)",
        ),
        (
            vec![column("time", times([None])), number()],
            "a time series needs a time in every row, but the time in row 1 is null: add \
             WHERE … IS NOT NULL, or use the format Table",
        ),
        (
            vec![time(), text("a"), text("a"), number()],
            "two label columns are named \"a\": rename one",
        ),
    ] {
        assert_eq!(decoded(&result(columns), Format::TimeSeries), message);
    }
}

#[test]
fn wide_sparse_series_get_a_frame_each() {
    let count = 60_000;
    let labels: StringArray = (0..count).map(|row| Some((row % 900).to_string())).collect();
    let sparse = result(vec![
        column("time", times((0..count).map(|row| Some(count - row / 2)))),
        column("tag", labels),
        column("average_hrv", Int64Array::from_iter_values(0..count)),
    ]);
    let text = decoded(&sparse, Format::TimeSeries);
    assert_eq!(text.matches(r#""type":"timeseries-multi","typeVersion":[0,1]"#).count(), 900);
    assert_eq!(text.matches("executedQueryString").count(), 1);
    assert_eq!(text.matches(" | ").count(), count as usize);
    assert!(text.contains(r#"labels={"tag":"899"}"#) && text.contains(r#""unit":"ms""#));
}

#[test]
fn missing_rows_of_a_series_are_filled() {
    let filled = |mode| {
        let columns = vec![
            column("time", times([Some(10), Some(20), Some(30)])),
            column("value", Float64Array::from(vec![1.0, 2.0, 3.0])),
            column("label", StringArray::from(vec!["a", "b", "a"])),
        ];
        let fill = Some(Fill::regular(mode, 10, 40, 10));
        let text = decoded(&QueryResult { fill, ..result(columns) }, Format::TimeSeries);
        let rows = text.lines().filter(|line| line.contains(" | "));
        rows.map(|row| row.split(" | ").skip(1).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(filled(FillMode::Null), "1.0 null, null 2.0, 3.0 null, null null");
    assert_eq!(filled(FillMode::Previous), "1.0 null, 1.0 2.0, 3.0 2.0, 3.0 2.0");
    assert_eq!(filled(FillMode::Value(0.0)), "1.0 0.0, 0.0 2.0, 3.0 0.0, 0.0 0.0");
}

#[test]
fn too_many_series_are_refused() {
    let count = 6_000;
    let labels: StringArray = (0..count).map(|row| Some(row.to_string())).collect();
    let series = result(vec![
        column("time", times((0..count).map(Some))),
        column("a", labels),
        column("b", Int64Array::from_iter_values(0..count)),
    ]);
    assert!(
        decoded(&series, Format::TimeSeries)
            .starts_with("too many series (6000 series over 6000 times)")
    );
    let at_once = result(vec![
        column("time", times((0..11_000).map(|_| Some(7)))),
        column("a", (0..11_000).map(|row| Some(row.to_string())).collect::<StringArray>()),
        column("b", Int64Array::from_iter_values(0..11_000)),
    ]);
    assert!(
        decoded(&at_once, Format::TimeSeries)
            .starts_with("too many series (11000 series over 1 times)")
    );
}

#[test]
fn rows_as_json_have_types_units_and_readable_times() {
    let mut table = result(vec![
        column("time", times([Some(1_700_000_000), None])),
        column("average_hrv", Float64Array::from(vec![Some(41.5), None])),
        column("n", Int64Array::from(vec![1, 2])),
        column("ok", BooleanArray::from(vec![true, false])),
        column("a", StringArray::from(vec!["x", "\"y\""])),
    ]);
    table.batch.truncation =
        Some(Truncation { limit: Limit::Rows(2), total_rows: 3, is_exact: true });
    let mut written = Vec::new();
    let (form, times) = (RowForm::Arrays, TimeForm::Iso);
    write_json(RowStream::of(table), &catalog(), form, times, &mut written).unwrap();
    insta::assert_json_snapshot!(serde_json::from_slice::<serde_json::Value>(&written).unwrap());
}

#[test]
fn several_columns_of_a_rule_differ_by_labels() {
    let fields = |columns: Vec<ResultColumn>| {
        let result = QueryResult { reader: Reader::Rule, ..result(columns) };
        let text = decoded(&result, Format::TimeSeries);
        let fields = text.lines().filter(|line| line.starts_with("- "));
        fields.skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let time = || column("time", times([Some(10), Some(20)]));
    let numbers = |name: &str| column(name, Float64Array::from(vec![1.0, 2.0]));
    assert_eq!(
        fields(vec![time(), numbers("a"), numbers("b")]),
        [
            r#"- a Float64 config={"displayNameFromDS":"a"} labels={"metric":"a"}"#,
            r#"- b Float64 config={"displayNameFromDS":"b"} labels={"metric":"b"}"#,
        ]
    );
    let texts = |name: &str| column(name, StringArray::from(vec!["x", "x"]));
    assert_eq!(
        fields(vec![time(), texts("source"), numbers("a"), numbers("b")]),
        [
            r#"- a Float64 labels={"metric":"a","source":"x"}"#,
            r#"- b Float64 labels={"metric":"b","source":"x"}"#,
        ]
    );
    assert_eq!(
        fields(vec![time(), texts("metric"), numbers("a"), numbers("b")]),
        [
            r#"- a Float64 labels={"column":"a","metric":"x"}"#,
            r#"- b Float64 labels={"column":"b","metric":"x"}"#,
        ]
    );
    assert_eq!(fields(vec![time(), numbers("a")]), ["- a Float64"], "one column needs no label");
    let table = |columns: Vec<ResultColumn>| {
        let result = QueryResult { reader: Reader::Rule, ..result(columns) };
        let text = decoded(&result, Format::Table);
        let is_wide = text.contains(r#""type":"numeric-wide""#);
        let fields = text.lines().filter(|line| line.starts_with("- "));
        (is_wide, fields.map(str::to_owned).collect::<Vec<_>>())
    };
    let stages = || column("stage", StringArray::from(vec![Some("deep"), None]));
    let expected = [
        r#"- a Float64 labels={"metric":"a","stage":"deep"}"#,
        r#"- b Float64 labels={"metric":"b","stage":"deep"}"#,
        r#"- a Float64 labels={"metric":"a","stage":""}"#,
        r#"- b Float64 labels={"metric":"b","stage":""}"#,
    ];
    assert_eq!(
        table(vec![numbers("a"), stages(), numbers("b")]),
        (true, expected.map(str::to_owned).into())
    );
    assert!(!table(vec![numbers("a"), stages()]).0, "the texts identify the rows of one column");
    let (_, series) = table(vec![time(), numbers("a"), numbers("b")]);
    assert_eq!(series[1..], fields(vec![time(), numbers("a"), numbers("b")]), "a table with times");
    let without = || column("time", times([Some(10), None]));
    let (_, plain) = table(vec![without(), numbers("a"), numbers("b")]);
    assert_eq!(plain.len(), 3, "a row without a time stays in the table: {plain:?}");
    // SQL expressions read the columns of a table by name.
    let columns = vec![numbers("a"), stages(), numbers("b")];
    let expression = QueryResult { reader: Reader::Expression, ..result(columns) };
    assert!(decoded(&expression, Format::Table).contains(r#""type":"numeric-long""#));
}

#[test]
fn band_of_a_baseline_is_drawn_as_a_band() {
    let line = |title: &str, line| FieldDisplay {
        title: Some(title.to_owned()),
        line,
        ..FieldDisplay::default()
    };
    let numbers = |name: &str| column(name, Float64Array::from(vec![1.0]));
    let mut band = result(vec![
        column("time", times([Some(10)])),
        numbers("middle"),
        numbers("lower"),
        numbers("upper"),
    ]);
    band.displays = vec![
        FieldDisplay::default(),
        line("HRV, baseline", Some(Line::Dashed)),
        line("HRV, lower", Some(Line::LowerEdge)),
        line("HRV, upper", Some(Line::UpperEdge { lower: "HRV, lower".to_owned() })),
    ];
    let text = decoded(&band, Format::TimeSeries);
    let hidden = r#","hideFrom":{"legend":true,"tooltip":false,"viz":false}"#;
    for (custom, end) in [
        (r#""custom":{"fillOpacity":0,"lineWidth":1,"lineStyle":{"fill":"dash","dash":[8,6]}"#, ""),
        (r#""displayNameFromDS":"HRV, lower","custom":{"fillOpacity":0,"lineWidth":0"#, hidden),
        (r#""custom":{"fillBelowTo":"HRV, lower","fillOpacity":15,"lineWidth":0"#, hidden),
    ] {
        let custom = format!(r#"{custom},"showPoints":"never"{end}}}"#);
        assert!(text.contains(&custom), "{custom}\n{text}");
    }
}
