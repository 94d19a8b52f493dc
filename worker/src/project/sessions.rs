//! Administrators' sessions.

use rollcall_events::token::TokenDigest;
use rollcall_events::{OrganizationId, SessionId, Timestamp};
use std::collections::BTreeMap;

use super::Key;
use crate::decide::{Session, SignInLink};
use crate::script::{Script, columns};

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: &[&str] = &[PUT_LINKS, PUT_SESSIONS, SIGN_IN, SIGN_OUT];

const PUT_LINKS: &str = "
    INSERT INTO admin_sessions (organization_id, id, name, role, link_digest, link_expires_at, created_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[], $7::timestamptz[])";

const PUT_SESSIONS: &str = "
    INSERT INTO admin_sessions (organization_id, id, name, role, issuer, subject, digest, signed_in_at, created_at)
    SELECT k.*, k.signed_in_at
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::timestamptz[])
        AS k (organization_id, id, name, role, issuer, subject, digest, signed_in_at)";

const SIGN_IN: &str = "
    UPDATE admin_sessions s SET digest = k.digest, signed_in_at = k.at
    FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::timestamptz[]) AS k (organization_id, id, digest, at)
    WHERE s.organization_id = k.organization_id AND s.id = k.id";

const SIGN_OUT: &str = "
    UPDATE admin_sessions s SET ended_at = k.at FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS k (organization_id, id, at)
    WHERE s.organization_id = k.organization_id AND s.id = k.id";

/// What a batch does to sessions.
#[derive(Default)]
pub(super) struct Sessions {
    pub(super) links: Vec<(OrganizationId, SignInLink)>,
    pub(super) begun: Vec<(OrganizationId, Session)>,
    pub(super) signed_in: BTreeMap<Key<SessionId>, (TokenDigest, Timestamp)>,
    pub(super) signed_out: BTreeMap<Key<SessionId>, Timestamp>,
}

impl Sessions {
    /// What is to be written, in this order.
    pub(super) fn script<'a>(&'a self, script: &mut Script<'a>) {
        self.put_links(script);
        self.put_sessions(script);
        self.sign_in(script);
        self.sign_out(script);
    }

    fn put_links<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.links.iter().map(|(organization, link)| (*organization, link.id)).unzip();
        let names: Vec<_> = self.links.iter().map(|row| row.1.name.as_str()).collect();
        let roles: Vec<_> = self.links.iter().map(|row| row.1.role.as_str()).collect();
        let digests: Vec<_> = self.links.iter().map(|row| row.1.digest.as_bytes()).collect();
        let (expires, created): (Vec<_>, Vec<_>) = self.links.iter().map(|row| (row.1.expires_at, row.1.created_at)).unzip();
        script.add_if(!ids.is_empty(), PUT_LINKS, columns![organizations, ids, names, roles, digests, expires, created]);
    }

    fn put_sessions<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.begun.iter().map(|(organization, session)| (*organization, session.id)).unzip();
        let begun = || self.begun.iter().map(|row| &row.1.begun);
        let (names, roles): (Vec<_>, Vec<_>) = begun().map(|begun| (begun.name.as_str(), begun.role.as_str())).unzip();
        let (issuers, subjects): (Vec<_>, Vec<_>) = begun().map(|begun| (begun.issuer.as_str(), begun.subject.as_str())).unzip();
        let digests: Vec<_> = begun().map(|begun| begun.digest.as_bytes()).collect();
        let times: Vec<_> = self.begun.iter().map(|row| row.1.at).collect();
        let parameters = columns![organizations, ids, names, roles, issuers, subjects, digests, times];
        script.add_if(!self.begun.is_empty(), PUT_SESSIONS, parameters);
    }

    fn sign_in<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.signed_in.keys().copied().unzip();
        let digests: Vec<_> = self.signed_in.values().map(|row| row.0.as_bytes()).collect();
        let times: Vec<_> = self.signed_in.values().map(|row| row.1).collect();
        script.add_if(!ids.is_empty(), SIGN_IN, columns![organizations, ids, digests, times]);
    }

    fn sign_out<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.signed_out.keys().copied().unzip();
        let times: Vec<_> = self.signed_out.values().copied().collect();
        script.add_if(!ids.is_empty(), SIGN_OUT, columns![organizations, ids, times]);
    }
}
