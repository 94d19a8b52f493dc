//! Projects administrators' sessions.

use rollcall_events::token::TokenDigest;
use rollcall_events::{OrganizationId, SessionId, Timestamp};
use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::rows::Key;
use crate::db::{StatementBatch, rows};
use crate::pipeline::decide::{Session, SignInLink};

/// All statements of this module, to be prepared.
pub(super) fn statements() -> impl Iterator<Item = &'static str> {
    [&INSERT_LINKS, &INSERT_SESSIONS, &SIGN_IN, &SIGN_OUT].into_iter().map(|sql| sql.as_str())
}

rows! {
    /// Sign-in links.
    struct LinkRows {
        organization_id: OrganizationId => "uuid",
        id: SessionId => "uuid",
        name: String => "text",
        role: &'static str => "text",
        link_digest: Vec<u8> => "bytea",
        link_expires_at: Timestamp => "timestamptz",
        created_at: Timestamp => "timestamptz",
    }
}

rows! {
    /// Sessions that began without a link.
    struct BegunRows {
        organization_id: OrganizationId => "uuid",
        id: SessionId => "uuid",
        name: String => "text",
        role: &'static str => "text",
        issuer: String => "text",
        subject: String => "text",
        digest: Vec<u8> => "bytea",
        signed_in_at: Timestamp => "timestamptz",
    }
}

rows! {
    /// Links that were used.
    struct SignInRows { organization_id: OrganizationId => "uuid", id: SessionId => "uuid", digest: Vec<u8> => "bytea", at: Timestamp => "timestamptz" }
}

rows! {
    /// Sessions that ended.
    struct SignOutRows { organization_id: OrganizationId => "uuid", id: SessionId => "uuid", at: Timestamp => "timestamptz" }
}

static INSERT_LINKS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO admin_sessions (organization_id, id, name, role, link_digest, link_expires_at, created_at)
        SELECT organization_id, id, name, role, link_digest, link_expires_at, created_at FROM {}",
        LinkRows::source(1)
    )
});

static INSERT_SESSIONS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO admin_sessions (organization_id, id, name, role, issuer, subject, digest, signed_in_at, created_at)
        SELECT organization_id, id, name, role, issuer, subject, digest, signed_in_at, signed_in_at FROM {}",
        BegunRows::source(1)
    )
});

static SIGN_IN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE admin_sessions s SET digest = r.digest, signed_in_at = r.at FROM {} WHERE s.organization_id = r.organization_id AND s.id = r.id",
        SignInRows::source(1)
    )
});

static SIGN_OUT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE admin_sessions s SET ended_at = r.at FROM {} WHERE s.organization_id = r.organization_id AND s.id = r.id",
        SignOutRows::source(1)
    )
});

/// The changes of a batch to sessions.
#[derive(Default)]
pub(super) struct Sessions {
    pub(super) links: Vec<(OrganizationId, SignInLink)>,
    pub(super) begun: Vec<(OrganizationId, Session)>,
    pub(super) signed_in: BTreeMap<Key<SessionId>, (TokenDigest, Timestamp)>,
    pub(super) signed_out: BTreeMap<Key<SessionId>, Timestamp>,
}

/// The rows of sessions that a batch writes.
#[derive(Default)]
pub(super) struct SessionRows {
    links: LinkRows,
    begun: BegunRows,
    signed_in: SignInRows,
    signed_out: SignOutRows,
}

impl Sessions {
    pub(super) fn rows(&self) -> SessionRows {
        let mut rows = SessionRows::default();
        self.links.iter().for_each(|(organization, link)| rows.links.push(*organization, link));
        self.begun.iter().for_each(|(organization, session)| rows.begun.push(*organization, session));
        for ((organization, id), (digest, at)) in &self.signed_in {
            rows.signed_in.organization_id.push(*organization);
            rows.signed_in.id.push(*id);
            rows.signed_in.digest.push(digest.as_bytes().to_vec());
            rows.signed_in.at.push(*at);
        }
        for ((organization, id), at) in &self.signed_out {
            rows.signed_out.organization_id.push(*organization);
            rows.signed_out.id.push(*id);
            rows.signed_out.at.push(*at);
        }
        rows
    }
}

impl SessionRows {
    pub(super) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
        batch.add_if(!self.links.is_empty(), &INSERT_LINKS, || self.links.parameters());
        batch.add_if(!self.begun.is_empty(), &INSERT_SESSIONS, || self.begun.parameters());
        batch.add_if(!self.signed_in.is_empty(), &SIGN_IN, || self.signed_in.parameters());
        batch.add_if(!self.signed_out.is_empty(), &SIGN_OUT, || self.signed_out.parameters());
    }
}

impl LinkRows {
    fn push(&mut self, organization: OrganizationId, link: &SignInLink) {
        self.organization_id.push(organization);
        self.id.push(link.id);
        self.name.push(link.name.clone());
        self.role.push(link.role.as_str());
        self.link_digest.push(link.digest.as_bytes().to_vec());
        self.link_expires_at.push(link.expires_at);
        self.created_at.push(link.created_at);
    }
}

impl BegunRows {
    fn push(&mut self, organization: OrganizationId, session: &Session) {
        let begun = &session.begun;
        self.organization_id.push(organization);
        self.id.push(session.id);
        self.name.push(begun.name.clone());
        self.role.push(begun.role.as_str());
        self.issuer.push(begun.issuer.clone());
        self.subject.push(begun.subject.clone());
        self.digest.push(begun.digest.as_bytes().to_vec());
        self.signed_in_at.push(session.at);
    }
}
