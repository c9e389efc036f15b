//! `LIKE` and `GLOB` in time that grows linearly with the text, and that ends at the deadline.
//!
//! SQLite's own take the product of both lengths for each wildcard, and cannot be stopped.

use std::sync::Arc;

use rusqlite::functions::Context;
use rusqlite::{Connection, Result};

use super::text::bytes;
use super::{FLAGS, failure, stopped};
use crate::store::meter::must_stop_after;

/// Maximum length of a pattern in bytes, as SQLite's setting for untrusted statements.
const MAX_PATTERN: usize = 200;

/// Steps of the comparison between two checks of the limits.
const STEPS_BETWEEN_CHECKS: usize = 1 << 16;

/// One part of a pattern.
#[derive(Debug, PartialEq)]
enum Token {
    /// Any number of characters.
    Many,
    /// Exactly one character.
    One,
    /// This byte of a character. LIKE stores ASCII letters in lower case.
    Byte(u8),
    /// One character inside the ranges, or outside if negated.
    Set { is_negated: bool, ranges: Vec<(u32, u32)> },
}

/// A compiled pattern. `None` if it matches no text.
struct Pattern {
    tokens: Option<Vec<Token>>,
    ignores_case: bool,
}

/// Replaces `like` and `glob`, which the operators call.
pub(super) fn register(connection: &Connection) -> Result<()> {
    connection.create_scalar_function("like", 2, FLAGS, |context| {
        matches(context, |pattern| Pattern::like(pattern, None))
    })?;
    connection.create_scalar_function("like", 3, FLAGS, |context| like_with_escape(context))?;
    connection.create_scalar_function("glob", 2, FLAGS, |context| matches(context, Pattern::glob))
}

fn like_with_escape(context: &Context<'_>) -> Result<Option<bool>> {
    let (Some(pattern), Some(text), Some(escape)) =
        (bytes(context, 0), bytes(context, 1), bytes(context, 2))
    else {
        return Ok(None);
    };
    check_length(&pattern).map_err(failure)?;
    let escape = String::from_utf8_lossy(&escape);
    let mut characters = escape.chars();
    let (Some(escape), None) = (characters.next(), characters.next()) else {
        return Err(failure("ESCAPE expression must be a single character"));
    };
    let matches = Pattern::like(&pattern, Some(escape)).matches(&text);
    matches.map(Some).ok_or_else(stopped)
}

/// Compares argument 1 with the pattern in argument 0. The pattern of a constant is compiled once.
fn matches(context: &Context<'_>, compile: impl FnOnce(&[u8]) -> Pattern) -> Result<Option<bool>> {
    let (Some(pattern), Some(text)) = (bytes(context, 0), bytes(context, 1)) else {
        return Ok(None);
    };
    let compiled: Arc<Pattern> = context.get_or_create_aux(0, |_| {
        check_length(&pattern)?;
        Ok::<_, &'static str>(compile(&pattern))
    })?;
    compiled.matches(&text).map(Some).ok_or_else(stopped)
}

fn check_length(pattern: &[u8]) -> Result<(), &'static str> {
    if pattern.len() > MAX_PATTERN { Err("LIKE or GLOB pattern too complex") } else { Ok(()) }
}

impl Pattern {
    fn like(pattern: &[u8], escape: Option<char>) -> Pattern {
        let mut tokens = Vec::new();
        let mut encoded = [0; 4];
        let escape: Option<&[u8]> = match escape {
            Some(escape) => Some(escape.encode_utf8(&mut encoded).as_bytes()),
            None => None,
        };
        let mut rest = pattern;
        while let Some((first, after)) = rest.split_first() {
            if let Some(literal) = escape.and_then(|escape| rest.strip_prefix(escape)) {
                let length = character_length(literal);
                if length == 0 {
                    return Pattern { tokens: None, ignores_case: true };
                }
                let (character, after) = literal.split_at(length);
                tokens.extend(character.iter().map(|byte| Token::Byte(byte.to_ascii_lowercase())));
                rest = after;
                continue;
            }
            tokens.push(match first {
                b'%' => Token::Many,
                b'_' => Token::One,
                byte => Token::Byte(byte.to_ascii_lowercase()),
            });
            rest = after;
        }
        Pattern { tokens: Some(tokens), ignores_case: true }
    }

