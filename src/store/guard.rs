//! What a statement from a stranger may do: read open tables with listed functions, on a connection that cannot write.
//!
//! Every layer stands by itself: the file is opened read-only, `query_only` and DEFENSIVE are set, SQLite's own limits are low, and the
//! authorizer allows what is listed and nothing else. It is asked while a statement is prepared, so nothing refused ever runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use super::functions;
use super::reading::{self, Reading};
use crate::time::Tz;

/// The longest string, blob or row of a reading connection, in bytes. A statement is stopped between two instructions of SQLite's machine,
/// not within one: with texts of this size none takes more than some milliseconds, and a thousand of them some hundred megabytes. The
/// longest document that Oura sends, a night, has some ten kilobytes.
const LONGEST: i32 = 256 << 10;

/// The longest text of a statement, in bytes.
pub const MAX_STATEMENT: usize = 128 << 10;

/// SQLite's own limits for a reading connection.
const LIMITS: [(Limit, i32); 12] = [
    (Limit::SQLITE_LIMIT_LENGTH, LONGEST),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_STATEMENT as i32),
    (Limit::SQLITE_LIMIT_COLUMN, 500),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
    (Limit::SQLITE_LIMIT_PARSER_DEPTH, 200),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (Limit::SQLITE_LIMIT_VDBE_OP, 250_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 64),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 1_000),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Table-valued functions anyone may read.
const TABLE_FUNCTIONS: [&str; 2] = ["json_each", "json_tree"];

/// SQLite's functions anyone may call: pure ones, in the order of the letters. Nothing that reaches files, extensions or settings, and
/// nothing that takes quadratic time (`json_patch`, `unhex`) unless [`functions`] has a stand-in for it.
#[rustfmt::skip]
pub const SQLITE_FUNCTIONS: [&str; 92] = [
    "->", "->>", "abs", "avg", "char", "coalesce", "concat", "concat_ws", "count", "cume_dist", "current_date", "current_time",
    "current_timestamp", "date", "datetime", "dense_rank", "first_value", "format", "glob", "group_concat", "hex", "if", "ifnull", "iif",
    "instr", "json", "json_array", "json_array_insert", "json_array_length", "json_error_position", "json_extract", "json_group_array", "json_group_object", "json_insert",
    "json_object", "json_pretty", "json_quote", "json_remove", "json_replace", "json_set", "json_type", "json_valid",
    "jsonb", "jsonb_array", "jsonb_extract", "jsonb_group_array", "jsonb_group_object", "jsonb_object", "julianday", "lag", "last_value",
    "lead", "length", "like", "likelihood", "likely", "lower", "ltrim", "max", "min", "nth_value", "ntile", "nullif", "octet_length",
    "percent_rank", "printf", "quote", "random", "rank", "replace", "round",
    "row_number", "rtrim", "sign", "soundex", "sqlite_version", "strftime", "string_agg", "subtype", "substr", "substring", "sum",
    "time", "timediff", "total", "trim", "typeof", "unicode", "unistr", "unixepoch", "unlikely", "upper",
];

/// Why a statement was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("table {0} is not open to queries")]
    Table(String),
    #[error("function {0}() is not open to queries")]
    Function(String),
    #[error("{0} is not allowed: queries only read")]
    Operation(&'static str),
}

/// A connection that only reads, and the policy its authorizer follows.
pub(super) struct Guarded {
    pub connection: Connection,
    /// Good for this read alone, as [`Reading`] says.
    pub immutable: bool,
    policy: Arc<Mutex<Policy>>,
}

#[derive(Default)]
struct Policy {
    /// Off while the program itself looks at the schema.
    watching: bool,
    /// Every table and view but the closed ones, in lower case.
    open: BTreeSet<String>,
    /// Virtual table modules: their names are tables without being in the schema.
    modules: BTreeSet<String>,
    /// Closed, whoever reads them.
    closed: &'static [&'static str],
    refusal: Option<Refusal>,
}

