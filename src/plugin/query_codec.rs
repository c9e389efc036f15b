//! The encoding of `QueryData`: requests with a bounded number of queries, and responses in pieces.

use bytes::Bytes;
use grafana_plugin_sdk::pluginv2::QueryDataRequest;
use prost::Message;
use prost::encoding::{
    DecodeContext, WireType, decode_key, encode_key, encode_varint, encoded_len_varint, skip_field,
    string,
};

use super::messages::{DataResponse, QueryDataResponse};

/// Maximum number of queries in one request. A large dashboard has about a hundred in all its
/// panels.
const MAX_QUERIES: usize = 1_000;

/// The number of the field `queries` in a request.
const QUERIES: u32 = 3;

/// Frames of this size and more are not copied into the encoded message, in bytes.
const LARGE: usize = 16 << 10;

/// Why a request cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The request has too many queries.
    #[error("the request has more than {MAX_QUERIES} queries: send several requests")]
    TooManyQueries,
    /// The bytes are not a request.
    #[error("invalid request: {0}")]
    Malformed(#[from] prost::DecodeError),
}

/// Decodes an encoded request.
///
/// A query of a few bytes takes a hundred times as much in memory when it is decoded, and kilobytes
/// as a task. So the queries are counted in the encoded request.
pub fn decode(bytes: &[u8]) -> Result<QueryDataRequest, RequestError> {
    if count(bytes, QUERIES) > MAX_QUERIES {
        return Err(RequestError::TooManyQueries);
    }
    Ok(QueryDataRequest::decode(bytes)?)
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

impl QueryDataResponse {
    /// Encodes the message in pieces. Large frames are moved, not copied: a response can have
    /// hundreds of megabytes.
    pub fn into_pieces(self) -> Vec<Bytes> {
        let mut pieces = Pieces::default();
        for (ref_id, DataResponse { frames, error, status, error_source }) in self.responses {
            let rest = DataResponse { frames: Vec::new(), error, status, error_source };
            let rest = rest.encode_to_vec();
            // The keys of the fields take one byte each.
            let of_frame =
                |frame: &Vec<u8>| 1 + encoded_len_varint(frame.len() as u64) + frame.len();
            let response = frames.iter().map(of_frame).sum::<usize>() + rest.len();
            let mut entry = Vec::new();
            string::encode(1, &ref_id, &mut entry);
            start_field(2, response, &mut entry);
            start_field(1, entry.len() + response, &mut pieces.last);
            pieces.last.extend(entry);
            for frame in frames {
                start_field(1, frame.len(), &mut pieces.last);
                pieces.push(frame);
            }
            pieces.last.extend(rest);
        }
        pieces.finish()
    }
}

/// Writes the key and the length of a field.
fn start_field(tag: u32, length: usize, out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

/// The pieces of a message. Small ones are joined.
#[derive(Default)]
struct Pieces {
    finished: Vec<Bytes>,
    last: Vec<u8>,
}

impl Pieces {
    fn push(&mut self, bytes: Vec<u8>) {
        if bytes.len() < LARGE {
            self.last.extend(bytes);
        } else {
            self.finished.extend([std::mem::take(&mut self.last).into(), bytes.into()]);
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.finished.push(self.last.into());
        self.finished
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
            assert_eq!(decode(&request(queries)).unwrap().queries.len(), queries);
        }
        let error = decode(&request(MAX_QUERIES + 1)).unwrap_err();
        assert!(matches!(error, RequestError::TooManyQueries), "{error}");
        // The queries in front of invalid bytes count, too.
        let cut = request(MAX_QUERIES + 9);
        assert!(decode(&cut[..cut.len() - 2]).is_err());
        assert!(decode(b"\xff\xff").is_err());
    }

    #[test]
    fn pieces_are_the_encoded_message() {
        let response = |frames: &[usize], error: &str| DataResponse {
            frames: frames.iter().map(|size| vec![*size as u8; *size]).collect(),
            error: error.to_owned(),
            status: 200,
            error_source: String::new(),
        };
        for (responses, expected_pieces) in [
            (vec![], 1),
            (vec![("", response(&[], ""))], 1),
            (vec![("A", response(&[0, 127, 128], "")), ("B", response(&[], "failed"))], 1),
            (vec![("A", response(&[LARGE, 5, 3 * LARGE], "")), ("B", response(&[LARGE], ""))], 7),
        ] {
            let responses = responses.into_iter().map(|(id, answer)| (id.to_owned(), answer));
            let message = QueryDataResponse { responses: responses.collect() };
            let pieces = message.clone().into_pieces();
            assert_eq!(pieces.len(), expected_pieces);
            assert_eq!(QueryDataResponse::decode(pieces.concat().as_slice()), Ok(message));
        }
    }
}
