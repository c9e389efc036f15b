//! Messages of Grafana's plugin protocol that `grafana-plugin-sdk` 0.5 knows without field 5 of
//! `DataResponse`. They follow `proto/backend.proto` of grafana-plugin-sdk-go 0.287.

use std::collections::HashMap;

/// The responses of all queries of a request, by refId.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryDataResponse {
    #[prost(map = "string, message", tag = "1")]
    pub responses: HashMap<String, DataResponse>,
}

/// The response to one query.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DataResponse {
    /// Arrow IPC files, one per frame.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub frames: Vec<Vec<u8>>,
    /// Message and hint. Empty on success.
    #[prost(string, tag = "2")]
    pub error: String,
    /// An HTTP status.
    #[prost(int32, tag = "4")]
    pub status: i32,
    /// `plugin` or `downstream`. Empty on success.
    #[prost(string, tag = "5")]
    pub error_source: String,
}
