//! Restricts a connection to reading published tables with listed functions.
//!
//! Each layer is effective on its own: the file is opened read-only, `query_only` and DEFENSIVE are
//! set, SQLite's own limits are low, and the authorizer allows only listed tables and functions.
//! SQLite calls the authorizer while it prepares a statement, so a refused statement never runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use super::functions::{self, WallClock};
use super::meter;
use super::read_only::{self, ReadOnlyConnection};
use crate::sql::{Token, TokenizedSql};
use crate::time::Tz;

/// Maximum size of a string, blob or row on a reading connection, in bytes.
///
/// SQLite's own functions run to their end. With texts of this size, one of them takes a fraction
/// of a millisecond. Oura's largest document, a night, has some ten kilobytes.
const MAX_VALUE_BYTES: i32 = 256 << 10;

/// Minimum of the maximum size of a string in a long statement, in bytes.
const MIN_VALUE_BYTES: i32 = 16 << 10;

/// Bytes that instructions in a row may read: the memory of the prepared statement in instructions,
/// times the maximum size of a string. Takes about a second.
const MAX_WORK: usize = 4 << 30;

/// Memory of one instruction in a prepared statement, in bytes.
const INSTRUCTION: usize = 24;

/// Maximum size of a statement's text, in bytes.
pub const MAX_STATEMENT: usize = 128 << 10;

/// How long opening a connection waits for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of instructions of a prepared statement. SQLite allocates them in powers of two.
///
/// Fifty metrics with baselines fit.
const MAX_INSTRUCTIONS: i32 = 50_000;

/// SQLite instructions between two checks of the limits. They take well under a millisecond.
const INSTRUCTIONS_BETWEEN_CHECKS: i32 = 1_000;

/// SQLite's own limits for a reading connection.
const LIMITS: [(Limit, i32); 12] = [
    (Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_STATEMENT as i32),
    (Limit::SQLITE_LIMIT_COLUMN, 500),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
    (Limit::SQLITE_LIMIT_PARSER_DEPTH, 200),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (Limit::SQLITE_LIMIT_VDBE_OP, MAX_INSTRUCTIONS),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 64),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 1_000),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Table-valued functions that queries may read.
const TABLE_FUNCTIONS: [&str; 2] = ["json_each", "json_tree"];

/// SQLite's functions that queries may call, in alphabetical order.
///
/// All are pure. Functions that reach files, extensions or settings are missing. So are functions
/// that take quadratic time (`json_patch`, `unhex`), except those that [`functions`] replaces.
#[rustfmt::skip]
pub const SQLITE_FUNCTIONS: [&str; 92] = [
    "->", "->>", "abs", "avg", "char", "coalesce", "concat", "concat_ws", "count", "cume_dist",
    "current_date", "current_time", "current_timestamp", "date", "datetime", "dense_rank",
    "first_value", "format", "glob", "group_concat", "hex", "if", "ifnull", "iif", "instr", "json",
    "json_array", "json_array_insert", "json_array_length", "json_error_position", "json_extract",
    "json_group_array", "json_group_object", "json_insert", "json_object", "json_pretty",
    "json_quote", "json_remove", "json_replace", "json_set", "json_type", "json_valid", "jsonb",
    "jsonb_array", "jsonb_extract", "jsonb_group_array", "jsonb_group_object", "jsonb_object",
    "julianday", "lag", "last_value", "lead", "length", "like", "likelihood", "likely", "lower",
    "ltrim", "max", "min", "nth_value", "ntile", "nullif", "octet_length", "percent_rank", "printf",
    "quote", "random", "rank", "replace", "round", "row_number", "rtrim", "sign", "soundex",
    "sqlite_version", "strftime", "string_agg", "subtype", "substr", "substring", "sum", "time",
    "timediff", "total", "trim", "typeof", "unicode", "unistr", "unixepoch", "unlikely", "upper",
];

