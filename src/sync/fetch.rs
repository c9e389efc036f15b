//! Fetching one window completely.

use super::executor::Executor;
use super::ranges;
use crate::catalog::{Collection, parse_document};
use crate::oura::{FetchError, Range};
use crate::store::Window;
use crate::time::{Day, Tz};

impl Executor {
    /// Fetches all documents of `window`. `unpadded`: requests a single day without its neighbours
    /// where that is reliable.
    pub(super) async fn fetch(
        &self,
        window: &Window,
        unpadded: bool,
    ) -> Result<Vec<Box<[u8]>>, FetchError> {
        let catalog = self.store.catalog();
        let zone = self.store.zone();
        let Some(collection) = catalog.get(&window.collection) else { return Ok(Vec::new()) };
        if !unpadded || window.days() > 1 {
            return self.fetch_range(collection, ranges::padded(collection, window, zone)).await;
        }
        if ranges::is_filed_by_day(collection) {
            let range = ranges::single_day(window.from);
            match self.fetch_range(collection, range).await {
                // A document of the day proves that the range held the day.
                Ok(documents) if has_document_of(&documents, collection, window.from, zone) => {
                    return Ok(documents);
                }
                Ok(_) | Err(FetchError::Rejected { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.fetch_range(collection, ranges::tight(collection, window, zone)).await
    }

    /// Fetches all pages of `range`.
    async fn fetch_range(
        &self,
        collection: &Collection,
        range: Range,
    ) -> Result<Vec<Box<[u8]>>, FetchError> {
        let mut documents = Vec::new();
        let mut pages = self.client.pages(collection, range);
        while let Some(page) = pages.next().await? {
            documents.extend(page);
        }
        Ok(documents)
    }
}

fn has_document_of(documents: &[Box<[u8]>], collection: &Collection, day: Day, zone: Tz) -> bool {
    documents.iter().any(|document| {
        let value = parse_document(document).value;
        collection.read(&value, zone).is_ok_and(|reading| reading.day == Some(day))
    })
}
