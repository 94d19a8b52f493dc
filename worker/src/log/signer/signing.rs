//! The keys that sign, and the file that remembers what they signed.

use rollcall_events::log::checkpoint::SigningKeys;
use rollcall_service::settings::SettingsError;

use super::file::SignerFile;
use crate::settings::Settings;

/// The keys of a signer and its file.
#[derive(Debug)]
pub(crate) struct Signing {
    /// The keys. A worker without keys does not sign.
    pub(crate) keys: SigningKeys,
    /// The file; `None` without keys, or if the operator decided to sign without a file.
    pub(crate) file: Option<SignerFile>,
}

impl Signing {
    /// Reads the keys and the path of the file.
    ///
    /// # Errors
    /// If a key is malformed, or if the operator has not decided about the file.
    pub(crate) fn read(settings: &Settings) -> Result<Self, SettingsError> {
        let keys = settings.signing_keys()?;
        let file = match settings.signer_file.trim() {
            _ if keys.name().is_none() => None,
            "" => {
                let reason = "it is empty. Name a file on a disk that is not the database's, or write `none`, and a \
                    database that was rolled back is signed again without notice";
                return Err(SettingsError::malformed("signer_file", reason));
            }
            "none" => None,
            path => Some(SignerFile::at(path)),
        };
        Ok(Self { keys, file })
    }
}
