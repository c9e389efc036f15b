//! Which column's quantity an expression shows: `avg(average_hrv)` and `round(max(n.average_hrv), 1) AS best` are milliseconds, too, and
//! `max(bedtime_end)` is a time.
//!
//! Only what the parser understands, only simple expressions over one known column, through subqueries and common table expressions.
//! Nothing found is no error: then the column has no unit.

use std::cell::Cell;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Query, Select,
    SelectItem, SetExpr, SetOperator, Statement, TableFactor, Value, With,
};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::parser::Parser;

use super::metrics::origin_of;
use super::statement::MAX_PARSED_TOKENS;
use crate::catalog::{Catalog, Kind};
use crate::sql::TokenizedSql;
use crate::store::{Origin, ResultColumn};

/// Functions whose result is of the same quantity as their first argument, and whether a time among them stays a time.
#[rustfmt::skip]
const KEEP: [(&str, bool); 23] = [
    ("abs", false), ("avg", true), ("ceil", true), ("ceiling", true), ("coalesce", true), ("ewma", true), ("first", true),
    ("first_value", true), ("floor", true), ("ifnull", true), ("lag", true), ("last", true), ("last_value", true), ("lead", true),
    ("mad", false), ("max", true), ("median", true), ("min", true), ("nth_value", true), ("percentile", true), ("round", true),
    ("stddev", false), ("sum", false),
];

/// Times in tables and views that are not in the catalogue, beside every column called `time`.
const TIMES: [(&str, &str); 15] = [
    ("collections", "last_sync"),
    ("coverage", "fetched_at"),
    ("nights", "bedtime_start"),
    ("nights", "bedtime_end"),
    ("oura_raw_documents", "changed_at"),
    ("oura_raw_documents", "deleted_at"),
    ("oura_raw_documents", "end_at"),
    ("oura_raw_documents", "first_seen_at"),
    ("oura_raw_documents", "last_seen_at"),
    ("oura_raw_documents", "start_at"),
    ("sync_runs", "started_at"),
    ("sync_runs", "ended_at"),
    ("sync_status", "last_sync"),
    ("sync_windows", "queued_at"),
    ("sync_windows", "done_at"),
];

/// How deep subqueries are followed.
const MAX_DEPTH: usize = 16;

/// How many subqueries are followed for one statement: common table expressions can name each other twice over and over.
const MAX_FOLLOWED: usize = 10_000;

/// Gives every column of the answer to `sql` that SQLite knows no origin of the one its expression tells, and makes times of those that
/// are. Of compounds SQLite knows nothing that can be trusted.
pub fn find(sql: &TokenizedSql, columns: &mut [ResultColumn], catalog: &Catalog) {
    if columns.iter().all(|column| column.origin.is_some()) || sql.token_count() > MAX_PARSED_TOKENS
    {
        return;
    }
    let Some(Statement::Query(query)) =
        Parser::parse_sql(&SQLiteDialect {}, sql.text()).ok().and_then(|mut parsed| parsed.pop())
    else {
        return;
    };
    let (resolver, count) = (Resolver { catalog, followed: Cell::new(0) }, columns.len());
    for (place, column) in
        columns.iter_mut().enumerate().filter(|(_, column)| column.origin.is_none())
    {
        let wanted = Wanted::At { place, count, name: &column.name };
        let Some(shown) = resolver.output(&query, &[], wanted, 0) else { continue };
        if resolver.are_times(&shown) {
            column.values = as_times(&column.values);
        }
        if let Shown::Column(source) = shown {
            column.origin = resolver.origin(&source);
        }
    }
}

/// What stands at one place of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    /// NULL, whatever the row: it goes with anything.
    Nothing,
    Column(Source),
    /// Instants of several columns.
    Times,
}

/// The column that an expression shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    table: String,
    column: String,
    /// Nothing was done to it that makes something else of a time.
    may_be_time: bool,
}