/// Why the guard refused a statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The table or view with this name is not published.
    #[error("Queries cannot read table {0}")]
    Table(String),
    /// The function with this name is not listed.
    #[error("Queries cannot call function {0}()")]
    Function(String),
    /// The caller's list of tables lacks this one.
    #[error("This token cannot read table {0}")]
    NotListed(String),
    /// The statement does more than read. The text is its SQL verb.
    #[error("{0} is not allowed: queries can only read")]
    Operation(&'static str),
}

/// A read-only connection, and the policy of its authorizer.
pub(super) struct GuardedConnection {
    pub connection: Connection,
    /// Whether the connection is valid for one read only. See [`ReadOnlyConnection`].
    pub is_immutable: bool,
    policy: Arc<Mutex<Policy>>,
    wall_clock: WallClock,
}

#[derive(Default)]
struct Policy {
    /// Whether statements are checked. False while the store itself reads the schema.
    is_active: bool,
    /// Lower-case names of all tables and views except the closed ones.
    open_tables: BTreeSet<String>,
    /// Virtual table modules. Queries can name them as tables although the schema lacks them.
    modules: BTreeSet<String>,
    /// Lower-case names of tables that no query may read, not even through a view.
    closed_tables: &'static [&'static str],
    /// Lower-case names of the views, and of the common table expressions in them. The reads inside
    /// are theirs, not the statement's.
    view_parts: BTreeSet<String>,
    /// The tables that the caller of the statement may read. `None` for all of them.
    caller: Option<CallerTables>,
    /// The first refusal since the checks started.
    refusal: Option<Refusal>,
    /// Whether a statement reads the wearer's clock, itself or through a view.
    reads_wall_clock: bool,
}

/// The tables of a caller, and the names that its statement defines.
struct CallerTables {
    /// Lower-case names of tables and views.
    tables: Arc<BTreeSet<String>>,
    /// Lower-case names that may be common table expressions of the statement.
    defined: BTreeSet<String>,
    /// The statement in lower case.
    statement: String,
}

