//! Requests of a batch that are applied together.

use rollcall_events::request::Request;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A span of the requests of a batch. A clone shares the requests, so that they can be decided on another thread.
#[derive(Debug, Clone)]
pub(crate) struct RequestSpan {
    all: Arc<[Request]>,
    range: Range<usize>,
}

impl RequestSpan {
    /// A span of a batch. The range must be within the batch.
    pub(crate) fn of(all: &Arc<[Request]>, range: Range<usize>) -> Self {
        Self { all: all.clone(), range }
    }
}

impl From<Vec<Request>> for RequestSpan {
    fn from(requests: Vec<Request>) -> Self {
        Self { range: 0..requests.len(), all: requests.into() }
    }
}

impl Deref for RequestSpan {
    type Target = [Request];

    fn deref(&self) -> &[Request] {
        &self.all[self.range.clone()]
    }
}
