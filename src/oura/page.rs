//! One page of a collection, parsed from a response body.

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::catalog::Style;

/// More documents than the longest page has. A document takes memory even if its text is short.
const MAX_DOCUMENTS: usize = 200_000;

/// The longest token of a page in bytes.
const MAX_TOKEN: usize = 4 << 10;

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
    #[serde(deserialize_with = "documents")]
    data: Vec<Box<RawValue>>,
    #[serde(default)]
    next_token: Option<String>,
}

/// Parses a list of at most [`MAX_DOCUMENTS`].
fn documents<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Box<RawValue>>, D::Error> {
    struct Documents;

    impl<'de> Visitor<'de> for Documents {
        type Value = Vec<Box<RawValue>>;

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
        if page.next_token.as_ref().is_some_and(|token| token.len() > MAX_TOKEN) {
            return Err(PageError::Shape { detail: "next_token is too long".to_owned() });
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
