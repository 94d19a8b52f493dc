//! The service log: one public log for all organizations, so that witnesses follow one log and not thousands.
//!
//! Its entries are commitments to checkpoints of the organizations' logs. Nobody can see from the entries which
//! organization an entry belongs to, or how large its log is. An auditor with the log's secret finds all entries
//! of the organization. A proof for an outsider opens one entry.

mod chain;
mod entry;
mod secret;

pub use chain::{Chain, InvalidChain};
pub use entry::{Opening, ServiceEntry};
pub use secret::LogSecret;

/// The origin of the service log: the signer's name, a slash, and the name of the log.
pub fn origin(signer: &str, name: &str) -> String {
    format!("{signer}/{name}")
}
