//! The responses of a plugin behind a door while its owner gives none: an error for each query, a
//! failed health check, and an error response of the resource routes.

use std::collections::HashMap;

use grafana_plugin_sdk::pluginv2::collect_metrics_response::Payload;
use grafana_plugin_sdk::pluginv2::{CallResourceResponse, CollectMetricsResponse, StringList};
use prost::Message;

use super::data_service::QUERY_DATA;
use super::{check_health, query_codec, query_data};
use crate::api::ApiError;
use crate::doors::OfflineAnswer;

/// The responses by method. Other methods fail with a gRPC status.
pub const ANSWERS: &[OfflineAnswer] = &[
    OfflineAnswer { path: QUERY_DATA, is_one_message: true, encode: fail_queries },
    OfflineAnswer {
        path: "/pluginv2.Diagnostics/CheckHealth",
        is_one_message: true,
        encode: |_, error| Some(check_health::fail(error.clone()).encode_to_vec()),
    },
    OfflineAnswer {
        path: "/pluginv2.Diagnostics/CollectMetrics",
        is_one_message: true,
        encode: |_, _| Some(metrics().encode_to_vec()),
    },
    OfflineAnswer {
        path: "/pluginv2.Resource/CallResource",
        is_one_message: false,
        encode: |_, error| Some(resource(error).encode_to_vec()),
    },
];

fn fail_queries(request: &[u8], error: &ApiError) -> Option<Vec<u8>> {
    let request = query_codec::decode(request).ok()?;
    Some(query_data::fail_all(request, error).encode_to_vec())
}

fn metrics() -> CollectMetricsResponse {
    let text = "# HELP ringside_up Whether the plugin responds.\n\
                # TYPE ringside_up gauge\n\
                ringside_up 0\n";
    CollectMetricsResponse { metrics: Some(Payload { prometheus: text.as_bytes().to_vec() }) }
}

fn resource(error: &ApiError) -> CallResourceResponse {
    let json = StringList { values: vec!["application/json".to_owned()] };
    CallResourceResponse {
        code: error.status.into(),
        headers: HashMap::from([("content-type".to_owned(), json)]),
        body: error.to_json().into(),
    }
}

#[cfg(test)]
mod tests {
    use grafana_plugin_sdk::pluginv2::{CheckHealthResponse, DataQuery, QueryDataRequest};

    use super::super::messages::QueryDataResponse;
    use super::*;

    fn answer(path: &str, request: &[u8]) -> Option<Vec<u8>> {
        let error = ApiError::new(502, "owner_unreachable", "no owner", "Start it.");
        let answer = ANSWERS.iter().find(|answer| answer.path == path).unwrap();
        (answer.encode)(request, &error)
    }

    #[test]
    fn every_query_has_an_error_with_a_hint() {
        let query = |name: &str| DataQuery { ref_id: name.to_owned(), ..DataQuery::default() };
        let request =
            QueryDataRequest { queries: vec![query("A"), query("B")], ..Default::default() };
        let encoded = answer(QUERY_DATA, &request.encode_to_vec()).unwrap();
        let responses = QueryDataResponse::decode(encoded.as_slice()).unwrap().responses;
        assert_eq!(responses.len(), 2);
        for response in responses.values() {
            assert_eq!(response.error, "no owner. Start it.");
            assert_eq!((response.status, response.error_source.as_str()), (502, "downstream"));
        }
        assert_eq!(answer(QUERY_DATA, b"\xff\xff"), None);
    }

    #[test]
    fn health_and_resources_contain_the_error() {
        let encoded = answer("/pluginv2.Diagnostics/CheckHealth", &[]).unwrap();
        let health = CheckHealthResponse::decode(encoded.as_slice()).unwrap();
        assert_eq!(health.message, "no owner");
        let encoded = answer("/pluginv2.Resource/CallResource", &[]).unwrap();
        let resource = CallResourceResponse::decode(encoded.as_slice()).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&resource.body).unwrap();
        assert_eq!((resource.code, &body["error"]["hint"]), (502, &"Start it.".into()));
    }
}
