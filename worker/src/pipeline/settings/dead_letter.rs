//! Dead letters: retry or discard. A decision takes effect when it is recorded, so it writes no row here, and
//! a replay does not repeat it.

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::{DeadLetterChange, DecideDeadLetter, Request};
use rollcall_events::{DeadLetterId, OrganizationId};
use rollcall_scim::ScimError;
use serde_json::json;
use uuid::Uuid;

use super::kind::{ChangeRequest, Kind, SettingFact, checked};
use crate::db::StatementBatch;
use crate::fact::{Fact, MalformedFact};
use crate::pipeline::decision::Interrupt;
use crate::pipeline::state::{Key, NotLoaded, State};

impl ChangeRequest for DecideDeadLetter {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::DeadLetter, self.dead_letter_id.0)
    }

    fn operation(&self) -> &'static str {
        match self.change {
            DeadLetterChange::Retry => "retry",
            DeadLetterChange::Discard { .. } => "discard",
        }
    }

    /// A message whose organization is unknown is a dead letter of the system organization.
    fn needs_organization(&self, organization: OrganizationId) -> bool {
        organization != OrganizationId::SYSTEM
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        vec![Key::DeadLetter(organization, self.dead_letter_id)]
    }

    fn check(&self) -> Result<(), ScimError> {
        match &self.change {
            DeadLetterChange::Retry => Ok(()),
            DeadLetterChange::Discard { reason } => checked("reason", reason.check()),
        }
    }

    /// Decides whether a dead letter is retried or discarded. This happens once: afterwards, there is no dead
    /// letter with this id.
    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        if !state.has_dead_letter(request.organization_id, self.dead_letter_id)? {
            let detail = "there is no such dead letter; it may have been retried or discarded";
            return Err(ScimError::new(404, detail).into());
        }
        let operation = self.operation();
        Ok(match &self.change {
            DeadLetterChange::Retry => (EventType::DeadLetterRetried, json!({"operation": operation})),
            DeadLetterChange::Discard { reason } => {
                (EventType::DeadLetterDiscarded, json!({"operation": operation, "reason": reason}))
            }
        })
    }
}

/// A dead letter that is decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeadLetterDecision(DeadLetterId);

/// Reads the change from a `DeadLetterRetried` or `DeadLetterDiscarded` fact.
pub(super) fn decided(fact: &Fact) -> Result<DeadLetterDecision, MalformedFact> {
    Ok(DeadLetterDecision(DeadLetterId(fact.subject()?)))
}

/// Decided dead letters. They write no rows.
#[derive(Default)]
pub(crate) struct DeadLetters;

impl Kind for DeadLetters {
    type Change = DeadLetterDecision;
    type Rows = ();

    fn statements() -> Vec<&'static str> {
        Vec::new()
    }

    fn apply(change: &DeadLetterDecision, organization: OrganizationId, state: &mut State) -> Result<(), NotLoaded> {
        state.decide_dead_letter(organization, change.0);
        Ok(())
    }

    fn take(&mut self, _: OrganizationId, _: u64, _: DeadLetterDecision) {}

    fn rows(&self) {}

    fn add_to<'a>((): &'a (), _: &mut StatementBatch<'a>) {}
}
