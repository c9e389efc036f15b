//! gRPC without a codec: a message as bytes, or a status (gRPC over HTTP/2).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use http_body::Frame;

/// The content type of gRPC.
pub const CONTENT_TYPE: &str = "application/grpc";
/// The header or trailer with the status of a call.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The header or trailer with the text of a status.
pub const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The bytes in front of a message: a flag for compression, and the length.
const PREFIX: usize = 5;

/// A status of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The call succeeded.
    Ok = 0,
    /// The message is malformed.
    InvalidArgument = 3,
    /// The caller may not do this.
    PermissionDenied = 7,
    /// The message is too large, or there are too many calls.
    ResourceExhausted = 8,
    /// The owner gives no response.
    Unavailable = 14,
    /// The token is missing or invalid.
    Unauthenticated = 16,
}

/// Reads the body of a request. The error is the response to one that is larger than `max_size`
/// bytes, or that the client has cut off.
pub async fn read(body: Body, max_size: usize) -> Result<Bytes, Response> {
    to_bytes(body, max_size).await.map_err(|_| {
        let size = max_size >> 20;
        let text =
            format!("the request is larger than {size} MiB. Send fewer or shorter queries at once");
        refuse(Code::ResourceExhausted, &text)
    })
}

/// Returns the first message of a request. `None` if it is compressed or incomplete.
pub fn message(request: &Bytes) -> Option<Bytes> {
    let prefix: [u8; PREFIX] = request.get(..PREFIX)?.try_into().ok()?;
    let [0, length @ ..] = prefix else { return None };
    let end = PREFIX + u32::from_be_bytes(length) as usize;
    (request.len() >= end).then(|| request.slice(PREFIX..end))
}

/// A successful response with one message, which consists of `pieces`.
pub fn respond(pieces: Vec<Bytes>) -> Response {
    let length: usize = pieces.iter().map(Bytes::len).sum();
    let mut data = VecDeque::from(pieces);
    let mut first = vec![0];
    first.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    if let Some(piece) = data.pop_front() {
        first.extend_from_slice(&piece);
    }
    data.push_front(first.into());
    let body = Whole { data, trailers: Some(status(Code::Ok, "")) };
    with_content_type(Response::new(Body::new(body)))
}

/// A response without a message.
pub fn refuse(code: Code, text: &str) -> Response {
    let mut response = with_content_type(Response::new(Body::empty()));
    response.headers_mut().extend(status(code, text));
    response
}

/// Headers or trailers of a status. Its text is percent-encoded, as the protocol requires.
pub fn status(code: Code, text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(STATUS, HeaderValue::from(code as u16));
    let encoded: String = text
        .bytes()
        .map(|byte| match byte {
            b' '..=b'~' if byte != b'%' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    if let Ok(text) = HeaderValue::try_from(encoded)
        && !text.is_empty()
    {
        headers.insert(MESSAGE, text);
    }
    headers
}

fn with_content_type(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

/// A body of known pieces and trailers.
pub(super) struct Whole {
    pub(super) data: VecDeque<Bytes>,
    pub(super) trailers: Option<HeaderMap>,
}

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.data.pop_front().map(Frame::data);
        let frame = data.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_read_from_its_frame() {
        let framed = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
        assert_eq!(message(&framed(&[0, 0, 0, 0, 2, 7, 8])).unwrap().as_ref(), [7, 8]);
        assert!(message(&framed(&[0, 0, 0, 0, 0])).unwrap().is_empty());
        for unreadable in [&[1, 0, 0, 0, 1, 7][..], &[0, 0, 0, 0, 3, 7], &[0, 0], &[]] {
            assert_eq!(message(&framed(unreadable)), None, "{unreadable:?}");
        }
    }

    #[test]
    fn text_of_a_status_is_percent_encoded() {
        let headers = status(Code::Unavailable, "100 % übel\n");
        assert_eq!(headers[STATUS], "14");
        assert_eq!(headers[MESSAGE], "100 %25 %C3%BCbel%0A");
    }
}