impl Guarded {
    /// Opens the SQLite file at `path`, which must exist. Nobody reads the `closed` tables; local time is that of `zone`.
    pub fn open(
        path: &Path,
        closed: &'static [&'static str],
        zone: Tz,
    ) -> rusqlite::Result<Guarded> {
        let Reading { mut connection, immutable } = reading::open(path, Duration::from_secs(5))?;
        connection.execute_batch(
            "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY",
        )?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        for (limit, value) in LIMITS {
            connection.set_limit(limit, value)?;
        }
        functions::register(&connection)?;
        functions::register_bounded(&connection, LONGEST as usize)?;
        functions::register_local(&connection, zone)?;
        let policy = Arc::new(Mutex::new(Policy { closed, ..Policy::default() }));
        let consulted = policy.clone();
        connection
            .authorizer(Some(move |context: AuthContext<'_>| consulted.lock().decide(context)))?;
        let guarded = Guarded { connection, immutable, policy };
        guarded.refresh()?;
        Ok(guarded)
    }

    /// Looks again which tables there are: needed after the writer has made new ones.
    pub fn refresh(&self) -> rusqlite::Result<()> {
        let open =
            self.names("SELECT lower(name) FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")?;
        let modules = self.names("SELECT lower(name) FROM pragma_module_list")?;
        let mut policy = self.policy.lock();
        let closed = policy.closed;
        policy.open = open.into_iter().filter(|name| !closed.contains(&name.as_str())).collect();
        policy.modules = modules.into_iter().collect();
        Ok(())
    }

    /// Begins to watch: what is prepared from now on is judged.
    pub fn watch(&self) {
        let mut policy = self.policy.lock();
        policy.refusal = None;
        policy.watching = true;
    }

    /// Ends the watch; what was refused meanwhile, if anything.
    pub fn unwatch(&self) -> Option<Refusal> {
        let mut policy = self.policy.lock();
        policy.watching = false;
        policy.refusal.take()
    }

    /// The names of all tables and views that may be read.
    pub fn tables(&self) -> Vec<String> {
        self.policy.lock().open.iter().cloned().collect()
    }

    pub fn columns(&self, table: &str) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
        statement.query_map([table], |row| row.get(0))?.collect()
    }

    fn names(&self, sql: &str) -> rusqlite::Result<Vec<String>> {
        self.connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    }
}

impl Policy {
    fn decide(&mut self, context: AuthContext<'_>) -> Authorization {
        if !self.watching {
            return Authorization::Allow;
        }
        match self.judge(context) {
            Ok(()) => Authorization::Allow,
            Err(refusal) => {
                self.refusal.get_or_insert(refusal);
                Authorization::Deny
            }
        }
    }

    fn judge(&self, AuthContext { action, .. }: AuthContext<'_>) -> Result<(), Refusal> {
        match action {
            AuthAction::Select | AuthAction::Recursive => Ok(()),
            AuthAction::Read { table_name, column_name } => {
                self.judge_read(&table_name.to_ascii_lowercase(), column_name)
            }
            AuthAction::Function { function_name }
                if is_open(&function_name.to_ascii_lowercase()) =>
            {
                Ok(())
            }
            AuthAction::Function { function_name } => {
                Err(Refusal::Function(function_name.to_owned()))
            }
            other => Err(Refusal::Operation(operation(&other))),
        }
    }

    /// `table` is in lower case. A read of no column (`count(*)`) is also reported of common table expressions, which are harmless: what they
    /// read is reported by itself.
    fn judge_read(&self, table: &str, column: &str) -> Result<(), Refusal> {
        let built_in = self.modules.contains(table)
            || table.starts_with("sqlite_")
            || table.starts_with("pragma_");
        let open = self.open.contains(table)
            || TABLE_FUNCTIONS.contains(&table)
            || column.is_empty() && !self.closed.contains(&table) && !built_in;
        if open { Ok(()) } else { Err(Refusal::Table(table.to_owned())) }
    }
}

/// Every function anyone may call, SQLite's and ours.
pub(super) fn open_functions() -> impl Iterator<Item = &'static str> {
    SQLITE_FUNCTIONS.into_iter().chain(functions::FUNCTIONS.iter().map(|function| function.name))
}

fn is_open(function: &str) -> bool {
    open_functions().any(|open| open == function)
}

/// The SQL verb behind an action.
fn operation(action: &AuthAction<'_>) -> &'static str {
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
