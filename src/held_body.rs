//! A response body that holds something until it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

/// Sends `body`, and drops `held` at its end or when the client is gone.
pub struct HeldBody<B, T> {
    body: B,
    held: Option<T>,
}

impl<B, T> HeldBody<B, T> {
    /// Holds `held` until `body` is sent.
    pub fn new(body: B, held: T) -> HeldBody<B, T> {
        HeldBody { body, held: Some(held) }
    }
}

impl<B: Body + Unpin, T: Unpin> Body for HeldBody<B, T> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) {
            self.held = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