impl GuardedConnection {
    /// Opens the SQLite file at `path`, which must exist.
    ///
    /// Queries cannot read `closed_tables` (lower-case names). Functions for local time use `zone`.
    pub fn open(
        path: &Path,
        closed_tables: &'static [&'static str],
        zone: Tz,
    ) -> rusqlite::Result<GuardedConnection> {
        let ReadOnlyConnection { mut connection, is_immutable } =
            read_only::open(path, LOCK_TIMEOUT)?;
        // With `temp_store` in memory, SQLite sorts all rows in one instruction, which no limit ends.
        // With files, it sorts them in pieces. `checksums` keeps these files in memory.
        connection.execute_batch(
            "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA temp_store = FILE",
        )?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        connection.progress_handler(INSTRUCTIONS_BETWEEN_CHECKS, Some(meter::must_stop))?;
        for (limit, value) in LIMITS {
            connection.set_limit(limit, value)?;
        }
        functions::register(&connection)?;
        functions::register_bounded(&connection, MAX_VALUE_BYTES as usize)?;
        functions::register_local(&connection, zone)?;
        let wall_clock = WallClock::new(zone);
        wall_clock.register(&connection)?;
        let policy = Arc::new(Mutex::new(Policy { closed_tables, ..Policy::default() }));
        let authorizer_policy = Arc::clone(&policy);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            authorizer_policy.lock().authorize(context)
        }))?;
        let guarded = GuardedConnection { connection, is_immutable, policy, wall_clock };
        guarded.reload_tables()?;
        Ok(guarded)
    }

    /// Reloads the list of tables. Required after the writer has created new ones.
    pub fn reload_tables(&self) -> rusqlite::Result<()> {
        let tables = self.names(
            r"SELECT lower(name) FROM sqlite_schema
              WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'",
        )?;
        let modules = self.names("SELECT lower(name) FROM pragma_module_list")?;
        let views: Vec<(String, String)> = self
            .connection
            .prepare("SELECT lower(name), sql FROM sqlite_schema WHERE type = 'view'")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let mut policy = self.policy.lock();
        let closed_tables = policy.closed_tables;
        policy.open_tables =
            tables.into_iter().filter(|name| !closed_tables.contains(&name.as_str())).collect();
        policy.modules = modules.into_iter().collect();
        policy.view_parts = views
            .into_iter()
            .flat_map(|(name, sql)| {
                let mut parts = defined_names(&TokenizedSql::new(sql));
                parts.insert(name);
                parts
            })
            .collect();
        Ok(())
    }

    /// Sets the maximum size of a string for a prepared statement of `size` bytes.
    ///
    /// SQLite checks the limits at jumps only, so the time of instructions in a row grows with
    /// their number times the size of strings. The longer a statement is, the shorter are its
    /// strings.
    pub fn bound_values(&self, size: usize) -> rusqlite::Result<()> {
        let bytes = MAX_WORK / (size / INSTRUCTION).max(1);
        let bytes = i32::try_from(bytes).unwrap_or(MAX_VALUE_BYTES);
        let bytes = bytes.clamp(MIN_VALUE_BYTES, MAX_VALUE_BYTES);
        self.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, bytes)?;
        Ok(())
    }

    /// Starts checking every statement that is prepared. With `tables` (lower-case names), `sql`
    /// may read only these.
    pub fn start_checks(&self, sql: &TokenizedSql, tables: Option<&Arc<BTreeSet<String>>>) {
        let mut policy = self.policy.lock();
        policy.caller = tables.map(|tables| CallerTables {
            tables: Arc::clone(tables),
            defined: defined_names(sql),
            statement: sql.text().to_ascii_lowercase(),
        });
        policy.refusal = None;
        policy.reads_wall_clock = false;
        policy.is_active = true;
    }

    /// Stops checking. Returns the first refusal since [`GuardedConnection::start_checks`].
    pub fn finish_checks(&self) -> Option<Refusal> {
        let mut policy = self.policy.lock();
        policy.is_active = false;
        policy.refusal.take()
    }

    /// Sets the wearer's clock by the stored documents, if the statement that was prepared since
    /// [`GuardedConnection::start_checks`] reads it.
    pub fn set_wall_clock(&self) -> rusqlite::Result<()> {
        if self.policy.lock().reads_wall_clock {
            self.wall_clock.load(&self.connection, &self.tables())?;
        }
        Ok(())
    }

    /// Returns the lower-case names of all tables and views that queries may read.
    pub fn tables(&self) -> Vec<String> {
        self.policy.lock().open_tables.iter().cloned().collect()
    }

    /// Returns the column names of `table`.
    pub fn columns(&self, table: &str) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
        statement.query_map([table], |row| row.get(0))?.collect()
    }

    fn names(&self, sql: &str) -> rusqlite::Result<Vec<String>> {
        self.connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    }
}

impl Policy {
    fn authorize(&mut self, context: AuthContext<'_>) -> Authorization {
        if !self.is_active {
            return Authorization::Allow;
        }
        if let AuthAction::Function { function_name } = context.action {
            self.reads_wall_clock |= WallClock::is_read_by(function_name);
        }
        // SQLite merges subqueries into their statement without allocations, one authorization for
        // each. The meter keeps the reason.
        if meter::must_stop() {
            return Authorization::Deny;
        }
        match self.check(context) {
            Ok(()) => Authorization::Allow,
            Err(refusal) => {
                self.refusal.get_or_insert(refusal);
                Authorization::Deny
            }
        }
    }

    fn check(&self, AuthContext { action, accessor, .. }: AuthContext<'_>) -> Result<(), Refusal> {
        match action {
            AuthAction::Select | AuthAction::Recursive => Ok(()),
            AuthAction::Read { table_name, column_name } => {
                let table = table_name.to_ascii_lowercase();
                self.check_read(&table, column_name)?;
                self.check_caller(&table, column_name, accessor)
            }
            AuthAction::Function { function_name } => check_function(function_name),
            other => Err(Refusal::Operation(sql_verb(&other))),
        }
    }

