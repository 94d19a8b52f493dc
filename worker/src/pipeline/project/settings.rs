//! Projects organizations, workspaces and tokens.

use rollcall_events::request::{AuditorTokenSettings, TokenSettings};
use rollcall_events::{OrganizationId, Timestamp, TokenId, WorkspaceId};
use rollcall_scim::casefold::casefold;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tokio_postgres::types::Json;

use super::rows::Key;
use crate::db::{StatementBatch, rows};
use crate::pipeline::decide::{AuditorToken, Token, Workspace};

/// All statements of this module, to be prepared.
pub(super) fn statements() -> impl Iterator<Item = &'static str> {
    let of_organizations = [&INSERT_ORGANIZATIONS, &SET_RECORDING, &INSERT_WORKSPACES];
    let of_tokens = [&INSERT_TOKENS, &INSERT_AUDITOR_TOKENS, &CHANGE_TOKENS, &REVOKE_TOKENS];
    of_organizations.into_iter().chain(of_tokens).map(|sql| sql.as_str())
}

rows! {
    /// New organizations.
    struct OrganizationRows { id: OrganizationId => "uuid", name: String => "text", created_at: Timestamp => "timestamptz" }
}

rows! {
    /// When the recording of bodies ends, by organization.
    struct RecordingRows { id: OrganizationId => "uuid", until: Option<Timestamp> => "timestamptz" }
}

rows! {
    /// New workspaces.
    struct WorkspaceRows {
        organization_id: OrganizationId => "uuid",
        id: WorkspaceId => "uuid",
        name: String => "text",
        name_key: String => "text",
        created_at: Timestamp => "timestamptz",
    }
}

rows! {
    /// New SCIM tokens.
    struct TokenRows {
        organization_id: OrganizationId => "uuid",
        id: TokenId => "uuid",
        digest: Vec<u8> => "bytea",
        settings: Json<TokenSettings> => "jsonb",
        created_at: Timestamp => "timestamptz",
        prefix: Option<String> => "text",
    }
}

rows! {
    /// New auditors' tokens.
    struct AuditorTokenRows {
        organization_id: OrganizationId => "uuid",
        id: TokenId => "uuid",
        digest: Vec<u8> => "bytea",
        settings: Json<AuditorTokenSettings> => "jsonb",
        created_at: Timestamp => "timestamptz",
    }
}

rows! {
    /// SCIM tokens with new settings.
    struct ChangedRows { organization_id: OrganizationId => "uuid", id: TokenId => "uuid", settings: Json<TokenSettings> => "jsonb" }
}

rows! {
    /// Revoked SCIM tokens and auditors' tokens.
    struct RevokedRows { organization_id: OrganizationId => "uuid", id: TokenId => "uuid", revoked_at: Timestamp => "timestamptz" }
}

/// The columns of a token's settings.
const TOKEN_SETTINGS: &str = "jsonb_to_record(r.settings) AS s (
    label text, default_workspace uuid, service_origin text, origin_required boolean, allow_list text, dialect text, expires_at timestamptz, calls_per_second integer
)";

static INSERT_ORGANIZATIONS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO organizations (id, name, created_at) SELECT id, name, created_at FROM {}",
        OrganizationRows::source(1)
    )
});

static SET_RECORDING: LazyLock<String> = LazyLock::new(|| {
    format!("UPDATE organizations o SET bodies_until = r.until FROM {} WHERE o.id = r.id", RecordingRows::source(1))
});

static INSERT_WORKSPACES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO workspaces (organization_id, id, name, name_key, created_at) SELECT organization_id, id, name, name_key, created_at FROM {}",
        WorkspaceRows::source(1)
    )
});

static INSERT_TOKENS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO scim_tokens (
            organization_id, id, digest, label, default_workspace_id, service_origin, origin_required, allow_list, dialect, created_at, expires_at,
            calls_per_second, prefix
        )
        SELECT r.organization_id, r.id, r.digest, s.label, s.default_workspace, s.service_origin, s.origin_required, s.allow_list, s.dialect,
            r.created_at, s.expires_at, s.calls_per_second, r.prefix
        FROM {}, {TOKEN_SETTINGS}",
        TokenRows::source(1)
    )
});

static INSERT_AUDITOR_TOKENS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO auditor_tokens (organization_id, id, digest, label, allow_list, created_at, expires_at)
        SELECT r.organization_id, r.id, r.digest, s.label, s.allow_list, r.created_at, s.expires_at
        FROM {}, jsonb_to_record(r.settings) AS s (label text, allow_list text, expires_at timestamptz)",
        AuditorTokenRows::source(1)
    )
});

static CHANGE_TOKENS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE scim_tokens t SET label = s.label, default_workspace_id = s.default_workspace, service_origin = s.service_origin,
            origin_required = s.origin_required, allow_list = s.allow_list, dialect = s.dialect, expires_at = s.expires_at,
            calls_per_second = s.calls_per_second
        FROM {}, {TOKEN_SETTINGS}
        WHERE t.organization_id = r.organization_id AND t.id = r.id",
        ChangedRows::source(1)
    )
});

