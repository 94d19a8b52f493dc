//! Tasks that run beside the partitions.

pub(crate) mod call_log;
pub(crate) mod dead_letters;
mod delivery;
pub(crate) mod pruning;
pub(crate) mod push;
pub(crate) mod sinks;
pub(crate) mod status;
pub(crate) mod token_expiry;