/// A column of a query's result.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// Its place among so many; where a star stands for it, its name.
    At {
        place: usize,
        count: usize,
        name: &'a str,
    },
    Named(&'a str),
}

/// Something in a FROM clause, by the name it has there.
struct Named<'q> {
    name: String,
    is: From<'q>,
}

enum From<'q> {
    Table(String),
    Query(&'q Query),
}

/// Common table expressions around a query, the innermost last.
type Known<'q> = [&'q With];

struct Resolver<'c> {
    catalog: &'c Catalog,
    followed: Cell<usize>,
}

impl Resolver<'_> {
    fn output<'q>(
        &self,
        query: &'q Query,
        known: &Known<'q>,
        wanted: Wanted<'_>,
        depth: usize,
    ) -> Option<Shown> {
        self.followed.set(self.followed.get() + 1);
        if depth > MAX_DEPTH || self.followed.get() > MAX_FOLLOWED {
            return None;
        }
        let known: Vec<&With> = known.iter().copied().chain(&query.with).collect();
        self.arm(&query.body, &known, wanted, depth)
    }

    /// All arms of a compound have to show the same.
    fn arm<'q>(
        &self,
        body: &'q SetExpr,
        known: &Known<'q>,
        wanted: Wanted<'_>,
        depth: usize,
    ) -> Option<Shown> {
        match body {
            SetExpr::Select(select) => self.selected(select, known, wanted, depth),
            SetExpr::Query(query) => self.output(query, known, wanted, depth + 1),
            SetExpr::SetOperation { op, left, right, .. } => {
                let wanted = placed(left, wanted);
                let found = self.arm(left, known, wanted, depth)?;
                match op {
                    SetOperator::Union => {
                        self.agreed(found, self.arm(right, known, wanted, depth + 1)?)
                    }
                    // What they leave is all of the first arm.
                    SetOperator::Except | SetOperator::Intersect | SetOperator::Minus => {
                        Some(found)
                    }
                }
            }
            _ => None,
        }
    }

    /// What two arms show, if it is the same.
    fn agreed(&self, one: Shown, other: Shown) -> Option<Shown> {
        match (one, other) {
            (Shown::Nothing, shown) | (shown, Shown::Nothing) => Some(shown),
            (Shown::Column(one), Shown::Column(other)) if self.is_same(&one, &other) => {
                Some(Shown::Column(Source {
                    may_be_time: one.may_be_time && other.may_be_time,
                    ..one
                }))
            }
            (one, other) => {
                (self.are_times(&one) && self.are_times(&other)).then_some(Shown::Times)
            }
        }
    }

    fn is_same(&self, one: &Source, other: &Source) -> bool {
        let same_name = one.table.eq_ignore_ascii_case(&other.table)
            && one.column.eq_ignore_ascii_case(&other.column);
        same_name || self.origin(one).is_some_and(|origin| Some(origin) == self.origin(other))
    }

    fn origin(&self, source: &Source) -> Option<Origin> {
        origin_of(&source.table, &source.column, self.catalog)
    }

    fn are_times(&self, shown: &Shown) -> bool {
        match shown {
            Shown::Nothing => false,
            Shown::Column(source) => source.may_be_time && is_time(source, self.catalog),
            Shown::Times => true,
        }
    }

    fn selected<'q>(
        &self,
        select: &'q Select,
        known: &Known<'q>,
        wanted: Wanted<'_>,
        depth: usize,
    ) -> Option<Shown> {
        let (items, scope) = (&select.projection, scope(select, known));
        let first_star = items.iter().position(is_star);
        let after_stars = items.iter().rev().take_while(|item| !is_star(item)).count();
        let (item, name) = match wanted {
            Wanted::Named(name) => (items.iter().find(|item| is_called(item, name)), name),
            // What stands before a star counts from the front, what stands after it from the back; the star itself keeps names.
            Wanted::At { place, count, name } => match first_star {
                Some(star) if place >= star && count - place > after_stars => (None, name),
                Some(star) if place >= star => {
                    (items.get((items.len() + place).checked_sub(count)?), name)
                }
                _ => (items.get(place), name),
            },
        };
        match item {
            Some(
                SelectItem::UnnamedExpr(expression)
                | SelectItem::ExprWithAlias { expr: expression, .. },
            ) => self.shown(expression, &scope, known, depth),
            _ => match (wanted, scope.as_slice()) {
                // The one star of a subquery keeps places.
                (Wanted::At { place, count, name }, [Named { is: From::Query(query), .. }]) => {
                    let star = first_star.filter(|star| star + 1 + after_stars == items.len())?;
                    let wanted = Wanted::At {
                        place: place.checked_sub(star)?,
                        count: (count + 1).checked_sub(items.len())?,
                        name,
                    };
                    self.output(query, known, wanted, depth + 1)
                }
                _ => first_star.and_then(|_| self.column(name, &scope, known, depth)),
            },
        }
    }

    fn shown(
        &self,
        expression: &Expr,
        scope: &[Named<'_>],
        known: &Known<'_>,
        depth: usize,
    ) -> Option<Shown> {
        match expression {
            Expr::Value(value) => (value.value == Value::Null).then_some(Shown::Nothing),
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => {
                self.shown(inner, scope, known, depth)
            }
            Expr::Floor { expr: inner, .. } | Expr::Ceil { expr: inner, .. } => {
                self.shown(inner, scope, known, depth)
            }
            Expr::Function(function) => {
                let (inner, keeps_time) = kept(function)?;
                match self.shown(inner, scope, known, depth)? {
                    Shown::Column(source) => Some(Shown::Column(Source {
                        may_be_time: source.may_be_time && keeps_time,
                        ..source
                    })),
                    Shown::Times => keeps_time.then_some(Shown::Times),
                    Shown::Nothing => None,
                }
            }
            Expr::CompoundIdentifier(parts) => {
                let [table, name] = parts.as_slice() else { return None };
                let place =
                    scope.iter().position(|named| named.name.eq_ignore_ascii_case(&table.value))?;
                self.column(&name.value, &scope[place..=place], known, depth)
            }
            Expr::Identifier(name) => self.column(&name.value, scope, known, depth),
            _ => None,
        }
    }

    /// The column of this name: of the one source there is, or of the one table among several that the catalogue knows it of.
    fn column(
        &self,
        name: &str,
        scope: &[Named<'_>],
        known: &Known<'_>,
        depth: usize,
    ) -> Option<Shown> {
        let of_table = |table: &str| {
            Shown::Column(Source {
                table: table.to_owned(),
                column: name.to_owned(),
                may_be_time: true,
            })
        };
        match scope {
            [Named { is: From::Table(table), .. }] => Some(of_table(table)),
            [Named { is: From::Query(query), .. }] => {
                self.output(query, known, Wanted::Named(name), depth + 1)
            }
            several => {
                let mut found = several.iter().filter_map(|named| match &named.is {
                    From::Table(table) => {
                        origin_of(table, name, self.catalog).map(|_| of_table(table))
                    }
                    From::Query(query) => self.output(query, known, Wanted::Named(name), depth + 1),
                });
                found.next().filter(|_| found.next().is_none())
            }
        }
    }
}

fn is_star(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

/// A compound's columns have the names of its first arm; in the others only places count.
fn placed<'w>(first: &SetExpr, wanted: Wanted<'w>) -> Wanted<'w> {
    let Wanted::Named(name) = wanted else { return wanted };
    match first {
        SetExpr::SetOperation { left, .. } => placed(left, wanted),
        SetExpr::Query(query) => placed(&query.body, wanted),
        SetExpr::Select(select) if !select.projection.iter().any(is_star) => {
            let place = select.projection.iter().position(|item| is_called(item, name));
            place.map_or(wanted, |place| Wanted::At { place, count: select.projection.len(), name })
        }
        _ => wanted,
    }
}

