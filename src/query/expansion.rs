//! The expansion of macros with the meaning of their columns.

use super::column_origin::day_groups;
use super::context::QueryContext;
use super::macros::{self, Expanded, Grouping, MacroError};
use crate::catalog::Catalog;
use crate::sql::TokenizedSql;
use crate::time::Tz;

/// Expands all macros of `sql`. Groups of whole days follow the calendar of `zone` where their
/// column holds days or midnights by the `catalog`.
pub(super) fn expand(
    sql: &TokenizedSql,
    context: &QueryContext,
    zone: Tz,
    catalog: &Catalog,
) -> Result<Expanded, MacroError> {
    let expanded = macros::expand(sql, context, zone)?;
    if expanded.open_groups == 0 {
        return Ok(expanded);
    }
    let Ok(marked) = macros::expand_with(sql, context, zone, Grouping::Marked) else {
        return Ok(expanded);
    };
    let days = day_groups(&marked.sql, catalog);
    if days.is_empty() {
        return Ok(expanded);
    }
    macros::expand_with(sql, context, zone, Grouping::Known(&days))
}
