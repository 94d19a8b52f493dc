//! The recording of the bodies of calls.

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::{ChangeRecording, MAX_RECORDING_SECONDS, Request};
use rollcall_events::{OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use uuid::Uuid;

use super::kind::{ChangeRequest, Kind, Listeners, SettingFact};
use crate::db::{StatementBatch, rows};
use crate::fact::{Fact, MalformedFact};
use crate::pipeline::decision::Interrupt;
use crate::pipeline::state::{Key, NotLoaded, State};

impl ChangeRequest for ChangeRecording {
    fn subject(&self, organization: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Organization, organization.0)
    }

    fn operation(&self) -> &'static str {
        "changeRecording"
    }

    fn keys(&self, _: OrganizationId) -> Vec<Key> {
        Vec::new()
    }

    fn check(&self) -> Result<(), ScimError> {
        Ok(())
    }

    fn decide(&self, _: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        if self.until.is_some_and(|until| until > request.requested_at.after_seconds(MAX_RECORDING_SECONDS)) {
            return Err(ScimError::invalid_value("until: bodies can be recorded for one week at most").into());
        }
        Ok((EventType::RecordingChanged, json!({"until": self.until})))
    }
}

/// When the recording ends; `None` if it has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recording(Option<Timestamp>);

/// Reads the change from a `RecordingChanged` fact.
pub(super) fn changed(fact: &Fact) -> Result<Recording, MalformedFact> {
    Ok(Recording(fact.read("until")?))
}

/// When the recording ends, by organization.
#[derive(Default)]
pub(crate) struct Recordings(BTreeMap<OrganizationId, Recording>);

rows! {
    /// When the recording of bodies ends, by organization.
    pub(crate) struct RecordingRows { id: OrganizationId => "uuid", until: Option<Timestamp> => "timestamptz" }
}

static UPDATE: LazyLock<String> = LazyLock::new(|| {
    format!("UPDATE organizations o SET bodies_until = r.until FROM {} WHERE o.id = r.id", RecordingRows::source(1))
});

impl Kind for Recordings {
    type Change = Recording;
    type Rows = RecordingRows;

    fn statements() -> Vec<&'static str> {
        vec![&UPDATE]
    }

    fn apply(_: &Recording, _: OrganizationId, _: &mut State) -> Result<(), NotLoaded> {
        Ok(())
    }

    fn listeners(_: &Recording) -> Listeners {
        Listeners::SERVICES
    }

    fn take(&mut self, organization: OrganizationId, _: u64, change: Recording) {
        self.0.insert(organization, change);
    }

    fn rows(&self) -> RecordingRows {
        let (id, until) = self.0.iter().map(|(id, recording)| (*id, recording.0)).unzip();
        RecordingRows { id, until }
    }

    fn add_to<'a>(rows: &'a RecordingRows, batch: &mut StatementBatch<'a>) {
        batch.add_if(!rows.is_empty(), &UPDATE, || rows.parameters());
    }
}
