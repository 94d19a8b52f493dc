//! Changes of users, translated into operations of the model.

use rollcall_api_core::error::ApiError;
use rollcall_api_core::read::{Database, UserSummary, user_summaries, workspaces_named};
use rollcall_events::request::UserOperation;
use rollcall_events::{OrganizationId, UserId, WorkspaceId};
use rollcall_scim::ScimError;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::changes::{operations, sets_user_name, without_user_name};
use super::needs::{created_user, may_set_user_name, workspace_names};
use super::parts::Vocabulary;
use super::shape::to_standard;
use super::vocabulary::BrazeVocabulary;
use crate::dialect::standard;
use crate::dialect::translation::{Change, UserChange, UserTranslation};

/// The translation of some changes, with everything that they refer to.
pub(super) struct BrazeUsers {
    vocabulary: Arc<BrazeVocabulary>,
    /// The workspaces that the bodies name, by the keys of the names.
    workspaces: HashMap<String, WorkspaceId>,
    /// The present users whose name a change must keep. Absent users are missing.
    present: HashMap<UserId, UserSummary>,
}

impl BrazeUsers {
    /// Looks up the workspaces and the users that some changes refer to.
    pub(super) async fn prepare(
        vocabulary: Arc<BrazeVocabulary>,
        database: &Database,
        organization: OrganizationId,
        changes: &[UserChange<'_>],
    ) -> Result<Self, ApiError> {
        let workspaces = workspaces(database, organization, changes).await?;
        let present = present_users(database, organization, changes).await?;
        Ok(Self { vocabulary, workspaces, present })
    }

    fn present(&self, id: UserId) -> Result<&UserSummary, ScimError> {
        self.present.get(&id).ok_or_else(|| ScimError::new(404, "there is no such user"))
    }

    fn patch(&self, vocabulary: Vocabulary<'_>, id: UserId, body: Value) -> Result<UserOperation, ScimError> {
        let mut changes = operations(vocabulary, body)?;
        if sets_user_name(&changes) {
            changes = without_user_name(changes, &self.present(id)?.user_name)?;
        }
        Ok(UserOperation::Patch(changes))
    }
}

impl UserTranslation for BrazeUsers {
    fn operation(&self, change: Change, id: UserId, body: Value) -> Result<UserOperation, ScimError> {
        let vocabulary = Vocabulary { known: &self.vocabulary, ids: &self.workspaces };
        match change {
            Change::Create => standard::user(change, to_standard(vocabulary, body, None)?),
            Change::Replace => standard::user(change, to_standard(vocabulary, body, Some(self.present(id)?))?),
            Change::Patch => self.patch(vocabulary, id, body),
        }
    }
}

/// The workspaces whose names the bodies may contain, by the keys of the names.
async fn workspaces(
    database: &Database,
    organization: OrganizationId,
    changes: &[UserChange<'_>],
) -> Result<HashMap<String, WorkspaceId>, ApiError> {
    let mut names = BTreeSet::new();
    for change in changes {
        workspace_names(change.body, &mut names);
    }
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let names: Vec<_> = names.into_iter().collect();
    Ok(workspaces_named(database, organization, &names).await?)
}

/// The users that replacements meet, and those that modifications may name. A bulk request may create a user
/// and change it at once; then the body that creates the user counts until the user is there.
async fn present_users(
    database: &Database,
    organization: OrganizationId,
    changes: &[UserChange<'_>],
) -> Result<HashMap<UserId, UserSummary>, ApiError> {
    let needed: Vec<_> = changes.iter().filter(|change| needs_the_user(change)).collect();
    let ids: Vec<_> = needed.iter().map(|change| change.id).collect();
    let mut users: HashMap<_, _> =
        needed.iter().filter_map(|change| Some((change.id, created_user(change.created_by?)?))).collect();
    if !ids.is_empty() {
        users.extend(user_summaries(database, organization, &ids).await?);
    }
    Ok(users)
}

fn needs_the_user(change: &UserChange<'_>) -> bool {
    match change.change {
        Change::Create => false,
        Change::Replace => true,
        Change::Patch => may_set_user_name(change.body),
    }
}
