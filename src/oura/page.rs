//! One page of a collection, parsed from a response body.

use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::catalog::{JsonScanner, Style, parse_document};

/// One page of a collection.
#[derive(Debug)]
pub struct Page {
    /// The bytes of each document as received. They need not be valid JSON.
    pub documents: Vec<Box<[u8]>>,
    /// `None` on the last page. Never empty, and never the token of this page's own request.
    pub next_token: Option<String>,
}

/// Why a body is not a page. The messages contain no content: it is health data.
#[derive(Debug)]
pub(super) enum PageError {
    /// Broken JSON: the next response may be intact.
    Syntax { detail: String },
    /// Valid JSON of another shape: a retry returns the same.
    Shape { detail: String },
}

/// `{"data": […], "next_token": …}`.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    #[serde(default)]
    next_token: Value,
}

impl Page {
    /// Parses the body of a response for a collection of the given style.
    ///
    /// A document is kept whatever it contains. Only the page around the documents must be intact.
    pub(super) fn parse(style: Style, body: &[u8]) -> Result<Page, PageError> {
        let parsed = match style {
            Style::Singleton => Page::parse_singleton(body),
            Style::Dates | Style::Datetimes | Style::TokenOnly => Page::parse_list(body),
        };
        match parsed {
            Err(error) => Page::parse_leniently(style, body).ok_or(error),
            parsed => parsed,
        }
    }

    fn parse_singleton(body: &[u8]) -> Result<Page, PageError> {
        let document: &RawValue = serde_json::from_slice(body)?;
        if !document.get().starts_with('{') {
            return Err(PageError::Shape { detail: "a document is not an object".to_owned() });
        }
        Ok(Page { documents: vec![document.get().as_bytes().into()], next_token: None })
    }

    fn parse_list(body: &[u8]) -> Result<Page, PageError> {
        let envelope: Envelope = serde_json::from_slice(body)?;
        let documents = envelope.data.iter().map(|document| document.get().as_bytes().into());
        let next_token = read_token(envelope.next_token)
            .ok_or_else(|| PageError::Shape { detail: "invalid next_token".to_owned() })?;
        Ok(Page { documents: documents.collect(), next_token })
    }

    /// Splits a body into documents that are not valid JSON themselves. Returns `None` if the body
    /// is cut, or has another shape.
    fn parse_leniently(style: Style, body: &[u8]) -> Option<Page> {
        let mut scanner = JsonScanner::new(body);
        let mut page = Page { documents: Vec::new(), next_token: None };
        if style == Style::Singleton {
            let document = scanner.skip_value().filter(|document| document.starts_with(b"{"))?;
            page.documents.push(document.into());
            return scanner.is_complete().then_some(page);
        }
        let mut has_data = false;
        if !scanner.open(b'{') {
            return None;
        }
        while let Some(key) = scanner.key() {
            match key.as_str() {
                "data" => {
                    has_data = true;
                    if !scanner.open(b'[') {
                        return None;
                    }
                    while scanner.has_next(b']') {
                        page.documents.push(scanner.skip_value()?.into());
                    }
                }
                "next_token" => {
                    page.next_token = read_token(parse_document(scanner.skip_value()?).value)?;
                }
                _ => drop(scanner.skip_value()?),
            }
        }
        (has_data && scanner.is_complete()).then_some(page)
    }
}

/// Returns the token of the next page. Null, false and an empty text end the pages. Returns `None`
/// for a value that is not a token.
fn read_token(value: Value) -> Option<Option<String>> {
    match value {
        Value::Null | Value::Bool(false) => Some(None),
        Value::String(token) => Some((!token.is_empty()).then_some(token)),
        Value::Number(token) => Some(Some(token.to_string())),
        _ => None,
    }
}

impl From<serde_json::Error> for PageError {
    fn from(error: serde_json::Error) -> PageError {
        let position = format!("at line {}, column {}", error.line(), error.column());
        match error.classify() {
            Category::Data => {
                PageError::Shape { detail: format!("not a page of documents {position}") }
            }
            _ => PageError::Syntax { detail: format!("not JSON {position}") },
        }
    }
}