    /// Checks a read of `column` in `table` (lower case).
    ///
    /// SQLite also reports a read without a column (`count(*)`) for common table expressions. These
    /// are harmless, because SQLite reports the reads inside them separately.
    fn check_read(&self, table: &str, column: &str) -> Result<(), Refusal> {
        let is_built_in = self.modules.contains(table)
            || table.starts_with("sqlite_")
            || table.starts_with("pragma_");
        let may_be_expression =
            column.is_empty() && !self.closed_tables.contains(&table) && !is_built_in;
        if self.open_tables.contains(table) || TABLE_FUNCTIONS.contains(&table) || may_be_expression
        {
            Ok(())
        } else {
            Err(Refusal::Table(table.to_owned()))
        }
    }

    /// Checks a read of `table` (lower case) against the caller's tables. `accessor` is the view or
    /// the common table expression that reads.
    ///
    /// The reads inside a stored view are allowed with the view. SQLite names common table
    /// expressions of the statement as accessors, too. So a name that the statement may define is
    /// never taken for a stored view. Where SQLite merges a view into the statement, it reports a
    /// read without a column (`count(*)`) of a table that the statement does not name.
    fn check_caller(
        &self,
        table: &str,
        column: &str,
        accessor: Option<&str>,
    ) -> Result<(), Refusal> {
        let Some(caller) = &self.caller else { return Ok(()) };
        let is_inside_view = accessor.is_some_and(|accessor| {
            let accessor = accessor.to_ascii_lowercase();
            self.view_parts.contains(&accessor) && !caller.defined.contains(&accessor)
        });
        let is_merged = column.is_empty() && !caller.statement.contains(table);
        // Other names are common table expressions and table-valued functions.
        let is_stored = self.open_tables.contains(table);
        if is_inside_view || is_merged || !is_stored || caller.tables.contains(table) {
            Ok(())
        } else {
            Err(Refusal::NotListed(table.to_owned()))
        }
    }
}

/// Returns the names in `sql` that may be common table expressions: those before `AS (`,
/// `AS [NOT] MATERIALIZED` or a list of columns. Other names before a parenthesis are among them.
fn defined_names(sql: &TokenizedSql) -> BTreeSet<String> {
    let tokens: Vec<_> = sql.tokens().filter(Token::is_significant).collect();
    let is_definition = |rest: &[Token]| match rest {
        [next, ..] if next.is_symbol("(") => true,
        [word, next, ..] if word.is_word("AS") => {
            next.is_symbol("(") || next.is_word("NOT") || next.is_word("MATERIALIZED")
        }
        _ => false,
    };
    (0..tokens.len())
        .filter(|&index| is_definition(&tokens[index + 1..]))
        .map(|index| {
            tokens[index].text.trim_matches(['"', '\'', '`', '[', ']']).to_ascii_lowercase()
        })
        .collect()
}

fn check_function(name: &str) -> Result<(), Refusal> {
    if allowed_functions().any(|allowed| name.eq_ignore_ascii_case(allowed)) {
        Ok(())
    } else {
        Err(Refusal::Function(name.to_owned()))
    }
}

/// Names of all functions that queries may call: SQLite's and this program's.
pub(super) fn allowed_functions() -> impl Iterator<Item = &'static str> {
    SQLITE_FUNCTIONS.into_iter().chain(functions::FUNCTIONS.iter().map(|function| function.name))
}

/// The SQL verb of an action.
fn sql_verb(action: &AuthAction<'_>) -> &'static str {
    match action {
        AuthAction::Insert { .. } => "INSERT",
        AuthAction::Update { .. } => "UPDATE",
        AuthAction::Delete { .. } => "DELETE",
        AuthAction::Attach { .. } => "ATTACH",
        AuthAction::Detach { .. } => "DETACH",
        AuthAction::Pragma { .. } => "PRAGMA",
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => "a transaction",
        AuthAction::AlterTable { .. } => "ALTER",
        AuthAction::Reindex { .. } => "REINDEX",
        AuthAction::Analyze { .. } => "ANALYZE",
        AuthAction::CreateTable { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateVtable { .. } => "CREATE",
        _ => "this statement",
    }
}
