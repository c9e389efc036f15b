//! The encoding of `QueryData`, with a limit on the number of queries.
//!
//! A query of a few bytes takes a hundred times as much in memory when it is decoded, and kilobytes
//! as a task. So the queries are counted in the encoded request.

use bytes::Buf;
use grafana_plugin_sdk::pluginv2::QueryDataRequest;
use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, ProstCodec};

use super::messages::QueryDataResponse;

/// Maximum number of queries in one request. A large dashboard has about a hundred in all its
/// panels.
const MAX_QUERIES: usize = 1_000;

/// The number of the field `queries` in a request.
const QUERIES: u32 = 3;

/// Decodes an encoded request. Fails for one with too many queries, and for bytes that are not a
/// request.
#[expect(clippy::result_large_err, reason = "tonic defines the error type")]
pub fn decode(bytes: impl Buf) -> Result<QueryDataRequest, Status> {
    if count(bytes.chunk(), QUERIES) > MAX_QUERIES {
        return Err(Status::resource_exhausted(format!(
            "the request has more than {MAX_QUERIES} queries: send several requests"
        )));
    }
    let invalid = |error: prost::DecodeError| Status::internal(format!("invalid request: {error}"));
    QueryDataRequest::decode(bytes).map_err(invalid)
}

/// Counts the values of a field in an encoded message, up to the first invalid one.
fn count(mut message: &[u8], number: u32) -> usize {
    let mut count = 0;
    while !message.is_empty()
        && let Ok((field, kind)) = decode_key(&mut message)
        && skip_field(kind, field, &mut message, DecodeContext::default()).is_ok()
    {
        count += usize::from(field == number);
    }
    count
}

/// The codec of the service: [`decode`], and the responses of this program.
#[derive(Default)]
pub struct QueryCodec(ProstCodec<QueryDataResponse, QueryDataRequest>);

impl Codec for QueryCodec {
    type Encode = QueryDataResponse;
    type Decode = QueryDataRequest;
    type Encoder = <ProstCodec<QueryDataResponse, QueryDataRequest> as Codec>::Encoder;
    type Decoder = RequestDecoder;

    fn encoder(&mut self) -> Self::Encoder {
        self.0.encoder()
    }

    fn decoder(&mut self) -> RequestDecoder {
        RequestDecoder
    }
}

/// Decodes the message of a call.
pub struct RequestDecoder;

impl Decoder for RequestDecoder {
    type Item = QueryDataRequest;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<QueryDataRequest>, Status> {
        decode(buffer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use grafana_plugin_sdk::pluginv2::{DataQuery, PluginContext};

    use super::*;

    fn request(queries: usize) -> Vec<u8> {
        QueryDataRequest {
            plugin_context: Some(PluginContext { org_id: 7, ..PluginContext::default() }),
            headers: [("a".to_owned(), "b".to_owned())].into(),
            queries: vec![DataQuery { ref_id: "A".to_owned(), ..DataQuery::default() }; queries],
        }
        .encode_to_vec()
    }

    #[test]
    fn requests_have_a_bounded_number_of_queries() {
        for queries in [0, 1, MAX_QUERIES] {
            assert_eq!(decode(request(queries).as_slice()).unwrap().queries.len(), queries);
        }
        let error = decode(request(MAX_QUERIES + 1).as_slice()).unwrap_err();
        assert_eq!(error.code(), tonic::Code::ResourceExhausted);
        assert!(error.message().contains("more than 1000 queries"), "{error}");
        // The queries in front of invalid bytes count, too.
        let cut = request(MAX_QUERIES + 9);
        assert!(decode(&cut[..cut.len() - 2]).is_err());
        assert!(decode(&b"\xff\xff"[..]).is_err());
    }
}
