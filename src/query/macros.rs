//! Grafana's SQL macros with PostgreSQL's meaning.
//!
//! Instants are whole Unix seconds, days are `YYYY-MM-DD`. A tokenizer finds the macros, so text in
//! strings, comments and quoted names stays unchanged. Arguments may contain parentheses and
//! macros. The model is Grafana's `pkg/tsdb/grafana-postgresql-datasource/macros.go`; the tests
//! check the edge cases.

mod arguments;
mod call;
mod error;
mod expander;
mod functions;
mod groups;
mod table;
mod variables;

pub use error::{MacroError, MacroErrorKind};
pub use expander::{Expanded, expand, expand_with, tokenize};
pub use groups::{GROUP_MARK, Grouping};
pub use table::{MACROS, Macro};

#[cfg(test)]
mod tests;
