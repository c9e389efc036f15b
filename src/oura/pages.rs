//! A cursor over all pages of a range, with limits.

use std::collections::HashSet;

use super::{Client, FetchError, Range};
use crate::catalog::Collection;

/// More pages than the longest window has.
const MAX_PAGES: usize = 10_000;
/// More bytes than the longest window has, each document's place in memory included. All pages of a
/// window are held in memory until the last one has arrived.
const MAX_BYTES: usize = 128 << 20;
/// Memory of a document besides its text, in bytes.
const DOCUMENT_OVERHEAD: usize = 64;

/// A cursor over the pages of one range. Every request contains the range; Oura ignores it when the
/// request has a token.
pub struct Pages<'a> {
    client: &'a Client,
    collection: &'a Collection,
    range: Range,
    /// The token of the next page; `None` before the first and after the last.
    token: Option<String>,
    seen_tokens: HashSet<String>,
    fetched: usize,
    bytes: usize,
    ended: bool,
}

impl Client {
    /// Returns a cursor over all pages of `range`.
    pub fn pages<'a>(&'a self, collection: &'a Collection, range: Range) -> Pages<'a> {
        Pages::new(self, collection, range)
    }
}

impl<'a> Pages<'a> {
    fn new(client: &'a Client, collection: &'a Collection, range: Range) -> Pages<'a> {
        Pages {
            client,
            collection,
            range,
            token: None,
            seen_tokens: HashSet::new(),
            fetched: 0,
            bytes: 0,
            ended: false,
        }
    }

    /// Fetches the documents of the next page; `None` after the last. After an error the cursor has
    /// not moved: the next call fetches the same page.
    ///
    /// Returns [`FetchError::Malformed`] for a repeated token, more than 10,000 pages or more than
    /// 128 MiB: a window is complete only if its pages end.
    pub async fn next(&mut self) -> Result<Option<Vec<Box<[u8]>>>, FetchError> {
        if self.ended {
            return Ok(None);
        }
        let page = self.client.page(self.collection, self.range, self.token.as_deref()).await?;
        self.fetched += 1;
        let lengths = page.documents.iter().map(|document| document.len());
        self.bytes += lengths.map(|length| length + DOCUMENT_OVERHEAD).sum::<usize>();
        if self.bytes > MAX_BYTES {
            return Err(FetchError::Malformed {
                detail: format!("more than {} MiB in one window", MAX_BYTES >> 20),
            });
        }
        if let Some(token) = &page.next_token {
            if !self.seen_tokens.insert(token.clone()) {
                return Err(FetchError::Malformed {
                    detail: "a next_token occurs twice, so the pages never end".to_owned(),
                });
            }
            if self.fetched == MAX_PAGES {
                return Err(FetchError::Malformed {
                    detail: format!("more than {MAX_PAGES} pages"),
                });
            }
        }
        self.ended = page.next_token.is_none();
        self.token = page.next_token;
        Ok(Some(page.documents))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::catalog::Style;
    use crate::oura::client::tests::{client, collection, range};
    use crate::oura::fake_server::{FakeServer, respond};

    #[tokio::test]
    async fn endless_pagination_is_an_error() {
        let number = AtomicU32::new(0);
        let server = FakeServer::new(move |_| {
            let token = number.fetch_add(1, Ordering::SeqCst);
            respond(200, format!(r#"{{"data":[],"next_token":"{token}"}}"#))
        })
        .await;
        let client = client(&server);
        let collection = collection(Style::Dates);
        let mut pages = client.pages(&collection, range());
        pages.fetched = MAX_PAGES - 2;
        assert!(pages.next().await.unwrap().is_some());
        assert!(matches!(pages.next().await, Err(FetchError::Malformed { .. })));
    }

    #[tokio::test]
    async fn oversized_window_is_an_error() {
        const FULL: usize = MAX_BYTES - DOCUMENT_OVERHEAD - 17;
        let server =
            FakeServer::new(|_| respond(200, r#"{"data":[{"id":"12345678"}],"next_token":null}"#))
                .await;
        let client = client(&server);
        let collection = collection(Style::Dates);
        for (before, fits) in [(FULL, true), (FULL + 1, false)] {
            let mut pages = client.pages(&collection, range());
            pages.bytes = before;
            assert_eq!(pages.next().await.is_ok(), fits);
        }
    }
}
