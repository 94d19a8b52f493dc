//! What listeners are told: how far each log has come, and whose users, groups or workspaces have changed.

use rollcall_events::OrganizationId;
use std::collections::{BTreeMap, BTreeSet};

use crate::db::{APPLICATION_CHANNEL, LOG_CHANNEL};
use crate::db::{StatementBatch, Store, StoreError};

/// Every statement of this module, to be prepared.
pub(crate) const STATEMENTS: &[&str] = &[NOTIFY];

const NOTIFY: &str = "SELECT pg_notify(k.channel, k.payload) FROM unnest($1::text[], $2::text[]) AS k (channel, payload)";

/// What is to be told, of each organization once.
#[derive(Debug, Default)]
pub(crate) struct Notifications {
    /// How long each log is now.
    sizes: BTreeMap<OrganizationId, u64>,
    /// Of whom applications see something else now.
    changed: BTreeSet<OrganizationId>,
}

impl Notifications {
    /// A log has come so far.
    pub(crate) fn log(&mut self, organization: OrganizationId, size: u64) {
        self.sizes.insert(organization, size);
    }

    /// What applications see of an organization has changed.
    pub(crate) fn change(&mut self, organization: OrganizationId) {
        self.changed.insert(organization);
    }

    /// Takes in what came after.
    pub(crate) fn extend(&mut self, later: Self) {
        self.sizes.extend(later.sizes);
        self.changed.extend(later.changed);
    }

    /// Tells it, and forgets it once it is told.
    ///
    /// # Errors
    /// Where Postgres fails.
    pub(crate) async fn send(&mut self, store: &Store) -> Result<(), StoreError> {
        let logs = self.sizes.iter().map(|(organization, size)| (LOG_CHANNEL, format!("{organization} {size}")));
        let changed = self.changed.iter().map(|organization| (APPLICATION_CHANNEL, organization.to_string()));
        let told: (Vec<_>, Vec<_>) = logs.chain(changed).unzip();
        if !told.0.is_empty() {
            store.query(NOTIFY, &[&told.0, &told.1]).await?;
        }
        *self = Self::default();
        Ok(())
    }
}

/// Lists that listeners are told: each payload on the channel at the same place.
pub(crate) fn notify<'a>(batch: &mut StatementBatch<'a>, channels: &'a Vec<&'static str>, payloads: &'a Vec<String>) {
    batch.add_if(!channels.is_empty(), NOTIFY, || vec![channels, payloads]);
}
