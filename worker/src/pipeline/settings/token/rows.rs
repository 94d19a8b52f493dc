//! The rows of tokens.

use rollcall_events::request::{AuditorTokenSettings, TokenSettings};
use rollcall_events::{OrganizationId, Timestamp, TokenId};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tokio_postgres::types::Json;

use super::{AuditorToken, Change, Token};
use crate::db::{StatementBatch, rows};
use crate::pipeline::rows::RowKey;
use crate::pipeline::settings::kind::{Kind, Listeners};
use crate::pipeline::state::{NotLoaded, State, TokenStatus};

/// The changes of a batch to tokens.
#[derive(Default)]
pub(crate) struct Tokens {
    put: Vec<(OrganizationId, Token)>,
    put_for_auditors: Vec<(OrganizationId, AuditorToken)>,
    changed: BTreeMap<RowKey<TokenId>, TokenSettings>,
    revoked: BTreeMap<RowKey<TokenId>, Timestamp>,
}

/// The rows of tokens that a batch writes.
#[derive(Default)]
pub(crate) struct TokenRows {
    issued: IssuedRows,
    issued_to_auditors: AuditorRows,
    changed: ChangedRows,
    revoked: RevokedRows,
}

rows! {
    /// New SCIM tokens.
    struct IssuedRows {
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
    struct AuditorRows {
        organization_id: OrganizationId => "uuid",
        id: TokenId => "uuid",
        digest: Vec<u8> => "bytea",
        settings: Json<AuditorTokenSettings> => "jsonb",
        created_at: Timestamp => "timestamptz",
    }
}

rows! {
    /// SCIM tokens with new settings.
    struct ChangedRows {
        organization_id: OrganizationId => "uuid",
        id: TokenId => "uuid",
        settings: Json<TokenSettings> => "jsonb",
    }
}

rows! {
    /// Revoked SCIM tokens and auditors' tokens.
    struct RevokedRows {
        organization_id: OrganizationId => "uuid",
        id: TokenId => "uuid",
        revoked_at: Timestamp => "timestamptz",
    }
}

/// The columns of a token's settings.
const TOKEN_SETTINGS: &str = "jsonb_to_record(r.settings) AS s (
    label text, default_workspace uuid, service_origin text, origin_required boolean, allow_list text,
    dialect text, expires_at timestamptz, calls_per_second integer
)";

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO scim_tokens (
            organization_id, id, digest, label, default_workspace_id, service_origin, origin_required,
            allow_list, dialect, created_at, expires_at,
            calls_per_second, prefix
        )
        SELECT r.organization_id, r.id, r.digest, s.label, s.default_workspace, s.service_origin,
            s.origin_required, s.allow_list, s.dialect,
            r.created_at, s.expires_at, s.calls_per_second, r.prefix
        FROM {}, {TOKEN_SETTINGS}",
        IssuedRows::source(1)
    )
});

static INSERT_FOR_AUDITORS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO auditor_tokens (organization_id, id, digest, label, allow_list, created_at, expires_at)
        SELECT r.organization_id, r.id, r.digest, s.label, s.allow_list, r.created_at, s.expires_at
        FROM {}, jsonb_to_record(r.settings) AS s (label text, allow_list text, expires_at timestamptz)",
        AuditorRows::source(1)
    )
});

static CHANGE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE scim_tokens t SET label = s.label, default_workspace_id = s.default_workspace,
            service_origin = s.service_origin, origin_required = s.origin_required, allow_list = s.allow_list,
            dialect = s.dialect, expires_at = s.expires_at,
            calls_per_second = s.calls_per_second
        FROM {}, {TOKEN_SETTINGS}
        WHERE t.organization_id = r.organization_id AND t.id = r.id",
        ChangedRows::source(1)
    )
});

/// A token id is in one of the two tables. Try both.
static REVOKE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH r AS (SELECT * FROM {}),
        auditors AS (
            UPDATE auditor_tokens t SET revoked_at = r.revoked_at FROM r
            WHERE t.organization_id = r.organization_id AND t.id = r.id
        )
        UPDATE scim_tokens t SET revoked_at = r.revoked_at FROM r
        WHERE t.organization_id = r.organization_id AND t.id = r.id",
        RevokedRows::source(1)
    )
});

impl Kind for Tokens {
    type Change = Change;
    type Rows = TokenRows;

    fn statements() -> Vec<&'static str> {
        vec![&INSERT, &INSERT_FOR_AUDITORS, &CHANGE, &REVOKE]
    }

    fn apply(change: &Change, organization: OrganizationId, state: &mut State) -> Result<(), NotLoaded> {
        match change {
            Change::Put(Token { id, .. }) | Change::PutAuditor(AuditorToken { id, .. }) => {
                state.put_token(organization, *id, TokenStatus::Valid);
            }
            Change::Revoke { id, revoked_at } => {
                state.put_token(organization, *id, TokenStatus::RevokedAt(*revoked_at));
            }
            Change::Set { .. } => {}
        }
        Ok(())
    }

    /// A new auditor token is in no cache yet.
    fn listeners(change: &Change) -> Listeners {
        match change {
            Change::PutAuditor(_) => Listeners::default(),
            Change::Put(_) | Change::Revoke { .. } | Change::Set { .. } => Listeners::SERVICES,
        }
    }

    fn take(&mut self, organization: OrganizationId, _: u64, change: Change) {
        match change {
            Change::Put(token) => self.put.push((organization, token)),
            Change::PutAuditor(token) => self.put_for_auditors.push((organization, token)),
            Change::Revoke { id, revoked_at } => {
                self.revoked.insert((organization, id), revoked_at);
            }
            Change::Set { id, settings } => {
                self.changed.insert((organization, id), settings);
            }
        }
    }

    fn rows(&self) -> TokenRows {
        let mut rows = TokenRows::default();
        self.put.iter().for_each(|(organization, token)| rows.issued.push(*organization, token));
        self.put_for_auditors
            .iter()
            .for_each(|(organization, token)| rows.issued_to_auditors.push(*organization, token));
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

    fn add_to<'a>(rows: &'a TokenRows, batch: &mut StatementBatch<'a>) {
        batch.add_if(!rows.issued.is_empty(), &INSERT, || rows.issued.parameters());
        let to_auditors = &rows.issued_to_auditors;
        batch.add_if(!to_auditors.is_empty(), &INSERT_FOR_AUDITORS, || to_auditors.parameters());
        batch.add_if(!rows.changed.is_empty(), &CHANGE, || rows.changed.parameters());
        batch.add_if(!rows.revoked.is_empty(), &REVOKE, || rows.revoked.parameters());
    }
}

impl IssuedRows {
    fn push(&mut self, organization: OrganizationId, token: &Token) {
        self.organization_id.push(organization);
        self.id.push(token.id);
        self.digest.push(token.digest.as_bytes().to_vec());
        self.settings.push(Json(token.settings.clone()));
        self.created_at.push(token.created_at);
        self.prefix.push(token.prefix.clone());
    }
}

impl AuditorRows {
    fn push(&mut self, organization: OrganizationId, token: &AuditorToken) {
        self.organization_id.push(organization);
        self.id.push(token.id);
        self.digest.push(token.digest.as_bytes().to_vec());
        self.settings.push(Json(token.settings.clone()));
        self.created_at.push(token.created_at);
    }
}
