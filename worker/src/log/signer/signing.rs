//! The keys that sign, and the file that remembers what they signed.

use rollcall_events::log::checkpoint::SigningKeys;

use super::file::SignerFile;

/// The keys of a signer and its file.
#[derive(Debug)]
pub(crate) struct Signing {
    /// The keys. A worker without keys does not sign.
    pub(crate) keys: SigningKeys,
    /// The file; `None` without keys, or if the operator decided to sign without a file.
    pub(crate) file: Option<SignerFile>,
}
