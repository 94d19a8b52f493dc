//! Organisations, workspaces and tokens.

use rollcall_events::request::TokenSettings;
use rollcall_events::{OrganizationId, Timestamp, TokenId};
use rollcall_scim::fold::fold as fold_case;
use std::collections::BTreeMap;
use tokio_postgres::types::Json;

use super::Key;
use crate::decide::{AuditorToken, Token, Workspace};
use crate::script::{Script, columns};

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
    /// What is to be written, in this order.
    pub(super) fn script<'a>(&'a self, script: &mut Script<'a>) {
        self.put_organizations(script);
        self.set_recording(script);
        self.put_workspaces(script);
        self.put_tokens(script);
        self.put_auditor_tokens(script);
        self.change_tokens(script);
        self.revoke_tokens(script);
    }

    fn put_organizations<'a>(&'a self, script: &mut Script<'a>) {
        let ids: Vec<_> = self.organizations.iter().map(|row| row.0).collect();
        let names: Vec<_> = self.organizations.iter().map(|row| row.1.as_str()).collect();
        let created: Vec<_> = self.organizations.iter().map(|row| row.2).collect();
        script.add_if(!ids.is_empty(), PUT_ORGANIZATIONS, columns![ids, names, created]);
    }

    fn set_recording<'a>(&'a self, script: &mut Script<'a>) {
        let (ids, until): (Vec<_>, Vec<_>) = self.recording.iter().map(|(id, until)| (*id, *until)).unzip();
        script.add_if(!ids.is_empty(), SET_RECORDING, columns![ids, until]);
    }

    fn put_workspaces<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, ids): (Vec<_>, Vec<_>) =
            self.workspaces.iter().map(|(organization, workspace)| (*organization, workspace.id)).unzip();
        let names: Vec<_> = self.workspaces.iter().map(|row| row.1.name.as_str()).collect();
        let keys: Vec<_> = self.workspaces.iter().map(|row| fold_case(&row.1.name)).collect();
        let created: Vec<_> = self.workspaces.iter().map(|row| row.1.created_at).collect();
        script.add_if(!ids.is_empty(), PUT_WORKSPACES, columns![organizations, ids, names, keys, created]);
    }

    fn put_tokens<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.tokens.iter().map(|(organization, token)| (*organization, token.id)).unzip();
        let digests: Vec<_> = self.tokens.iter().map(|row| row.1.digest.as_bytes()).collect();
        let settings: Vec<_> = self.tokens.iter().map(|row| Json(&row.1.settings)).collect();
        let created: Vec<_> = self.tokens.iter().map(|row| row.1.created_at).collect();
        let prefixes: Vec<_> = self.tokens.iter().map(|row| row.1.prefix.as_deref()).collect();
        script.add_if(!ids.is_empty(), PUT_TOKENS, columns![organizations, ids, digests, settings, created, prefixes]);
    }

    fn put_auditor_tokens<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, ids): (Vec<_>, Vec<_>) =
            self.auditor_tokens.iter().map(|(organization, token)| (*organization, token.id)).unzip();
        let digests: Vec<_> = self.auditor_tokens.iter().map(|row| row.1.digest.as_bytes()).collect();
        let settings: Vec<_> = self.auditor_tokens.iter().map(|row| Json(&row.1.settings)).collect();
        let created: Vec<_> = self.auditor_tokens.iter().map(|row| row.1.created_at).collect();
        script.add_if(!ids.is_empty(), PUT_AUDITOR_TOKENS, columns![organizations, ids, digests, settings, created]);
    }

    fn change_tokens<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.changed.keys().copied().unzip();
        let settings: Vec<_> = self.changed.values().map(Json).collect();
        script.add_if(!ids.is_empty(), CHANGE_TOKENS, columns![organizations, ids, settings]);
    }

    fn revoke_tokens<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.revoked.keys().copied().unzip();
        let times: Vec<_> = self.revoked.values().copied().collect();
        script.add_if(!ids.is_empty(), REVOKE_TOKENS, columns![organizations, ids, times]);
    }
}