fn is_called(item: &SelectItem, name: &str) -> bool {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => alias.value.eq_ignore_ascii_case(name),
        SelectItem::UnnamedExpr(Expr::Identifier(column)) => {
            column.value.eq_ignore_ascii_case(name)
        }
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            parts.last().is_some_and(|column| column.value.eq_ignore_ascii_case(name))
        }
        _ => false,
    }
}

/// The tables of the FROM clause.
fn scope<'q>(select: &'q Select, known: &Known<'q>) -> Vec<Named<'q>> {
    let factors = select.from.iter().flat_map(|from| {
        std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
    });
    let named = factors.filter_map(|factor| match factor {
        TableFactor::Table { name, alias, .. } => {
            let table = last(name)?;
            let expression = known
                .iter()
                .rev()
                .flat_map(|with| &with.cte_tables)
                .find(|cte| cte.alias.name.value.eq_ignore_ascii_case(&table));
            let is = expression
                .map_or_else(|| From::Table(table.clone()), |cte| From::Query(&cte.query));
            // Columns renamed with the table are nobody's.
            let renamed = expression.is_some_and(|cte| !cte.alias.columns.is_empty());
            (!renamed).then(|| Named {
                name: alias.as_ref().map_or(table, |alias| alias.name.value.clone()),
                is,
            })
        }
        TableFactor::Derived { subquery, alias, .. } => {
            let name = alias.as_ref().map_or_else(String::new, |alias| alias.name.value.clone());
            Some(Named { name, is: From::Query(subquery) })
        }
        _ => None,
    });
    named.collect()
}

