//! An OpenAPI document → [`Catalog`], and the reduction of a published document to facts.

use super::Catalog;

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("the document is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the document has no collections: no GET path under /v2/usercollection/")]
    Empty,
}

impl Catalog {
    /// Reads an OpenAPI 3 document, published or reduced.
    pub fn from_openapi(document: &[u8]) -> Result<Catalog, CatalogError> {
        let _ = document;
        todo!()
    }
}
