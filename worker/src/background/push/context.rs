//! The parts that all deliveries share.

use rollcall_events::set::SetKeys;
use std::sync::Arc;

use super::sender::Sender;
use crate::db::Database;
use crate::settings::Settings;

/// The parts that all deliveries share.
pub(super) struct Context {
    pub(super) settings: Arc<Settings>,
    pub(super) database: Database,
    pub(super) sender: Sender,
    pub(super) keys: Arc<SetKeys>,
    pub(super) issuer: String,
}
