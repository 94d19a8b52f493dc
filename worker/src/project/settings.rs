//! Organisations, workspaces and tokens.

use futures_util::try_join;
use rollcall_events::request::TokenSettings;
use rollcall_events::{OrganizationId, Timestamp, TokenId};
use rollcall_scim::fold::fold as fold_case;
use std::collections::BTreeMap;
use tokio_postgres::types::Json;

use super::Key;
use crate::decide::{AuditorToken, Token, Workspace};
use crate::store::{Store, StoreError};

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: &[&str] =
    &[PUT_ORGANIZATIONS, SET_RECORDING, PUT_WORKSPACES, PUT_TOKENS, PUT_AUDITOR_TOKENS, CHANGE_TOKENS, REVOKE_TOKENS];

const PUT_ORGANIZATIONS: &str = "
    INSERT INTO organizations (id, name, created_at) SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[])";

const SET_RECORDING: &str = "
    UPDATE organizations o SET bodies_until = k.until FROM unnest($1::uuid[], $2::timestamptz[]) AS k (id, until) WHERE o.id = k.id";

const PUT_WORKSPACES: &str = "
    INSERT INTO workspaces (organization_id, id, name, name_key, created_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])";

const PUT_TOKENS: &str = "
    INSERT INTO scim_tokens (
        organization_id, id, digest, label, default_workspace_id, service_origin, origin_required, allow_list, dialect, created_at, expires_at,
        calls_per_second, prefix
    )
    SELECT t.organization_id, t.id, t.digest, s.label, s.default_workspace, s.service_origin, s.origin_required, s.allow_list, s.dialect,
        t.created_at, s.expires_at, s.calls_per_second, t.prefix
    FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::jsonb[], $5::timestamptz[], $6::text[])
            AS t (organization_id, id, digest, settings, created_at, prefix),
        jsonb_to_record(t.settings) AS s (
            label text, default_workspace uuid, service_origin text, origin_required boolean, allow_list text, dialect text, expires_at timestamptz,
            calls_per_second integer
        )";

const PUT_AUDITOR_TOKENS: &str = "
    INSERT INTO auditor_tokens (organization_id, id, digest, label, allow_list, created_at, expires_at)
    SELECT t.organization_id, t.id, t.digest, s.label, s.allow_list, t.created_at, s.expires_at
    FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::jsonb[], $5::timestamptz[]) AS t (organization_id, id, digest, settings, created_at),
        jsonb_to_record(t.settings) AS s (label text, allow_list text, expires_at timestamptz)";

const CHANGE_TOKENS: &str = "
    UPDATE scim_tokens t SET label = s.label, default_workspace_id = s.default_workspace, service_origin = s.service_origin,
        origin_required = s.origin_required, allow_list = s.allow_list, dialect = s.dialect, expires_at = s.expires_at,
        calls_per_second = s.calls_per_second
    FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[]) AS k (organization_id, id, settings),
        jsonb_to_record(k.settings) AS s (
            label text, default_workspace uuid, service_origin text, origin_required boolean, allow_list text, dialect text, expires_at timestamptz,
            calls_per_second integer
        )
    WHERE t.organization_id = k.organization_id AND t.id = k.id";

/// An id is that of one kind of token or of the other.
const REVOKE_TOKENS: &str = "
    WITH k AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS k (organization_id, id, revoked_at)),
    auditors AS (
        UPDATE auditor_tokens t SET revoked_at = k.revoked_at FROM k WHERE t.organization_id = k.organization_id AND t.id = k.id
    )
    UPDATE scim_tokens t SET revoked_at = k.revoked_at FROM k WHERE t.organization_id = k.organization_id AND t.id = k.id";

/// What a batch does to settings.
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

