//! The tables and subqueries that a SELECT reads.

use sqlparser::ast::{ObjectName, Query, Select, TableFactor, With};

/// The common table expressions that a query can name, the innermost last.
pub(super) type CommonTables<'q> = [&'q With];

/// An item of a FROM clause.
pub(super) struct ScopeItem<'q> {
    /// Its alias, or its own name. Empty for a subquery without an alias.
    pub name: String,
    pub source: ItemSource<'q>,
}

/// The rows behind an item of a FROM clause.
pub(super) enum ItemSource<'q> {
    /// A table or view of the database.
    Table(String),
    /// A subquery or a common table expression.
    Query(&'q Query),
}

/// Returns the items of the FROM clause.
pub(super) fn scope<'q>(select: &'q Select, common: &CommonTables<'q>) -> Vec<ScopeItem<'q>> {
    let relations = select.from.iter().flat_map(|from| {
        std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
    });
    relations.filter_map(|relation| scope_item(relation, common)).collect()
}

fn scope_item<'q>(relation: &'q TableFactor, common: &CommonTables<'q>) -> Option<ScopeItem<'q>> {
    match relation {
        TableFactor::Table { name, alias, .. } => {
            let table = last_part(name)?;
            let cte = common
                .iter()
                .rev()
                .flat_map(|with| &with.cte_tables)
                .find(|cte| cte.alias.name.value.eq_ignore_ascii_case(&table));
            let source = match cte {
                // A list of column names, `x(a, b)`, hides the names inside.
                Some(cte) if !cte.alias.columns.is_empty() => return None,
                Some(cte) => ItemSource::Query(&cte.query),
                None => ItemSource::Table(table.clone()),
            };
            let name = alias.as_ref().map_or(table, |alias| alias.name.value.clone());
            Some(ScopeItem { name, source })
        }
        TableFactor::Derived { subquery, alias, .. } => {
            let name = alias.as_ref().map_or_else(String::new, |alias| alias.name.value.clone());
            Some(ScopeItem { name, source: ItemSource::Query(subquery) })
        }
        _ => None,
    }
}

/// Returns the last part of a qualified name.
pub(super) fn last_part(name: &ObjectName) -> Option<String> {
    Some(name.0.last()?.as_ident()?.value.clone())
}
