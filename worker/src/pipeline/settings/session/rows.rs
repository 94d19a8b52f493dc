//! The rows of sessions.

use rollcall_events::token::TokenDigest;
use rollcall_events::{OrganizationId, SessionId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::{Change, Session, SignInLink};
use crate::db::{StatementBatch, rows};
use crate::pipeline::rows::RowKey;
use crate::pipeline::settings::kind::Kind;
use crate::pipeline::state::{NotLoaded, SessionState, State};

/// The changes of a batch to sessions.
#[derive(Default)]
pub(crate) struct Sessions {
    links: Vec<(OrganizationId, SignInLink)>,
    begun: Vec<(OrganizationId, Session)>,
    signed_in: BTreeMap<RowKey<SessionId>, (TokenDigest, Timestamp)>,
    signed_out: BTreeMap<RowKey<SessionId>, Timestamp>,
    erased: BTreeSet<RowKey<SessionId>>,
}

/// The rows of sessions that a batch writes.
#[derive(Default)]
pub(crate) struct SessionRows {
    links: LinkRows,
    begun: BegunRows,
    signed_in: SignInRows,
    signed_out: SignOutRows,
    erased: ErasedRows,
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
    struct SignInRows {
        organization_id: OrganizationId => "uuid",
        id: SessionId => "uuid",
        digest: Vec<u8> => "bytea",
        at: Timestamp => "timestamptz",
    }
}

rows! {
    /// Sessions that ended.
    struct SignOutRows {
        organization_id: OrganizationId => "uuid",
        id: SessionId => "uuid",
        at: Timestamp => "timestamptz",
    }
}

rows! {
    /// Sessions of erased administrators.
    struct ErasedRows { organization_id: OrganizationId => "uuid", id: SessionId => "uuid" }
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
        "UPDATE admin_sessions s SET digest = r.digest, signed_in_at = r.at
        FROM {} WHERE s.organization_id = r.organization_id AND s.id = r.id",
        SignInRows::source(1)
    )
});

static SIGN_OUT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE admin_sessions s SET ended_at = r.at
        FROM {} WHERE s.organization_id = r.organization_id AND s.id = r.id",
        SignOutRows::source(1)
    )
});

static DELETE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "DELETE FROM admin_sessions s USING {} WHERE s.organization_id = r.organization_id AND s.id = r.id",
        ErasedRows::source(1)
    )
});

impl Kind for Sessions {
    type Change = Change;
    type Rows = SessionRows;

    fn statements() -> Vec<&'static str> {
        vec![&INSERT_LINKS, &INSERT_SESSIONS, &SIGN_IN, &SIGN_OUT, &DELETE]
    }

    fn apply(change: &Change, organization: OrganizationId, state: &mut State) -> Result<(), NotLoaded> {
        match change {
            Change::Invite(link) => state.put_session(organization, link.id, SessionState::Invited(link.expires_at)),
            Change::Begin(session) => state.put_session(organization, session.id, SessionState::SignedIn),
            Change::SignIn { id, .. } => state.put_session(organization, *id, SessionState::SignedIn),
            Change::SignOut { id, .. } => state.put_session(organization, *id, SessionState::Ended),
            Change::Erase { id } => state.remove_session(organization, *id),
        }
        Ok(())
    }

    fn take(&mut self, organization: OrganizationId, _: u64, change: Change) {
        match change {
            Change::Invite(link) => self.links.push((organization, link)),
            Change::Begin(session) => self.begun.push((organization, session)),
            Change::SignIn { id, digest, at } => {
                self.signed_in.insert((organization, id), (digest, at));
            }
            Change::SignOut { id, at } => {
                self.signed_out.insert((organization, id), at);
            }
            Change::Erase { id } => {
                self.erased.insert((organization, id));
            }
        }
    }

    fn rows(&self) -> SessionRows {
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
        for (organization, id) in &self.erased {
            rows.erased.organization_id.push(*organization);
            rows.erased.id.push(*id);
        }
        rows
    }

    fn add_to<'a>(rows: &'a SessionRows, batch: &mut StatementBatch<'a>) {
        batch.add_if(!rows.links.is_empty(), &INSERT_LINKS, || rows.links.parameters());
        batch.add_if(!rows.begun.is_empty(), &INSERT_SESSIONS, || rows.begun.parameters());
        batch.add_if(!rows.signed_in.is_empty(), &SIGN_IN, || rows.signed_in.parameters());
        batch.add_if(!rows.signed_out.is_empty(), &SIGN_OUT, || rows.signed_out.parameters());
        batch.add_if(!rows.erased.is_empty(), &DELETE, || rows.erased.parameters());
    }
}

impl LinkRows {
    fn push(&mut self, organization: OrganizationId, link: &SignInLink) {
        self.organization_id.push(organization);
        self.id.push(link.id);
        self.name.push(link.name.to_string());
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
