//! Group macros over calendar days.
//!
//! `$__timeGroup(time, '1d')` groups instants by UTC days, as PostgreSQL does, but the midnights of
//! a view such as `days` by its calendar. The macro alone does not show which of them a column
//! holds, so the expander marks its groups, and this module finds the column behind each mark.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Query, Select, Value, Visit, Visitor,
    With,
};

use super::resolver::Resolver;
use super::scope::last_part;
use crate::catalog::Catalog;
use crate::query::macros::GROUP_MARK;
use crate::query::parser::parse;
use crate::sql::TokenizedSql;

/// Returns the numbers of the marked groups in `sql` over columns that hold calendar days or their
/// midnights.
pub(in crate::query) fn day_groups(sql: &TokenizedSql, catalog: &Catalog) -> BTreeSet<usize> {
    let Some(Ok(statements)) = parse(sql) else { return BTreeSet::new() };
    let mut finder =
        Finder { resolver: Resolver::new(catalog), open: Vec::new(), found: BTreeSet::new() };
    let _: ControlFlow<Infallible> = statements.visit(&mut finder);
    finder.found
}

struct Finder<'c> {
    resolver: Resolver<'c>,
    /// The queries around the current expression, the innermost last.
    open: Vec<OpenQuery>,
    found: BTreeSet<usize>,
}

/// A query during the visit of its parts. The visitor lends them only briefly, so they are copies.
#[derive(Default)]
struct OpenQuery {
    with: Option<With>,
    /// The newest SELECT. ORDER BY comes after it.
    select: Option<Select>,
}

impl Visitor for Finder<'_> {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Infallible> {
        self.open.push(OpenQuery { with: query.with.clone(), select: None });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Infallible> {
        self.open.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Infallible> {
        if let Some(query) = self.open.last_mut() {
            query.select = Some(select.clone());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Infallible> {
        if let Some((number, column)) = marked_group(expression)
            && let Some(select) = self.open.last().and_then(|query| query.select.as_ref())
        {
            let common: Vec<&With> =
                self.open.iter().filter_map(|query| query.with.as_ref()).collect();
            if self.resolver.is_day_in(column, select, &common) {
                self.found.insert(number);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Returns the number and the column of a marked group.
fn marked_group(expression: &Expr) -> Option<(usize, &Expr)> {
    let Expr::Function(function) = expression else { return None };
    if last_part(&function.name)? != GROUP_MARK {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else { return None };
    let [number, column] = list.args.as_slice() else { return None };
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(number))) = number else {
        return None;
    };
    let Value::Number(number, _) = &number.value else { return None };
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(column)) = column else { return None };
    Some((number.parse().ok()?, column))
}
