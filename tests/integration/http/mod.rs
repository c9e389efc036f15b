//! `serve` over HTTP as its users meet it: SQL in every form, tokens, exports.

mod export;
mod routes;
mod sql;
mod tokens;
