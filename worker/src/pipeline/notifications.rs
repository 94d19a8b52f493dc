//! Notifies listeners of new sizes of logs, and of organizations whose users, groups or workspaces have
//! changed.

use rollcall_events::OrganizationId;
use std::collections::{BTreeMap, BTreeSet};

use crate::db::{APPLICATION_CHANNEL, LOG_CHANNEL};
use crate::db::{StatementBatch, Store, StoreError};

/// All statements of this module, for preparation.
pub(crate) const STATEMENTS: &[&str] = &[NOTIFY];

const NOTIFY: &str =
    "SELECT pg_notify(k.channel, k.payload) FROM unnest($1::text[], $2::text[]) AS k (channel, payload)";

/// The pending notifications, at most one per channel and organization.
#[derive(Debug, Default)]
pub(crate) struct Notifications {
    /// The new size of each log.
    sizes: BTreeMap<OrganizationId, u64>,
    /// The organizations with changes that applications can see.
    changed: BTreeSet<OrganizationId>,
}

impl Notifications {
    /// Records the new size of a log.
    pub(crate) fn log(&mut self, organization: OrganizationId, size: u64) {
        self.sizes.insert(organization, size);
    }

    /// Records that the data that applications see has changed.
    pub(crate) fn change(&mut self, organization: OrganizationId) {
        self.changed.insert(organization);
    }

    /// Adds later notifications.
    pub(crate) fn extend(&mut self, later: Self) {
        self.sizes.extend(later.sizes);
        self.changed.extend(later.changed);
    }

    /// Sends the notifications and clears them.
    ///
    /// # Errors
    /// If Postgres fails.
    pub(crate) async fn send(&mut self, store: &Store) -> Result<(), StoreError> {
        let logs = self.sizes.iter().map(|(organization, size)| (LOG_CHANNEL, format!("{organization} {size}")));
        let changed = self.changed.iter().map(|organization| (APPLICATION_CHANNEL, organization.to_string()));
        let pending: (Vec<_>, Vec<_>) = logs.chain(changed).unzip();
        if !pending.0.is_empty() {
            store.query(NOTIFY, &[&pending.0, &pending.1]).await?;
        }
        *self = Self::default();
        Ok(())
    }
}

/// Adds a statement that notifies: each payload on the channel at the same index.
pub(crate) fn notify<'a>(batch: &mut StatementBatch<'a>, channels: &'a Vec<&'static str>, payloads: &'a Vec<String>) {
    batch.add_if(!channels.is_empty(), NOTIFY, || vec![channels, payloads]);
}
