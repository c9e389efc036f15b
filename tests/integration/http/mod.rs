//! `serve` over HTTP as its users meet it: SQL in every form, tokens, exports.

mod export;
mod malformed;
pub mod moving;
mod openapi;
mod python;
mod routes;
mod sql;
mod tokens;
