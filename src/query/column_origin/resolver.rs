//! Follows a result column through a parsed query to the table column that it shows.

use std::cell::Cell;

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query, Select,
    SelectItem, SetExpr, SetOperator, UnaryOperator, Value, With,
};

use super::scope::{CommonTables, ItemSource, ScopeItem, last_part, scope};
use super::times::{is_day_name, is_midnight_column, is_time_column};
use crate::catalog::{Catalog, Unit};
use crate::query::metrics::find_origin;
use crate::store::Origin;

/// Functions with a result in the unit of their first argument, and whether a time stays a time.
const UNIT_KEEPING_FUNCTIONS: [(&str, bool); 24] = [
    ("abs", false),
    ("avg", true),
    ("ceil", true),
    ("ceiling", true),
    ("coalesce", true),
    ("ewma", true),
    ("first", true),
    ("first_value", true),
    ("floor", true),
    ("ifnull", true),
    ("lag", true),
    ("last", true),
    ("last_value", true),
    ("lead", true),
    ("mad", false),
    ("max", true),
    ("median", true),
    ("min", true),
    ("nth_value", true),
    ("nullif", true),
    ("percentile", true),
    ("round", true),
    ("stddev", false),
    ("sum", false),
];

/// The maximum depth of subqueries to follow.
const MAX_DEPTH: usize = 16;

/// The maximum number of subqueries to follow for one statement. Common table expressions that name
/// the one before twice double the number at each step.
const MAX_FOLLOWED: usize = 10_000;

/// The content of one result column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// NULL in every row, which is compatible with every other content.
    Null,
    /// A number that the statement contains.
    Constant,
    /// Values of one table column, in its unit.
    Column(Source),
    /// Values of a table column times a constant. They have the column's unit only if they are
    /// added to values with that unit.
    Scaled(Source),
    /// Instants of several columns.
    Times,
    /// Results of `local_time()`: text without an offset.
    LocalTimes,
    /// Results of `local_midnight()`: the starts of days.
    Midnights,
}

/// The table column behind an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    table: String,
    column: String,
    /// Whether a time in this column is still a time in the expression.
    keeps_time: bool,
    /// Whether other columns with the same unit are part of the values.
    pub is_mixed: bool,
}

/// The result column to resolve.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// The column at `index` of `count`. A star in the column list is resolved by `name`.
    Index { index: usize, count: usize, name: &'a str },
    /// The column with this name.
    Name(&'a str),
}

/// Resolves the columns of one statement.
pub(super) struct Resolver<'c> {
    catalog: &'c Catalog,
    followed: Cell<usize>,
}

