//! Messages of Grafana's plugin protocol that `grafana-plugin-sdk` 0.5 knows without field 5 of
//! `DataResponse`. They follow `proto/backend.proto` of grafana-plugin-sdk-go 0.287.

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, string};

/// Frames of this size and more are not copied into the encoded message, in bytes.
const LARGE: usize = 16 << 10;

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
    use super::*;

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