impl Settings {
    /// Writes everything, in this order.
    pub(super) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        try_join!(
            self.put_organizations(store),
            self.set_recording(store),
            self.put_workspaces(store),
            self.put_tokens(store),
            self.put_auditor_tokens(store),
            self.change_tokens(store),
            self.revoke_tokens(store),
        )
        .map(|_| ())
    }

    async fn put_organizations(&self, store: &Store) -> Result<(), StoreError> {
        let ids: Vec<_> = self.organizations.iter().map(|row| row.0).collect();
        let names: Vec<_> = self.organizations.iter().map(|row| row.1.as_str()).collect();
        let created: Vec<_> = self.organizations.iter().map(|row| row.2).collect();
        store.query_if(!ids.is_empty(), PUT_ORGANIZATIONS, &[&ids, &names, &created]).await.map(|_| ())
    }

    async fn set_recording(&self, store: &Store) -> Result<(), StoreError> {
        let (ids, until): (Vec<_>, Vec<_>) = self.recording.iter().map(|(id, until)| (*id, *until)).unzip();
        store.query_if(!ids.is_empty(), SET_RECORDING, &[&ids, &until]).await.map(|_| ())
    }

    async fn put_workspaces(&self, store: &Store) -> Result<(), StoreError> {
        let (organizations, ids): (Vec<_>, Vec<_>) =
            self.workspaces.iter().map(|(organization, workspace)| (*organization, workspace.id)).unzip();
        let names: Vec<_> = self.workspaces.iter().map(|row| row.1.name.as_str()).collect();
        let keys: Vec<_> = self.workspaces.iter().map(|row| fold_case(&row.1.name)).collect();
        let created: Vec<_> = self.workspaces.iter().map(|row| row.1.created_at).collect();
        store.query_if(!ids.is_empty(), PUT_WORKSPACES, &[&organizations, &ids, &names, &keys, &created]).await.map(|_| ())
    }

    async fn put_tokens(&self, store: &Store) -> Result<(), StoreError> {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.tokens.iter().map(|(organization, token)| (*organization, token.id)).unzip();
        let digests: Vec<_> = self.tokens.iter().map(|row| row.1.digest.as_bytes()).collect();
        let settings: Vec<_> = self.tokens.iter().map(|row| Json(&row.1.settings)).collect();
        let created: Vec<_> = self.tokens.iter().map(|row| row.1.created_at).collect();
        let prefixes: Vec<_> = self.tokens.iter().map(|row| row.1.prefix.as_deref()).collect();
        store.query_if(!ids.is_empty(), PUT_TOKENS, &[&organizations, &ids, &digests, &settings, &created, &prefixes]).await.map(|_| ())
    }

    async fn put_auditor_tokens(&self, store: &Store) -> Result<(), StoreError> {
        let (organizations, ids): (Vec<_>, Vec<_>) =
            self.auditor_tokens.iter().map(|(organization, token)| (*organization, token.id)).unzip();
        let digests: Vec<_> = self.auditor_tokens.iter().map(|row| row.1.digest.as_bytes()).collect();
        let settings: Vec<_> = self.auditor_tokens.iter().map(|row| Json(&row.1.settings)).collect();
        let created: Vec<_> = self.auditor_tokens.iter().map(|row| row.1.created_at).collect();
        store.query_if(!ids.is_empty(), PUT_AUDITOR_TOKENS, &[&organizations, &ids, &digests, &settings, &created]).await.map(|_| ())
    }

    async fn change_tokens(&self, store: &Store) -> Result<(), StoreError> {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.changed.keys().copied().unzip();
        let settings: Vec<_> = self.changed.values().map(Json).collect();
        store.query_if(!ids.is_empty(), CHANGE_TOKENS, &[&organizations, &ids, &settings]).await.map(|_| ())
    }

    async fn revoke_tokens(&self, store: &Store) -> Result<(), StoreError> {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.revoked.keys().copied().unzip();
        let times: Vec<_> = self.revoked.values().copied().collect();
        store.query_if(!ids.is_empty(), REVOKE_TOKENS, &[&organizations, &ids, &times]).await.map(|_| ())
    }
}