impl Resolver<'_> {
    pub fn new(catalog: &Catalog) -> Resolver<'_> {
        Resolver { catalog, followed: Cell::new(0) }
    }

    /// Returns the content of a column of `query`. `None` if it is unknown.
    pub fn resolve(&self, query: &Query, wanted: Wanted<'_>) -> Option<Output> {
        self.query(query, &[], wanted, 0)
    }

    /// Returns whether an expression in `select` holds calendar days or their local midnights.
    pub fn is_day_in<'q>(
        &self,
        expression: &Expr,
        select: &'q Select,
        common: &CommonTables<'q>,
    ) -> bool {
        let output = self.expression(expression, &scope(select, common), common, 0);
        output.is_some_and(|output| self.is_day(&output))
    }

    /// Returns the catalogue's column behind `source`.
    pub fn origin(&self, source: &Source) -> Option<Origin> {
        find_origin(&source.table, &source.column, self.catalog)
    }

    /// Returns whether all values are instants.
    pub fn is_time(&self, output: &Output) -> bool {
        match output {
            Output::Column(Source { table, column, keeps_time, .. }) => {
                *keeps_time && is_time_column(table, column, self.catalog)
            }
            Output::Times => true,
            Output::Null
            | Output::Constant
            | Output::Scaled(_)
            | Output::LocalTimes
            | Output::Midnights => false,
        }
    }

    /// Returns whether all values are calendar days, as text or as their local midnight.
    pub fn is_day(&self, output: &Output) -> bool {
        match output {
            Output::Column(Source { table, column, keeps_time, .. }) => {
                *keeps_time
                    && (is_day_name(column) || is_midnight_column(table, column, self.catalog))
            }
            Output::Midnights => true,
            _ => false,
        }
    }

    fn unit(&self, source: &Source) -> Option<Unit> {
        let origin = self.origin(source)?;
        let mut collections = self.catalog.collections.iter();
        let collection = collections.find(|collection| collection.table == origin.table)?;
        collection.columns.iter().find(|column| column.name == origin.column)?.unit
    }

    fn query<'q>(
        &self,
        query: &'q Query,
        common: &CommonTables<'q>,
        wanted: Wanted<'_>,
        depth: usize,
    ) -> Option<Output> {
        self.followed.set(self.followed.get() + 1);
        if depth > MAX_DEPTH || self.followed.get() > MAX_FOLLOWED {
            return None;
        }
        let common: Vec<&With> = common.iter().copied().chain(&query.with).collect();
        self.body(&query.body, &common, wanted, depth)
    }

    /// Resolves a column of a SELECT or a compound. All SELECTs of a compound have to agree.
    fn body<'q>(
        &self,
        body: &'q SetExpr,
        common: &CommonTables<'q>,
        wanted: Wanted<'_>,
        depth: usize,
    ) -> Option<Output> {
        match body {
            SetExpr::Select(select) => self.select(select, common, wanted, depth),
            SetExpr::Query(query) => self.query(query, common, wanted, depth + 1),
            SetExpr::SetOperation { op, left, right, .. } => {
                let wanted = index_in_first_select(left, wanted);
                let output = self.body(left, common, wanted, depth)?;
                match op {
                    SetOperator::Union => {
                        self.merge(output, self.body(right, common, wanted, depth + 1)?)
                    }
                    // All rows of the result come from the left side.
                    SetOperator::Except | SetOperator::Intersect | SetOperator::Minus => {
                        Some(output)
                    }
                }
            }
            _ => None,
        }
    }

    /// Returns the content of a column that holds the rows of both sides, if they are compatible.
    fn merge(&self, left: Output, right: Output) -> Option<Output> {
        match (left, right) {
            (Output::Null, output) | (output, Output::Null) => Some(output),
            (Output::Column(left), Output::Column(right)) if self.is_same(&left, &right) => {
                let keeps_time = left.keeps_time && right.keeps_time;
                let is_mixed = left.is_mixed || right.is_mixed;
                Some(Output::Column(Source { keeps_time, is_mixed, ..left }))
            }
            (left, right) if left == right => Some(left),
            (left, right) => (self.is_time(&left) && self.is_time(&right)).then_some(Output::Times),
        }
    }

    fn is_same(&self, left: &Source, right: &Source) -> bool {
        let same_name = left.table.eq_ignore_ascii_case(&right.table)
            && left.column.eq_ignore_ascii_case(&right.column);
        same_name || self.origin(left).is_some_and(|origin| Some(origin) == self.origin(right))
    }

    /// Returns the content of a sum or difference. The unit is that of both sides, if they agree.
    /// A constant has the unit of the other side.
    fn add(&self, left: Output, right: Output) -> Option<Output> {
        let combine = |left: Source, right: &Source| {
            let is_same = self.is_same(&left, right);
            let has_same_unit = self.unit(&left).is_some_and(|unit| Some(unit) == self.unit(right));
            let is_mixed = left.is_mixed || right.is_mixed || !is_same;
            (is_same || has_same_unit).then_some(Source { keeps_time: false, is_mixed, ..left })
        };
        match (left, right) {
            (Output::Column(source), Output::Constant)
            | (Output::Constant, Output::Column(source)) => {
                Some(Output::Column(Source { keeps_time: false, ..source }))
            }
            (Output::Column(left), Output::Column(right) | Output::Scaled(right))
            | (Output::Scaled(right), Output::Column(left)) => {
                combine(left, &right).map(Output::Column)
            }
            (Output::Scaled(left), Output::Scaled(right)) => {
                combine(left, &right).map(Output::Scaled)
            }
            (Output::Constant, Output::Constant) => Some(Output::Constant),
            _ => None,
        }
    }

    fn select<'q>(
        &self,
        select: &'q Select,
        common: &CommonTables<'q>,
        wanted: Wanted<'_>,
        depth: usize,
    ) -> Option<Output> {
        let items = &select.projection;
        let scope = scope(select, common);
        match find_item(items, wanted) {
            Some(
                SelectItem::UnnamedExpr(expression)
                | SelectItem::ExprWithAlias { expr: expression, .. },
            ) => self.expression(expression, &scope, common, depth),
            _ => self.star(items, &scope, common, wanted, depth),
        }
    }

    /// Resolves a column that a star stands for.
    fn star(
        &self,
        items: &[SelectItem],
        scope: &[ScopeItem<'_>],
        common: &CommonTables<'_>,
        wanted: Wanted<'_>,
        depth: usize,
    ) -> Option<Output> {
        let first_star = items.iter().position(is_star)?;
        let (index, count, name) = match wanted {
            Wanted::Name(name) => return self.column(name, scope, common, depth),
            Wanted::Index { index, count, name } => (index, count, name),
        };
        let [ScopeItem { source: ItemSource::Query(query), .. }] = scope else {
            return self.column(name, scope, common, depth);
        };
        // The star of a single subquery keeps the order of its columns.
        if first_star + 1 + count_after_stars(items) != items.len() {
            return None;
        }
        let wanted = Wanted::Index {
            index: index.checked_sub(first_star)?,
            count: (count + 1).checked_sub(items.len())?,
            name,
        };
        self.query(query, common, wanted, depth + 1)
    }

    fn expression(
        &self,
        expression: &Expr,
        scope: &[ScopeItem<'_>],
        common: &CommonTables<'_>,
        depth: usize,
    ) -> Option<Output> {
        match expression {
            Expr::Value(value) => match value.value {
                Value::Null => Some(Output::Null),
                Value::Number(..) => Some(Output::Constant),
                _ => None,
            },
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
                match self.expression(inner, scope, common, depth)? {
                    Output::Column(source) => {
                        Some(Output::Column(Source { keeps_time: false, ..source }))
                    }
                    output @ (Output::Constant | Output::Scaled(_)) => Some(output),
                    _ => None,
                }
            }
            Expr::BinaryOp { left, op, right } => {
                let left = self.expression(left, scope, common, depth)?;
                let right = self.expression(right, scope, common, depth)?;
                match op {
                    BinaryOperator::Plus | BinaryOperator::Minus => self.add(left, right),
                    BinaryOperator::Multiply | BinaryOperator::Divide => scale(op, left, right),
                    _ => None,
                }
            }
            Expr::Case { conditions, else_result, .. } => {
                let results = conditions.iter().map(|case| &case.result);
                let results = results.chain(else_result.as_deref());
                let mut outputs =
                    results.map(|result| self.expression(result, scope, common, depth));
                let first = outputs.next()??;
                outputs.try_fold(first, |merged, output| self.merge(merged, output?))
            }
            Expr::Nested(inner)
            | Expr::Cast { expr: inner, .. }
            | Expr::Floor { expr: inner, .. }
            | Expr::Ceil { expr: inner, .. } => self.expression(inner, scope, common, depth),
            Expr::Function(function) => {
                let name = last_part(&function.name)?.to_ascii_lowercase();
                match name.as_str() {
                    "local_time" => return Some(Output::LocalTimes),
                    "local_midnight" => return Some(Output::Midnights),
                    _ => {}
                }
                let (argument, keeps_time) = unit_keeping_argument(function)?;
                match self.expression(argument, scope, common, depth)? {
                    Output::Column(source) => {
                        let keeps_time = source.keeps_time && keeps_time;
                        Some(Output::Column(Source { keeps_time, ..source }))
                    }
                    output @ (Output::Times | Output::LocalTimes | Output::Midnights) => {
                        keeps_time.then_some(output)
                    }
                    output @ Output::Scaled(_) => Some(output),
                    Output::Null | Output::Constant => None,
                }
            }
            Expr::CompoundIdentifier(parts) => {
                let [table, column] = parts.as_slice() else { return None };
                let item =
                    scope.iter().position(|item| item.name.eq_ignore_ascii_case(&table.value))?;
                self.column(&column.value, &scope[item..=item], common, depth)
            }
            Expr::Identifier(column) => self.column(&column.value, scope, common, depth),
            _ => None,
        }
    }

    /// Resolves a column by its name: in the only item of `scope`, or in the only one of several
    /// where the catalogue knows it.
    fn column(
        &self,
        name: &str,
        scope: &[ScopeItem<'_>],
        common: &CommonTables<'_>,
        depth: usize,
    ) -> Option<Output> {
        if let [ScopeItem { source: ItemSource::Table(table), .. }] = scope {
            return Some(table_column(table, name));
        }
        let mut found = scope.iter().filter_map(|item| match &item.source {
            ItemSource::Table(table) => {
                find_origin(table, name, self.catalog).map(|_| table_column(table, name))
            }
            ItemSource::Query(query) => self.query(query, common, Wanted::Name(name), depth + 1),
        });
        found.next().filter(|_| found.next().is_none())
    }
}

fn table_column(table: &str, column: &str) -> Output {
    Output::Column(Source {
        table: table.to_owned(),
        column: column.to_owned(),
        keeps_time: true,
        is_mixed: false,
    })
}

/// Returns the content of a column times or divided by a constant.
fn scale(operator: &BinaryOperator, left: Output, right: Output) -> Option<Output> {
    match (left, right) {
        (Output::Column(source) | Output::Scaled(source), Output::Constant) => {
            Some(Output::Scaled(source))
        }
        (Output::Constant, Output::Column(source) | Output::Scaled(source))
            if *operator == BinaryOperator::Multiply =>
        {
            Some(Output::Scaled(source))
        }
        (Output::Constant, Output::Constant) => Some(Output::Constant),
        _ => None,
    }
}

fn is_star(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

/// Returns the number of items after the last star.
fn count_after_stars(items: &[SelectItem]) -> usize {
    items.iter().rev().take_while(|item| !is_star(item)).count()
}

/// Returns the item of a column list that `wanted` refers to. `None` for a column of a star.
fn find_item<'q>(items: &'q [SelectItem], wanted: Wanted<'_>) -> Option<&'q SelectItem> {
    let (index, count) = match wanted {
        Wanted::Name(name) => return items.iter().find(|item| is_named(item, name)),
        Wanted::Index { index, count, .. } => (index, count),
    };
    // Items before a star count from the front, items after it from the back.
    match items.iter().position(is_star) {
        Some(star) if index >= star => {
            if count - index > count_after_stars(items) {
                return None;
            }
            items.get((items.len() + index).checked_sub(count)?)
        }
        _ => items.get(index),
    }
}

/// Turns a name into an index for a compound: it takes its column names from its first SELECT, and
/// combines columns by their order.
fn index_in_first_select<'w>(first: &SetExpr, wanted: Wanted<'w>) -> Wanted<'w> {
    let Wanted::Name(name) = wanted else { return wanted };
    match first {
        SetExpr::SetOperation { left, .. } => index_in_first_select(left, wanted),
        SetExpr::Query(query) => index_in_first_select(&query.body, wanted),
        SetExpr::Select(select) if !select.projection.iter().any(is_star) => {
            let count = select.projection.len();
            match select.projection.iter().position(|item| is_named(item, name)) {
                Some(index) => Wanted::Index { index, count, name },
                None => wanted,
            }
        }
        _ => wanted,
    }
}

fn is_named(item: &SelectItem, name: &str) -> bool {
    let own = match item {
        SelectItem::ExprWithAlias { alias, .. } => alias,
        SelectItem::UnnamedExpr(Expr::Identifier(column)) => column,
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => match parts.last() {
            Some(column) => column,
            None => return false,
        },
        _ => return false,
    };
    own.value.eq_ignore_ascii_case(name)
}

/// Returns the argument with the unit of the function's result, and whether a time stays a time.
fn unit_keeping_argument(function: &Function) -> Option<(&Expr, bool)> {
    let name = last_part(&function.name)?;
    let (_, keeps_time) =
        UNIT_KEEPING_FUNCTIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name))?;
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.first()? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(first)) => Some((first, *keeps_time)),
        _ => None,
    }
}
