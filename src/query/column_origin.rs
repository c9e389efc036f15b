//! The origin of columns that an expression computes.
//!
//! `avg(average_hrv)` and `round(max(n.average_hrv), 1) AS best` are in milliseconds like their
//! column, and `max(bedtime_end)` is a time. SQLite only knows the origin of bare columns, so this
//! module parses the statement. It follows simple expressions over one column, through subqueries
//! and common table expressions. A column without an origin has no unit, which is not an error.

mod day_groups;
mod resolver;
mod scope;
mod times;

use sqlparser::ast::Statement;

use super::parser::parse;
use crate::catalog::Catalog;
use crate::sql::TokenizedSql;
use crate::store::ResultColumn;
use crate::time::Tz;
pub(super) use day_groups::day_groups;
use resolver::{Output, Resolver, Wanted};
pub(super) use times::is_day_name;
use times::{from_local, to_timestamps};

/// Sets the missing origins of `columns`, the result of `sql`, and converts times to timestamps.
/// Results of `local_time()` are times in `zone`.
///
/// For a compound SELECT, SQLite reports the origin in one of its parts, so the store drops it.
/// Here a column has an origin if all parts agree.
pub(super) fn assign_origins(
    sql: &TokenizedSql,
    columns: &mut [ResultColumn],
    catalog: &Catalog,
    zone: Tz,
) {
    if columns.iter().all(|column| column.origin.is_some()) {
        return;
    }
    let Some(Ok(mut statements)) = parse(sql) else { return };
    let Some(Statement::Query(query)) = statements.pop() else { return };
    let resolver = Resolver::new(catalog);
    let count = columns.len();
    for (index, column) in columns.iter_mut().enumerate() {
        if column.origin.is_some() {
            continue;
        }
        let wanted = Wanted::Index { index, count, name: &column.name };
        let Some(output) = resolver.resolve(&query, wanted) else { continue };
        if resolver.is_time(&output) {
            column.values = to_timestamps(&column.values);
        }
        match output {
            Output::Column(source) => {
                column.origin = resolver.origin(&source);
                column.is_mixed = source.is_mixed;
            }
            Output::LocalTimes => column.values = from_local(&column.values, zone),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