/// A token id is in one of the two tables. Try both.
static REVOKE_TOKENS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH r AS (SELECT * FROM {}),
        auditors AS (
            UPDATE auditor_tokens t SET revoked_at = r.revoked_at FROM r WHERE t.organization_id = r.organization_id AND t.id = r.id
        )
        UPDATE scim_tokens t SET revoked_at = r.revoked_at FROM r WHERE t.organization_id = r.organization_id AND t.id = r.id",
        RevokedRows::source(1)
    )
});

/// The changes of a batch to settings.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) organizations: Vec<(OrganizationId, String, Timestamp)>,
    pub(super) recording: BTreeMap<OrganizationId, Option<Timestamp>>,
    pub(super) workspaces: Vec<(OrganizationId, Workspace)>,
    pub(super) tokens: Vec<(OrganizationId, Token)>,
    pub(super) auditor_tokens: Vec<(OrganizationId, AuditorToken)>,
    pub(super) changed: BTreeMap<Key<TokenId>, TokenSettings>,
    pub(super) revoked: BTreeMap<Key<TokenId>, Timestamp>,
}

/// The rows of settings that a batch writes.
#[derive(Default)]
pub(super) struct SettingsRows {
    organizations: OrganizationRows,
    recording: RecordingRows,
    workspaces: WorkspaceRows,
    tokens: TokenRows,
    auditor_tokens: AuditorTokenRows,
    changed: ChangedRows,
    revoked: RevokedRows,
}

impl Settings {
    /// The organizations whose changes matter to the apis. An api caches tokens and what belongs to them.
    pub(super) fn organizations_of_callers(&self) -> impl Iterator<Item = OrganizationId> {
        let workspaces = self.workspaces.iter().map(|row| row.0);
        let tokens = self.tokens.iter().map(|row| row.0).chain(self.revoked.keys().map(|key| key.0));
        workspaces.chain(tokens).chain(self.changed.keys().map(|key| key.0)).chain(self.recording.keys().copied())
    }

    pub(super) fn rows(&self) -> SettingsRows {
        let mut rows = SettingsRows::default();
        for (id, name, created_at) in &self.organizations {
            rows.organizations.id.push(*id);
            rows.organizations.name.push(name.clone());
            rows.organizations.created_at.push(*created_at);
        }
        for (id, until) in &self.recording {
            rows.recording.id.push(*id);
            rows.recording.until.push(*until);
        }
        self.workspaces.iter().for_each(|(organization, workspace)| rows.workspaces.push(*organization, workspace));
        self.tokens.iter().for_each(|(organization, token)| rows.tokens.push(*organization, token));
        self.auditor_tokens.iter().for_each(|(organization, token)| rows.auditor_tokens.push(*organization, token));
        for ((organization, id), settings) in &self.changed {
            rows.changed.organization_id.push(*organization);
            rows.changed.id.push(*id);
            rows.changed.settings.push(Json(settings.clone()));
        }
        for ((organization, id), revoked_at) in &self.revoked {
            rows.revoked.organization_id.push(*organization);
            rows.revoked.id.push(*id);
            rows.revoked.revoked_at.push(*revoked_at);
        }
        rows
    }
}

impl SettingsRows {
    pub(super) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
        batch.add_if(!self.organizations.is_empty(), &INSERT_ORGANIZATIONS, || self.organizations.parameters());
        batch.add_if(!self.recording.is_empty(), &SET_RECORDING, || self.recording.parameters());
        batch.add_if(!self.workspaces.is_empty(), &INSERT_WORKSPACES, || self.workspaces.parameters());
        batch.add_if(!self.tokens.is_empty(), &INSERT_TOKENS, || self.tokens.parameters());
        batch.add_if(!self.auditor_tokens.is_empty(), &INSERT_AUDITOR_TOKENS, || self.auditor_tokens.parameters());
        batch.add_if(!self.changed.is_empty(), &CHANGE_TOKENS, || self.changed.parameters());
        batch.add_if(!self.revoked.is_empty(), &REVOKE_TOKENS, || self.revoked.parameters());
    }
}

impl WorkspaceRows {
    fn push(&mut self, organization: OrganizationId, workspace: &Workspace) {
        self.organization_id.push(organization);
        self.id.push(workspace.id);
        self.name.push(workspace.name.clone());
        self.name_key.push(casefold(&workspace.name));
        self.created_at.push(workspace.created_at);
    }
}

impl TokenRows {
    fn push(&mut self, organization: OrganizationId, token: &Token) {
        self.organization_id.push(organization);
        self.id.push(token.id);
        self.digest.push(token.digest.as_bytes().to_vec());
        self.settings.push(Json(token.settings.clone()));
        self.created_at.push(token.created_at);
        self.prefix.push(token.prefix.clone());
    }
}

impl AuditorTokenRows {
    fn push(&mut self, organization: OrganizationId, token: &AuditorToken) {
        self.organization_id.push(organization);
        self.id.push(token.id);
        self.digest.push(token.digest.as_bytes().to_vec());
        self.settings.push(Json(token.settings.clone()));
        self.created_at.push(token.created_at);
    }
}
