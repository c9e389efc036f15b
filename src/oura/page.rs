//! One page of a collection, parsed from a response body.

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::catalog::Style;

/// One page of a collection.
#[derive(Debug)]
pub struct Page {
    /// The text of each document, byte for byte.
    pub documents: Vec<Box<RawValue>>,
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
struct Envelope {
    data: Vec<Box<RawValue>>,
    #[serde(default)]
    next_token: Option<String>,
}

impl Page {
    /// Parses the body of a response for a collection of the given style.
    pub(super) fn parse(style: Style, body: &[u8]) -> Result<Page, PageError> {
        let page = match style {
            Style::Singleton => {
                Page { documents: vec![serde_json::from_slice(body)?], next_token: None }
            }
            Style::Dates | Style::Datetimes | Style::TokenOnly => {
                let envelope: Envelope = serde_json::from_slice(body)?;
                Page { documents: envelope.data, next_token: envelope.next_token }
            }
        };
        if page.documents.iter().any(|document| !document.get().starts_with('{')) {
            return Err(PageError::Shape { detail: "a document is not an object".to_owned() });
        }
        if page.next_token.as_deref() == Some("") {
            return Err(PageError::Shape { detail: "empty next_token".to_owned() });
        }
        Ok(page)
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
