//! Witnesses: other parties that follow the service log and cosign its checkpoints.
//!
//! A witness cosigns a checkpoint only if it continues the log that the witness has cosigned before. So nobody can
//! be shown another history than the witnesses have seen. The formats are those of C2SP: `tlog-witness`,
//! `tlog-cosignature` and `tlog-policy`.

mod cosignature;
mod policy;
mod policy_file;
mod request;

pub use cosignature::{Cosignature, InvalidWitnessKey, WitnessKey};
pub use policy::{Policy, PolicyLog, PolicyWitness, UntrustedCheckpoint, WitnessedCheckpoint};
pub use policy_file::InvalidPolicy;
pub use request::{Answer, Refusal, add_checkpoint, read_answer};

#[cfg(test)]
mod examples;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod request_tests;
