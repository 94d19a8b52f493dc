//! The log of each organization: appending entries, the tiles of its tree, signed checkpoints and the signer's
//! memory of them, and verification. And the service log, which witnesses cosign.

pub(crate) mod append;
pub(crate) mod checkpoints;
mod head;
pub(crate) mod service;
pub(crate) mod signer;
pub(crate) mod tiles;
pub(crate) mod verify;

pub(crate) use head::Head;
