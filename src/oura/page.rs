//! One page of a collection, parsed from a response body.

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::catalog::{JsonScanner, Style, parse_document};

/// More documents than the longest page has. A document takes memory even if its text is short.
const MAX_DOCUMENTS: usize = 200_000;

/// The longest token of a page in bytes.
const MAX_TOKEN: usize = 4 << 10;

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
    #[serde(borrow, deserialize_with = "documents")]
    data: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    next_token: Option<&'a RawValue>,
}

/// Parses a list of at most [`MAX_DOCUMENTS`].
fn documents<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'de RawValue>, D::Error> {
    struct Documents;

    impl<'de> Visitor<'de> for Documents {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "a list of at most {MAX_DOCUMENTS} documents")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut documents = Vec::new();
            while let Some(document) = list.next_element()? {
                if documents.len() == MAX_DOCUMENTS {
                    return Err(A::Error::invalid_length(MAX_DOCUMENTS + 1, &self));
                }
                documents.push(document);
            }
            Ok(documents)
        }
    }

    deserializer.deserialize_seq(Documents)
}

impl Page {
    /// Parses the body of a response for a collection of the given style.
    ///
    /// A document with any content is kept. Only the page around the documents must be intact.
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
        let next_token = match envelope.next_token {
            Some(token) => read_token(token.get().as_bytes())?,
            None => None,
        };
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
                        if page.documents.len() == MAX_DOCUMENTS {
                            return None;
                        }
                        page.documents.push(scanner.skip_value()?.into());
                    }
                }
                "next_token" => {
                    page.next_token = read_token(scanner.skip_value()?).ok()?;
                }
                _ => drop(scanner.skip_value()?),
            }
        }
        (has_data && scanner.is_complete()).then_some(page)
    }
}

/// Reads the token of the next page. Null, false and an empty text end the pages.
fn read_token(token: &[u8]) -> Result<Option<String>, PageError> {
    if token.len() > MAX_TOKEN {
        return Err(PageError::Shape { detail: "next_token is too long".to_owned() });
    }
    match parse_document(token).value {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::String(token) => Ok((!token.is_empty()).then_some(token)),
        Value::Number(token) => Ok(Some(token.to_string())),
        _ => Err(PageError::Shape { detail: "invalid next_token".to_owned() }),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<usize, String> {
        match Page::parse(Style::Dates, body.as_bytes()) {
            Ok(page) => Ok(page.documents.len()),
            Err(PageError::Syntax { detail } | PageError::Shape { detail }) => Err(detail),
        }
    }

    #[test]
    fn page_is_bounded_by_structure_as_well_as_by_text() {
        let page = |documents: usize| {
            let more = ",{}".repeat(documents - 1);
            parse(&format!(r#"{{"data": [{{}}{more}], "next_token": null}}"#))
        };
        assert_eq!(page(MAX_DOCUMENTS), Ok(MAX_DOCUMENTS));
        assert!(page(MAX_DOCUMENTS + 1).unwrap_err().starts_with("not a page of documents"));
        let token = "t".repeat(MAX_TOKEN + 1);
        assert_eq!(
            parse(&format!(r#"{{"data": [], "next_token": "{token}"}}"#)),
            Err("next_token is too long".to_owned())
        );
    }
}
