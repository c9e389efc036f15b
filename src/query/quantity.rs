//! Which column's quantity an expression shows: `avg(average_hrv)` and `round(max(n.average_hrv), 1) AS best` are milliseconds, too.
//!
//! Only what the parser understands, only in the outermost SELECT, only simple expressions over one known column. Nothing found is no
//! error: then the column has no unit.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Select, SelectItem, SetExpr, Statement, TableFactor,
};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::parser::Parser;

use super::metrics::origin_of;
use super::statement::MAX_PARSED_TOKENS;
use crate::catalog::Catalog;
use crate::store::{Origin, OutColumn, lexer};

/// Functions whose result is of the same quantity as their first argument.
#[rustfmt::skip]
const KEEP: [&str; 22] = [
    "abs",
    "avg",
    "ceil",
    "ceiling",
    "ewma",
    "first",
    "first_value",
    "floor",
    "ifnull",
    "lag",
    "last",
    "last_value",
    "lead",
    "mad",
    "max",
    "median",
    "min",
    "nth_value",
    "percentile",
    "round",
    "stddev",
    "sum",
];

/// Gives every column of the answer to `sql` that SQLite knows no origin of the one its expression tells.
pub fn find(sql: &str, columns: &mut [OutColumn], catalog: &Catalog) {
    if columns.iter().all(|column| column.origin.is_some()) || lexer::tokens(sql).len() > MAX_PARSED_TOKENS {
        return;
    }
    let Some(select) = outermost(sql) else { return };
    let tables = tables(&select);
    let expressions: Option<Vec<&Expr>> = select.projection.iter().map(expression).collect();
    // With a `*` in the list, nobody knows which is which.
    let Some(expressions) = expressions.filter(|found| found.len() == columns.len()) else { return };
    for (column, expression) in columns.iter_mut().zip(expressions).filter(|(column, _)| column.origin.is_none()) {
        column.origin = origin(expression, &tables, catalog);
    }
}

fn outermost(sql: &str) -> Option<Select> {
    let statement = Parser::parse_sql(&SQLiteDialect {}, sql).ok()?.pop()?;
    let Statement::Query(query) = statement else { return None };
    match *query.body {
        // A common table expression may take a table's name.
        SetExpr::Select(select) if query.with.is_none() => Some(*select),
        _ => None,
    }
}

fn expression(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => Some(expression),
        _ => None,
    }
}

/// The tables of the FROM clause: what they are called there, and their names.
fn tables(select: &Select) -> Vec<(String, String)> {
    let factors = select.from.iter().flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    let named = factors.filter_map(|factor| match factor {
        TableFactor::Table { name, alias, .. } => {
            let name = last(name)?;
            Some((alias.as_ref().map_or_else(|| name.clone(), |alias| alias.name.value.clone()), name))
        }
        _ => None,
    });
    named.collect()
}

fn last(name: &ObjectName) -> Option<String> {
    Some(name.0.last()?.as_ident()?.value.clone())
}

fn origin(expression: &Expr, tables: &[(String, String)], catalog: &Catalog) -> Option<Origin> {
    match expression {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => origin(inner, tables, catalog),
        Expr::Floor { expr: inner, .. } | Expr::Ceil { expr: inner, .. } => origin(inner, tables, catalog),
        Expr::Function(function) => origin(kept(function)?, tables, catalog),
        Expr::CompoundIdentifier(parts) => {
            let [table, column] = parts.as_slice() else { return None };
            let (_, table) = tables.iter().find(|(known, _)| known.eq_ignore_ascii_case(&table.value))?;
            origin_of(table, &column.value, catalog)
        }
        Expr::Identifier(column) => {
            let mut found = tables.iter().filter_map(|(_, table)| origin_of(table, &column.value, catalog));
            found.next().filter(|_| found.next().is_none())
        }
        _ => None,
    }
}

/// The argument whose quantity the call keeps.
fn kept(function: &Function) -> Option<&Expr> {
    let name = last(&function.name)?.to_ascii_lowercase();
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.first()? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(first)) if KEEP.contains(&name.as_str()) => Some(first),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Float64Array;

    use super::*;

    /// The origin that each of the `count` columns gets, SQLite knowing none.
    fn found(sql: &str, count: usize) -> Vec<String> {
        let column = OutColumn { name: "x".to_owned(), origin: None, values: Arc::new(Float64Array::from(vec![1.0])) };
        let mut columns = vec![column; count];
        find(sql, &mut columns, &Catalog::bundled());
        let text = |column: OutColumn| column.origin.map_or_else(|| "-".to_owned(), |origin| format!("{}.{}", origin.table, origin.column));
        columns.into_iter().map(text).collect()
    }

    #[test]
    fn aggregates_keep_the_quantity_of_their_column() {
        for (sql, origins) in [
            ("SELECT day, avg(average_hrv), count(average_hrv) FROM nights GROUP BY 1", "- sleep.average_hrv -"),
            ("SELECT round(max(n.average_hrv), 1) AS best FROM nights AS n", "sleep.average_hrv"),
            ("SELECT avg(bpm) OVER (ORDER BY time), percentile(bpm, 90) AS p FROM heartrate", "heartrate.bpm heartrate.bpm"),
            ("SELECT sum(steps), corr(steps, score) FROM daily_activity", "daily_activity.steps -"),
            (
                "SELECT avg(d.readiness_score), avg(w.distance) FROM days d JOIN workout w ON w.day = d.day",
                "daily_readiness.score workout.distance",
            ),
            ("SELECT (CAST(avg(efficiency) AS INTEGER)), max(latency) - min(latency) FROM sleep", "sleep.efficiency -"),
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
            "SELECT avg(average_hrv",
            "SELECT 1",
        ] {
            assert_eq!(found(sql, 1), ["-"], "{sql}");
        }
        assert_eq!(found("SELECT *, avg(average_hrv) FROM sleep", 3), ["-", "-", "-"]);
    }
}