fn last(name: &ObjectName) -> Option<String> {
    Some(name.0.last()?.as_ident()?.value.clone())
}

/// The argument whose quantity the call keeps, and whether a time stays one.
fn kept(function: &Function) -> Option<(&Expr, bool)> {
    let name = last(&function.name)?;
    let (_, keeps_time) = KEEP.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name))?;
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.first()? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(first)) => Some((first, *keeps_time)),
        _ => None,
    }
}

fn is_time(source: &Source, catalog: &Catalog) -> bool {
    let listed = TIMES.iter().any(|(table, column)| {
        table.eq_ignore_ascii_case(&source.table) && column.eq_ignore_ascii_case(&source.column)
    });
    let known = || {
        let collection = catalog
            .collections
            .iter()
            .find(|collection| collection.table.eq_ignore_ascii_case(&source.table))?;
        collection
            .columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(&source.column))
            .map(|column| column.kind)
    };
    listed || source.column.eq_ignore_ascii_case("time") || known() == Some(Kind::Instant)
}

/// Unix seconds as instants; anything else as it is.
fn as_times(values: &ArrayRef) -> ArrayRef {
    const NANOSECONDS: i64 = 1_000_000_000;
    match values.data_type() {
        DataType::Int64 => {
            let seconds = values.as_primitive::<Int64Type>();
            Arc::new(
                seconds
                    .iter()
                    .map(|second| second.and_then(|second| second.checked_mul(NANOSECONDS)))
                    .collect::<TimestampNanosecondArray>(),
            )
        }
        DataType::Float64 => {
            let seconds = values.as_primitive::<Float64Type>();
            let nanoseconds = |second: f64| {
                (second.abs() < 9.2e9).then_some((second * NANOSECONDS as f64) as i64)
            };
            Arc::new(
                seconds
                    .iter()
                    .map(|second| second.and_then(nanoseconds))
                    .collect::<TimestampNanosecondArray>(),
            )
        }
        _ => Arc::clone(values),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Float64Array;

    use super::*;
    use crate::query::{Engine, Limits, QueryContext, SqlQuery};
    use crate::store::Store;
    use crate::time::Tz;

    /// The origin that each of the `count` columns gets, SQLite knowing none.
    fn found(sql: &str, count: usize) -> Vec<String> {
        let column = ResultColumn {
            name: "x".to_owned(),
            origin: None,
            values: Arc::new(Float64Array::from(vec![1.0])),
        };
        let mut columns = vec![column; count];
        find(&TokenizedSql::new(sql), &mut columns, &Catalog::bundled());
        let text = |column: ResultColumn| {
            column.origin.map_or_else(
                || "-".to_owned(),
                |origin| format!("{}.{}", origin.table, origin.column),
            )
        };
        columns.into_iter().map(text).collect()
    }

    #[test]
    fn aggregates_keep_the_quantity_of_their_column() {
        for (sql, origins) in [
            (
                "SELECT day, avg(average_hrv), count(average_hrv) FROM nights GROUP BY 1",
                "- sleep.average_hrv -",
            ),
            ("SELECT round(max(n.average_hrv), 1) AS best FROM nights AS n", "sleep.average_hrv"),
            (
                "SELECT avg(bpm) OVER (ORDER BY time), percentile(bpm, 90) AS p FROM heartrate",
                "heartrate.bpm heartrate.bpm",
            ),
            ("SELECT sum(steps), corr(steps, score) FROM daily_activity", "daily_activity.steps -"),
            (
                "SELECT avg(d.readiness_score), avg(w.distance) FROM days d JOIN workout w ON w.day = d.day",
                "daily_readiness.score workout.distance",
            ),
            (
                "SELECT (CAST(avg(efficiency) AS INTEGER)), max(latency) - min(latency) FROM sleep",
                "sleep.efficiency -",
            ),
        ] {
            let count = origins.split(' ').count();
            assert_eq!(found(sql, count).join(" "), origins, "{sql}");
        }
    }

    #[test]
    fn what_is_not_certain_stays_without() {
        for sql in [
            // Which of the two?
            "SELECT avg(score) FROM daily_sleep, daily_readiness",
            "WITH sleep AS (SELECT 1 AS average_hrv) SELECT avg(average_hrv) FROM sleep",
            "SELECT avg(average_hrv) FROM (SELECT 1 AS average_hrv)",
            "SELECT avg(average_hrv) FROM sleep UNION ALL SELECT 1",
            "SELECT average_hrv FROM nights UNION ALL SELECT steps FROM days",
            "SELECT sum(total_sleep_duration) / 3600.0 AS total_sleep_duration FROM nights",
            "WITH RECURSIVE n(average_hrv) AS (SELECT 1 UNION ALL SELECT average_hrv + 1 FROM n) SELECT average_hrv FROM n",
            "WITH RECURSIVE n AS (SELECT average_hrv FROM n UNION ALL SELECT average_hrv FROM n) SELECT average_hrv FROM n",
            "SELECT avg(average_hrv",
            "SELECT 1",
        ] {
            assert_eq!(found(sql, 1), ["-"], "{sql}");
        }
    }

    #[test]
    fn subqueries_and_stars_are_followed() {
        for (sql, origins) in [
            (
                "WITH x AS (SELECT day, average_hrv FROM nights) SELECT day, avg(average_hrv) AS h FROM x GROUP BY 1",
                "- sleep.average_hrv",
            ),
            (
                "SELECT max(best) FROM (SELECT min(n.average_hrv) AS best FROM nights AS n GROUP BY day)",
                "sleep.average_hrv",
            ),
            (
                "SELECT average_hrv FROM nights UNION ALL SELECT average_hrv FROM sleep",
                "sleep.average_hrv",
            ),
            (
                "SELECT max(average_hrv) FROM sleep UNION ALL SELECT min(average_hrv) FROM sleep",
                "sleep.average_hrv",
            ),
            (
                "WITH a AS (SELECT steps FROM days), b AS (SELECT * FROM a) SELECT avg(b.steps) FROM b",
                "daily_activity.steps",
            ),
            (
                "SELECT avg(x.steps), avg(average_hrv) FROM (SELECT day, steps FROM days) AS x JOIN nights USING (day)",
                "daily_activity.steps sleep.average_hrv",
            ),
            ("SELECT avg(average_hrv), * FROM sleep", "sleep.average_hrv -"),
            (
                "SELECT * FROM (SELECT average_hrv AS a, steps AS b FROM days)",
                "sleep.average_hrv daily_activity.steps",
            ),
        ] {
            let count = origins.split(' ').count();
            assert_eq!(found(sql, count).join(" "), origins, "{sql}");
        }
    }

    #[test]
    fn arms_of_a_compound_are_told_by_their_places() {
        let many = vec!["SELECT steps FROM days"; 50].join(" UNION ALL ");
        let doubled: Vec<_> = (1..12)
            .map(|number| {
                format!(
                    "a{number} AS (SELECT v FROM a{0} UNION ALL SELECT v FROM a{0})",
                    number - 1
                )
            })
            .collect();
        let doubled = format!(
            "WITH a0 AS (SELECT steps AS v FROM days), {} SELECT v FROM a11",
            doubled.join(", ")
        );
        for (sql, origins) in [
            (
                "SELECT avg(v) FROM (SELECT average_hrv AS v FROM sleep UNION ALL SELECT average_hrv FROM sleep)",
                "sleep.average_hrv",
            ),
            (
                "SELECT v FROM (SELECT average_hrv AS v, steps AS w FROM days UNION ALL SELECT steps, average_hrv AS v FROM days)",
                "-",
            ),
            (
                "SELECT * FROM (SELECT average_hrv AS v, steps AS w FROM days) UNION SELECT * FROM (SELECT steps AS w, average_hrv AS v FROM days)",
                "- -",
            ),
            (
                "SELECT average_hrv, NULL AS steps FROM nights UNION ALL SELECT NULL, steps FROM days",
                "sleep.average_hrv daily_activity.steps",
            ),
            ("SELECT NULL UNION ALL SELECT NULL", "-"),
            ("SELECT steps FROM days EXCEPT SELECT 1000", "daily_activity.steps"),
            (
                "SELECT steps FROM days INTERSECT SELECT 1000 UNION SELECT average_hrv FROM nights",
                "-",
            ),
            (&many, "daily_activity.steps"),
            // Not worth following.
            (&doubled, "-"),
        ] {
            assert_eq!(found(sql, origins.split(' ').count()).join(" "), origins, "{sql}");
        }
    }

    #[tokio::test]
    async fn a_compound_has_a_unit_and_times_only_where_all_its_arms_agree() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(
            &folder.path().join("oura.db"),
            Arc::new(Catalog::bundled()),
            Tz::Europe__Vienna,
        )
        .unwrap();
        let midnight = 1_773_097_200;
        rusqlite::Connection::open(store.path())
            .unwrap()
            .execute_batch(&format!(
                "INSERT INTO calendar (day, time) VALUES ('2026-03-10', {midnight});
                 INSERT INTO sleep (document, time, day, type, bedtime_start, bedtime_end, average_hrv, total_sleep_duration)
                     VALUES (1, {midnight}, '2026-03-10', 'long_sleep', {midnight}, {midnight} + 28800, 40, 28000);
                 INSERT INTO daily_activity (document, time, day, steps) VALUES (2, {midnight}, '2026-03-10', 9000)"
            ))
            .unwrap();
        let engine = Engine::new(store.clone(), store.zone(), Limits::default());
        let context = QueryContext {
            from_ms: 0,
            to_ms: 1,
            interval: std::time::Duration::from_secs(60),
            max_data_points: 100,
        };
        let unpivot = "SELECT time, 'hrv' AS metric, average_hrv AS value FROM nights UNION ALL SELECT time, 'steps', steps FROM days";
        let named = |sql: &str| format!("SELECT metric, value FROM ({sql})");
        for (sql, expected) in [
            ("SELECT day, bedtime_start AS v FROM nights UNION ALL SELECT day, steps FROM days ORDER BY 1".to_owned(), "Utf8 - | Int64 -"),
            ("SELECT steps AS v FROM days UNION ALL SELECT bedtime_start FROM nights".to_owned(), "Int64 -"),
            ("SELECT bedtime_start AS v FROM nights UNION ALL SELECT bedtime_end FROM nights".to_owned(), "time -"),
            ("SELECT bedtime_start AS v FROM nights UNION SELECT NULL".to_owned(), "time -"),
            ("SELECT bedtime_start AS v FROM sleep UNION SELECT bedtime_start FROM nights".to_owned(), "time -"),
            ("SELECT bedtime_start FROM sleep EXCEPT SELECT steps FROM days".to_owned(), "time sleep.bedtime_start"),
            (unpivot.to_owned(), "time - | Utf8 - | Int64 -"),
            (named(unpivot), "Utf8 - | Int64 -"),
            (format!("WITH u AS ({unpivot}) SELECT value FROM u WHERE metric = 'hrv'"), "Int64 -"),
            (unpivot.replace("steps FROM days", "average_hrv FROM days"), "time - | Utf8 - | Int64 sleep.average_hrv"),
            (named(&unpivot.replace("steps FROM days", "average_hrv FROM days")), "Utf8 - | Int64 sleep.average_hrv"),
            (
                "SELECT bedtime_start FROM sleep WHERE day IN (SELECT day FROM (SELECT day FROM days UNION SELECT day FROM nights))"
                    .to_owned(),
                "time sleep.bedtime_start",
            ),
            ("SELECT value FROM baselines WHERE metric = 'average_hrv'".to_owned(), "Int64 -"),
            ("SELECT avg(value) FROM baselines".to_owned(), "Float64 -"),
        ] {
            let answer = engine.run(&SqlQuery { raw_sql: sql.clone(), ..SqlQuery::default() }, &context).await.unwrap();
            let shown = answer.batch.columns.iter().map(|column| {
                let kind = if matches!(column.values.data_type(), DataType::Timestamp(..)) {
                    "time".to_owned()
                } else {
                    column.values.data_type().to_string()
                };
                // A day has an origin, too, and no unit.
                let known = column.origin.as_ref().filter(|origin| store.catalog().get(&origin.table).is_some());
                format!("{kind} {}", known.map_or_else(|| "-".to_owned(), |origin| format!("{}.{}", origin.table, origin.column)))
            });
            assert_eq!(shown.collect::<Vec<_>>().join(" | "), expected, "{sql}");
        }
    }

    #[test]
    fn times_stay_times_through_what_keeps_them() {
        let kind = |sql: &str| {
            let values: ArrayRef =
                Arc::new(arrow::array::Int64Array::from(vec![Some(1_700_000_000), None]));
            let mut columns = [ResultColumn { name: "x".to_owned(), origin: None, values }];
            find(&TokenizedSql::new(sql), &mut columns, &Catalog::bundled());
            columns[0].values.data_type().clone()
        };
        for sql in [
            "SELECT max(bedtime_end) AS x FROM nights",
            "SELECT coalesce(min(bedtime_start), 0) FROM sleep",
            "SELECT max(time) FROM heartrate",
            "SELECT last_sync FROM sync_status",
            "WITH w AS (SELECT max(start_datetime) AS begun FROM workout) SELECT begun FROM w",
        ] {
            assert!(matches!(kind(sql), DataType::Timestamp(..)), "{sql}");
        }
        for sql in [
            "SELECT sum(bedtime_end) FROM sleep",
            "SELECT max(bedtime_end) - 1 FROM sleep",
            "SELECT max(steps) FROM days",
        ] {
            assert_eq!(kind(sql), DataType::Int64, "{sql}");
        }
    }
}
