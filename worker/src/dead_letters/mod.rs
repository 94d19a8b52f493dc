//! Dead letters: requests that can never be applied. The worker publishes them with their reason, stores them, and lets operators retry or discard them.

mod publish;
mod store;

pub(crate) use publish::{DeadLetters, forget};
pub(crate) use store::keep_letters;
