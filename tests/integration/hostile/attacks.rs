//! The attacks: at least three for each finding of a review with 800 hostile inputs (H and M), and
//! siblings of these kinds (S). Findings on files, metrics and a malicious Oura have tests of their
//! own.

use serde_json::{Value, json};

use super::targets::is_full;

/// One attack.
#[derive(Clone)]
pub struct Attack {
    pub name: &'static str,
    pub send: Send,
}

/// The way in which an attack is sent.
#[derive(Clone)]
pub enum Send {
    /// A query's JSON, over `POST sql` or as a panel's query.
    Sql(Value),
    /// A query's JSON of another type, as a panel's query only.
    Panel(Value),
    /// Many panel queries in one call.
    Panels(Vec<Value>),
    /// A resource call.
    Resource(&'static str, String, Option<Value>),
    /// Bytes on a connection, and the client's behaviour afterwards. `serve` only.
    Raw(Vec<u8>, Client),
}

/// The behaviour of a client on a connection.
#[derive(Clone, Copy)]
pub enum Client {
    /// Opens this many connections, sends the bytes, and stays silent.
    Silent(usize),
    /// The same, and sends one further byte from time to time.
    Drip(usize),
    /// Sends the bytes and leaves as soon as the program works on them.
    Leaves,
}

/// A finding and its attacks.
pub struct Finding {
    pub name: &'static str,
    pub text: &'static str,
    pub attacks: Vec<Attack>,
}

fn sql(name: &'static str, sql: impl Into<String>) -> Attack {
    Attack { name, send: Send::Sql(json!({ "rawSql": sql.into() })) }
}

fn series(name: &'static str, sql: impl Into<String>) -> Attack {
    let query = json!({ "rawSql": sql.into(), "format": "time_series" });
    Attack { name, send: Send::Sql(query) }
}

fn panel(name: &'static str, query: Value) -> Attack {
    Attack { name, send: Send::Panel(query) }
}

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) ";

/// A text of 250,000 bytes.
const LONG: &str = "printf('%.*c', 250000, 'a')";

/// Rows of `columns`, as many as `count`.
fn rows(count: usize, columns: &str) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {count}) \
         SELECT {columns} FROM n"
    )
}

/// `expression` with `x` for an inner SELECT of itself, `depth` levels deep.
fn nested(expression: &str, depth: usize) -> String {
    (0..depth).fold("SELECT 1 AS x FROM days".to_owned(), |inner, _| {
        format!("SELECT {expression} AS x FROM ({inner})")
    })
}

/// Thousands of calls in a row over the text `t`, without a jump between them. The text is as long
/// as so long a statement may have.
fn in_a_row(call: &str) -> String {
    let mut calls = vec![call.to_owned(); 6_000.min(120_000 / (call.len() + 1))];
    while calls.len() > 1 {
        calls = calls.chunks(60).map(|calls| format!("max({})", calls.join(","))).collect();
    }
    format!(
        "SELECT {} FROM (SELECT printf('%.*c', 16000, '1') AS t, '%{}b' AS p LIMIT 1)",
        calls[0],
        "1".repeat(190)
    )
}

/// The head of `POST /api/sql` with a body of `length` bytes.
fn head(length: usize) -> String {
    format!(
        "POST /api/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
        super::targets::READ_TOKEN
    )
}

/// A complete request of `POST /api/sql`.
fn request(sql: &str) -> Vec<u8> {
    let body = json!({ "rawSql": sql }).to_string();
    (head(body.len()) + &body).into_bytes()
}

/// A request with a response of 200 MB.
pub fn long_request() -> Vec<u8> {
    request(&rows(1_000_000, "printf('%.*c', 200, 'x')"))
}

