//! All pages of a range, one after the other, with an end.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::{Client, FetchError, Range};
use crate::catalog::Collection;

/// More pages than the longest window can have.
const MAX_PAGES: usize = 10_000;
/// More bytes than the longest window can have: all pages of one are held in memory until the last has come.
const MAX_BYTES: usize = 512 << 20;

/// A cursor over the pages of one range. The range is sent with every page; Oura takes it from the token then.
pub struct Pages<'a> {
    client: &'a Client,
    collection: &'a Collection,
    range: Range,
    /// The token of the next page; `None` before the first and after the last.
    token: Option<String>,
    seen: HashSet<String>,
    fetched: usize,
    bytes: usize,
    ended: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn new(client: &'a Client, collection: &'a Collection, range: Range) -> Pages<'a> {
        Pages {
            client,
            collection,
            range,
            token: None,
            seen: HashSet::new(),
            fetched: 0,
            bytes: 0,
            ended: false,
        }
    }

    /// The documents of the next page, `None` after the last. An error leaves the cursor where it was: calling again asks again.
    ///
    /// A token that came before, or the 10,000th page, is [`FetchError::Malformed`]: pages that never end are no complete window.
    pub async fn next(&mut self) -> Result<Option<Vec<Box<RawValue>>>, FetchError> {
        if self.ended {
            return Ok(None);
        }
        let page = self.client.page(self.collection, self.range, self.token.as_deref()).await?;
        self.fetched += 1;
        self.bytes += page.documents.iter().map(|document| document.get().len()).sum::<usize>();
        if self.bytes > MAX_BYTES {
            return Err(FetchError::Malformed {
                detail: format!("more than {} MB in one window", MAX_BYTES >> 20),
            });
        }
        if let Some(token) = &page.next_token {
            if !self.seen.insert(token.clone()) {
                return Err(FetchError::Malformed {
                    detail: "its pages go in a circle".to_owned(),
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
    use crate::oura::fake::{Fake, answer};

    #[tokio::test]
    async fn pages_that_never_end_are_given_up() {
        let number = AtomicU32::new(0);
        let fake = Fake::new(move |_| {
            let token = number.fetch_add(1, Ordering::SeqCst);
            answer(200, format!(r#"{{"data":[],"next_token":"{token}"}}"#))
        })
        .await;
        let (client, collection) = (client(&fake), collection(Style::Dates));
        let mut pages = client.pages(&collection, range());
        pages.fetched = MAX_PAGES - 2;
        assert!(pages.next().await.unwrap().is_some());
        assert!(matches!(pages.next().await, Err(FetchError::Malformed { .. })));
    }

    #[tokio::test]
    async fn a_window_that_would_fill_the_memory_is_given_up() {
        let fake =
            Fake::new(|_| answer(200, r#"{"data":[{"id":"12345678"}],"next_token":null}"#)).await;
        let (client, collection) = (client(&fake), collection(Style::Dates));
        for (before, fits) in [(MAX_BYTES - 17, true), (MAX_BYTES - 16, false)] {
            let mut pages = client.pages(&collection, range());
            pages.bytes = before;
            assert_eq!(pages.next().await.is_ok(), fits);
        }
    }
}