    fn glob(pattern: &[u8]) -> Pattern {
        let mut tokens = Vec::new();
        let mut rest = pattern;
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            tokens.push(match first {
                b'*' => Token::Many,
                b'?' => Token::One,
                b'[' => match set(&mut rest) {
                    Some(set) => set,
                    None => return Pattern { tokens: None, ignores_case: false },
                },
                byte => Token::Byte(*byte),
            });
        }
        Pattern { tokens: Some(tokens), ignores_case: false }
    }

    /// Whether `text` matches, or `None` if the statement must stop.
    ///
    /// After a mismatch, only the last `Many` takes one more character: the shortest match of all
    /// earlier ones leaves the most text. So a text takes at most its length times the pattern's,
    /// and a pattern has at most [`MAX_PATTERN`] parts.
    fn matches(&self, text: &[u8]) -> Option<bool> {
        let Some(tokens) = &self.tokens else { return Some(false) };
        let (mut token, mut at) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        let mut steps = 0;
        loop {
            steps += 1;
            if steps == STEPS_BETWEEN_CHECKS {
                steps = 0;
                if must_stop_after(STEPS_BETWEEN_CHECKS) {
                    return None;
                }
            }
            let rest = &text[at..];
            let step = match tokens.get(token) {
                Some(Token::Many) => {
                    if token + 1 == tokens.len() {
                        break;
                    }
                    retry = Some((token + 1, at));
                    Some(0)
                }
                Some(Token::One) => Some(character_length(rest)).filter(|length| *length > 0),
                Some(Token::Byte(byte)) => rest.first().and_then(|found| {
                    let found = if self.ignores_case { found.to_ascii_lowercase() } else { *found };
                    (found == *byte).then_some(1)
                }),
                Some(Token::Set { is_negated, ranges }) => character(rest).and_then(|code| {
                    let is_in = ranges.iter().any(|(low, high)| (*low..=*high).contains(&code));
                    (is_in != *is_negated).then(|| character_length(rest))
                }),
                None => rest.is_empty().then_some(0),
            };
            match (step, retry) {
                (Some(_), _) if token == tokens.len() => break,
                (Some(length), _) => {
                    token += 1;
                    at += length;
                }
                (None, Some((after_many, start))) if start < text.len() => {
                    token = after_many;
                    at = start + character_length(&text[start..]);
                    retry = Some((after_many, at));
                }
                (None, _) => {
                    must_stop_after(steps);
                    return Some(false);
                }
            }
        }
        must_stop_after(steps);
        Some(true)
    }
}

/// Reads a set after its `[`, up to and including `]`. `None` without the latter.
fn set(rest: &mut &[u8]) -> Option<Token> {
    let mut next = || {
        let length = character_length(rest);
        let code = character(rest)?;
        *rest = &rest[length..];
        Some((code, rest.first().copied()))
    };
    let (close, dash) = (u32::from(b']'), u32::from(b'-'));
    let mut ranges = Vec::new();
    let (mut code, mut following) = next()?;
    let is_negated = code == u32::from(b'^');
    if is_negated {
        (code, following) = next()?;
    }
    let mut before: Option<u32> = None;
    let mut is_first = true;
    while code != close || is_first {
        is_first = false;
        match before {
            Some(low) if code == dash && !matches!(following, Some(b']') | None) => {
                let (high, after) = next()?;
                ranges.push((low, high));
                before = None;
                following = after;
            }
            _ => {
                ranges.push((code, code));
                before = Some(code);
            }
        }
        following?;
        (code, following) = next()?;
    }
    Some(Token::Set { is_negated, ranges })
}

/// The length of the first character in bytes: 0 at the end, 1 for a byte that is not UTF-8.
fn character_length(text: &[u8]) -> usize {
    let Some(first) = text.first() else { return 0 };
    if *first < 0xC0 {
        return 1;
    }
    1 + text[1..].iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count()
}

/// The code of the first character. A byte that is not UTF-8 is its own code.
fn character(text: &[u8]) -> Option<u32> {
    let character = text.get(..character_length(text))?;
    let first = *character.first()?;
    let decoded = std::str::from_utf8(character).ok().and_then(|text| text.chars().next());
    Some(decoded.map_or(u32::from(first), u32::from))
}