/// All findings with their attacks.
pub fn findings() -> Vec<Finding> {
    vec![
        Finding {
            name: "H1",
            text: "memory and time while a statement is prepared",
            attacks: vec![
                sql("doubled sums", nested("x+x", 26)),
                sql("tripled calls", nested("max(x, x, x)", 17)),
                sql("doubled cases", nested("CASE WHEN x THEN x ELSE -x END", 17)),
                sql("doubled texts", nested("x || x", 26)),
                sql("doubled windows", nested("sum(x) OVER (ORDER BY x)", 60)),
                sql(
                    "doubled joins",
                    (0..9).fold("SELECT day FROM days".to_owned(), |inner, _| {
                        format!("SELECT a.day FROM ({inner}) a JOIN ({inner}) b USING (day)")
                    }),
                ),
                sql(
                    "doubled expressions of common tables",
                    (1..26).fold("WITH a0 AS (SELECT 1 AS x FROM days)".to_owned(), |sql, n| {
                        format!("{sql}, a{n} AS (SELECT x+x AS x FROM a{})", n - 1)
                    }) + " SELECT x FROM a25",
                ),
                sql(
                    "64 tables",
                    format!(
                        "SELECT 1 FROM {}",
                        (0..60).map(|n| format!("days d{n}")).collect::<Vec<_>>().join(" JOIN ")
                    ),
                ),
                sql(
                    "parentheses",
                    format!("SELECT * FROM {}days{}", "(".repeat(90), ")".repeat(90)),
                ),
                sql("unfinished parentheses", format!("SELECT {}1", "(".repeat(180))),
                sql("unfinished tables", format!("SELECT 1 FROM {}days", "(".repeat(180))),
                sql("unfinished calls", format!("SELECT {}1", "abs(CASE WHEN ".repeat(90))),
                sql(
                    "100 arms",
                    format!("{} ORDER BY 1", vec!["SELECT * FROM nights"; 100].join(" UNION ")),
                ),
            ],
        },
        Finding {
            name: "H2",
            text: "memory while a statement runs",
            attacks: vec![
                sql("sorting", format!("{ENDLESS} SELECT i || {LONG} AS x FROM n ORDER BY 1")),
                sql("grouping", format!("{ENDLESS} SELECT count(*) FROM n GROUP BY i || {LONG}")),
                sql(
                    "distinct rows",
                    format!("{ENDLESS} SELECT DISTINCT i || {LONG} FROM n LIMIT -1 OFFSET 9999999"),
                ),
                sql(
                    "a common table",
                    format!(
                        "WITH a AS MATERIALIZED ({ENDLESS} SELECT i || {LONG} AS x FROM n) \
                         SELECT count(*) FROM a"
                    ),
                ),
                sql(
                    "sorting of millions of small rows",
                    rows(5_000_000, "i") + " ORDER BY i * 7919 % 9999991",
                ),
                sql(
                    "grouping of millions of small rows",
                    rows(5_000_000, "count(*), max(i)") + " GROUP BY i * 7919 % 9999991",
                ),
                sql("medians", format!("{ENDLESS} SELECT median(i), mad(i) FROM n")),
                sql(
                    "windows",
                    format!(
                        "{ENDLESS} SELECT sum(length(x)) OVER (ORDER BY i ROWS BETWEEN UNBOUNDED \
                         PRECEDING AND UNBOUNDED FOLLOWING) FROM (SELECT i, i || {LONG} AS x FROM n)"
                    ),
                ),
            ],
        },
        Finding {
            name: "H3",
            text: "functions in a row, without a jump",
            attacks: [
                "t LIKE p",
                "t GLOB '*1*1*1*1*1*b'",
                "t LIKE p ESCAPE '!'",
                "trim(t, p)",
                "instr(t, p)",
                "replace(t, p, '')",
                "length(t)",
                "soundex(t)",
                "t+1",
                "round(t)",
                "substr(t, -9)",
                "upper(t)",
                "json_valid(t)",
                "quote(t)",
            ]
            .map(|call| sql(call, in_a_row(call)))
            .into(),
        },
        Finding {
            name: "H4",
            text: "suggestions for long names",
            attacks: vec![
                panel(
                    "metric",
                    json!({ "queryType": "metrics", "metrics": ["x".repeat(900_000)] }),
                ),
                panel(
                    "column of a filter",
                    json!({ "queryType": "metrics", "metrics": ["days.steps"],
                        "filters": [{ "column": "x".repeat(900_000), "value": 1 }] }),
                ),
                panel(
                    "kind of annotation",
                    json!({ "queryType": "annotations", "kinds": ["x".repeat(900_000)] }),
                ),
                sql("column", format!("SELECT {} FROM days", "x".repeat(120_000))),
                sql("function", format!("SELECT {}(1)", "x".repeat(120_000))),
                sql("macro", format!("SELECT $__{}(1)", "x".repeat(120_000))),
                Attack {
                    name: "collection",
                    send: Send::Resource(
                        "GET",
                        format!("coverage?collection={}", "x".repeat(16_000)),
                        None,
                    ),
                },
            ],
        },
        Finding {
            name: "H5",
            text: "memory in one function call",
            attacks: vec![
                sql(
                    "json_pretty",
                    format!(
                        "SELECT length(json_pretty('[' || replace(printf('%.*c', 99999, 'a'), 'a', \
                         '1,') || '1]', {LONG}))"
                    ),
                ),
                sql(
                    "group_concat",
                    format!("{ENDLESS} SELECT length(group_concat(i, {LONG})) FROM n"),
                ),
                sql(
                    "json_group_array",
                    format!("{ENDLESS} SELECT length(json_group_array({LONG})) FROM n"),
                ),
                sql("printf", "SELECT printf('%*d', 2000000000, 1)"),
                sql("replace", format!("SELECT length(replace({LONG}, 'a', {LONG}))")),
            ],
        },
        Finding {
            name: "H6",
            text: "labels of series",
            attacks: vec![
                series(
                    "control characters",
                    rows(
                        9_000,
                        "1700000000 AS time, i || replace(printf('%.*c', 25000, 'x'), 'x', \
                         char(1)) AS label, 1.5 AS v",
                    ),
                ),
                series(
                    "many columns",
                    rows(
                        9_000,
                        &format!(
                            "1700000000 AS time, 1.5 AS v, {}",
                            (0..400)
                                .map(|n| format!("i || printf('%.*c', 900, 'x') AS l{n}"))
                                .collect::<Vec<_>>()
                                .join(", ")
                        ),
                    ),
                ),
                series(
                    "long names",
                    rows(
                        9_000,
                        &format!(
                            "1700000000 AS time, i || 'x' AS l, 1.5 AS \"{}\"",
                            "n".repeat(99_999)
                        ),
                    ),
                ),
                series(
                    "a label per row",
                    rows(1_000_000, "i AS time, 'x' || i AS label, 1.5 AS v"),
                ),
            ],
        },
        Finding {
            name: "H7",
            text: "responses, and clients that do not read them",
            attacks: vec![
                sql(
                    "control characters",
                    rows(1_000_000, "replace(printf('%.*c', 260, 'x'), 'x', char(1))"),
                ),
                sql("wide rows", rows(20_000, &vec!["printf('%.*c', 200, 'x')"; 200].join(", "))),
                sql("a million rows", rows(1_000_000, "i, i * 1.5, 'x' || i")),
                Attack {
                    name: "silent clients",
                    send: Send::Raw(long_request(), Client::Silent(8)),
                },
                Attack {
                    name: "clients that leave",
                    send: Send::Raw(
                        request(&format!("{ENDLESS} SELECT max(i) FROM n")),
                        Client::Leaves,
                    ),
                },
            ],
        },
        Finding {
            name: "H8",
            text: "structures in requests",
            attacks: vec![
                Attack {
                    name: "objects as parameters",
                    send: Send::Sql(
                        json!({ "rawSql": "SELECT 1", "params": vec![json!({"": 0}); 140_000] }),
                    ),
                },
                Attack {
                    name: "many parameters",
                    send: Send::Sql(json!({ "rawSql": "SELECT 1", "params": vec![0; 500_000] })),
                },
                Attack {
                    name: "objects in an unknown field",
                    send: Send::Sql(
                        json!({ "rawSql": "SELECT 1", "x": vec![json!({"": 0}); 140_000] }),
                    ),
                },
                panel("objects as type", json!({ "queryType": vec![json!({"": 0}); 140_000] })),
                panel(
                    "objects in a filter",
                    json!({ "queryType": "metrics", "metrics": ["days.steps"],
                        "filters": [{ "column": "day", "value": vec![json!({"": 0}); 140_000] }] }),
                ),
                panel(
                    "many filters",
                    json!({ "queryType": "metrics", "metrics": vec!["days.steps"; 50],
                        "filters": vec![json!({ "column": "day", "value": 1 }); 20_000] }),
                ),
                panel(
                    "a query of 12 MB",
                    json!({ "rawSql": format!("SELECT {}1", " ".repeat(12 << 20)) }),
                ),
                Attack {
                    name: "a body of 2 MB",
                    send: Send::Resource(
                        "POST",
                        "sql".to_owned(),
                        Some(json!({ "rawSql": "x".repeat(2 << 20) })),
                    ),
                },
            ],
        },
        Finding {
            name: "M1",
            text: "connections that send nothing",
            attacks: vec![
                Attack {
                    name: "600 half heads",
                    send: Send::Raw(
                        b"GET /api/status HTTP/1.1\r\nHost: x\r\n".to_vec(),
                        Client::Silent(600),
                    ),
                },
                Attack {
                    name: "600 silent connections",
                    send: Send::Raw(Vec::new(), Client::Silent(600)),
                },
                Attack {
                    name: "300 heads, byte by byte",
                    send: Send::Raw(b"GET /api/status HTTP/1.1\r\nx: ".to_vec(), Client::Drip(300)),
                },
                Attack {
                    name: "200 bodies that do not come",
                    send: Send::Raw(head(1_000_000).into_bytes(), Client::Silent(200)),
                },
                Attack {
                    name: "a body of 10 GB",
                    send: Send::Raw(head(10_000_000_000).into_bytes(), Client::Silent(20)),
                },
                Attack {
                    name: "a head of 1 MB",
                    send: Send::Raw(
                        format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(1 << 20)).into_bytes(),
                        Client::Silent(20),
                    ),
                },
            ],
        },
        Finding {
            name: "M9",
            text: "many queries at once",
            attacks: vec![
                Attack {
                    name: "20 long results in one call",
                    send: Send::Panels(vec![
                        json!({ "rawSql": rows(1_000_000, "i, i * 1.5, 'x' || i") });
                        20
                    ]),
                },
                Attack {
                    name: "20 sorted texts in one call",
                    send: Send::Panels(vec![
                        json!({ "rawSql": format!("{ENDLESS} SELECT i || {LONG} AS x FROM n ORDER BY 1") });
                        20
                    ]),
                },
                Attack {
                    name: "300 queries in one call",
                    send: Send::Panels(vec![json!({ "rawSql": "SELECT * FROM nights" }); 300]),
                },
                Attack {
                    name: "wide frames of empty cells in one call",
                    send: Send::Panels(vec![
                        json!({ "rawSql": rows(14_000, "1700000000 + i / 10 AS time, \
                                    'x' || (i % 10000) AS label, 1.5 AS v"),
                                "format": "time_series" });
                        // With the limits of the quick run, fewer exceed the memory of all queries.
                        if is_full() { 8 } else { 3 }
                    ]),
                },
                Attack {
                    name: "300,000 empty queries in one call",
                    send: Send::Panels(vec![json!({}); 300_000]),
                },
            ],
        },
        Finding {
            name: "S1",
            text: "aggregates and windows over large groups",
            attacks: vec![
                sql("pairwise means", format!("{ENDLESS} SELECT hodges_lehmann(i) FROM n")),
                sql("signed ranks", format!("{ENDLESS} SELECT signed_rank_p(i) FROM n")),
                sql("autocorrelations", format!("{ENDLESS} SELECT effective_n(i, -i) FROM n")),
                sql(
                    "medians of a sliding window",
                    rows(
                        100_000,
                        "median(i) OVER (ORDER BY i ROWS BETWEEN 50000 PRECEDING AND CURRENT ROW)",
                    ),
                ),
                sql(
                    "frames by range",
                    rows(
                        100_000,
                        "count(*) OVER (ORDER BY i RANGE BETWEEN 1e9 PRECEDING AND 1e9 FOLLOWING \
                         EXCLUDE TIES)",
                    ),
                ),
                sql(
                    "60 windows",
                    rows(
                        20_000,
                        &(2..62)
                            .map(|n| format!("sum(i) OVER (ORDER BY i % {n})"))
                            .collect::<Vec<_>>()
                            .join(", "),
                    ),
                ),
                sql("objects", format!("{ENDLESS} SELECT json_group_object(i, {LONG}) FROM n")),
                sql("a row far behind", rows(4_000, &format!("lag(i || {LONG}, 3999) OVER ()"))),
            ],
        },
        Finding {
            name: "S2",
            text: "recursion, joins and lists",
            attacks: vec![
                sql(
                    "a text that doubles",
                    "WITH RECURSIVE a(x) AS (SELECT 'a' UNION ALL SELECT x || x FROM a) \
                     SELECT max(length(x)) FROM a",
                ),
                sql(
                    "JSON that doubles",
                    "WITH RECURSIVE a(x) AS (SELECT '[1]' UNION ALL \
                     SELECT json_array(json(x), json(x)) FROM a) SELECT max(length(x)) FROM a",
                ),
                sql(
                    "a queue that grows",
                    format!(
                        "WITH RECURSIVE n(i, x) AS (SELECT 1, {LONG} UNION ALL \
                         SELECT i + 1, x FROM n, (VALUES (1), (2), (3)) ORDER BY 1) \
                         SELECT count(*) FROM n"
                    ),
                ),
                sql(
                    "products of arrays",
                    format!(
                        "SELECT count(*) FROM json_tree('{0}') a, json_tree('{0}') b, \
                         json_tree('{0}') c",
                        "[".repeat(900) + &"]".repeat(900)
                    ),
                ),
                sql(
                    "20 full joins",
                    format!(
                        "SELECT count(*) FROM {}days z",
                        (0..20).map(|n| format!("days d{n} FULL JOIN ")).collect::<String>()
                    ),
                ),
                sql(
                    "a list of 50,000 values",
                    format!("SELECT 1 WHERE 1 IN ({})", vec!["1"; 50_000].join(",")),
                ),
                sql(
                    "118 sort keys",
                    rows(300_000, "i")
                        + " ORDER BY "
                        + &(2..120).map(|n| format!("i % {n}")).collect::<Vec<_>>().join(", "),
                ),
                sql(
                    "long formats",
                    format!(
                        "{ENDLESS} SELECT sum(length(printf('%.30000f|%.30000f', i, i))) FROM n"
                    ),
                ),
            ],
        },
        Finding {
            name: "S3",
            text: "panels of other types, and extreme values",
            attacks: vec![
                panel(
                    "every metric at once",
                    json!({ "queryType": "metrics", "metrics": vec!["nights.average_hrv"; 1_000],
                        "aggregate": "avg", "every": "day" }),
                ),
                panel(
                    "shift and moving average",
                    json!({ "queryType": "metrics",
                        "metrics": [{ "name": "days.steps", "shift": i64::MAX }],
                        "movingAverage": u32::MAX, "baseline": u32::MAX, "every": "day" }),
                ),
                panel(
                    "every second",
                    json!({ "queryType": "metrics", "metrics": ["heartrate.bpm"], "every": "1s" }),
                ),
                panel(
                    "1,000 values in a filter",
                    json!({ "queryType": "metrics", "metrics": ["days.steps"],
                        "filters": [{ "column": "day", "operator": "=",
                            "values": vec!["x".repeat(1_000); 1_000] }] }),
                ),
                panel(
                    "annotations of all kinds",
                    json!({ "queryType": "annotations", "kinds": vec!["workouts"; 1_000] }),
                ),
                panel("an unknown type", json!({ "queryType": "x".repeat(100_000) })),
                sql("filled seconds", "SELECT $__timeGroup(time, '1s', 0) AS time, 1 FROM days"),
                Attack {
                    name: "coverage of all time",
                    send: Send::Resource(
                        "GET",
                        "coverage?from=0001-01-01&to=9999-12-31".to_owned(),
                        None,
                    ),
                },
                Attack {
                    name: "a query by GET",
                    send: Send::Resource("GET", "sql".to_owned(), None),
                },
            ],
        },
    ]
}
