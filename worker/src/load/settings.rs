//! What changes of settings need to know.

use futures_util::try_join;
use rollcall_events::Timestamp;
use tokio_postgres::Row;

use super::load_workspace;
use super::touched::{Touched, columns};
use crate::decide::{Change, SessionState, State};
use crate::store::{Store, StoreError};

/// Every statement of this room, to be prepared.
pub(super) const STATEMENTS: &[&str] = &[WORKSPACES_BY_NAME, ORGANIZATIONS, TOKENS, SESSIONS, STREAMS, DEAD_LETTERS];

const WORKSPACES_BY_NAME: &str = "
    SELECT w.organization_id, w.id, w.name, w.created_at
    FROM unnest($1::uuid[], $2::text[]) AS k (organization_id, name_key)
    JOIN workspaces w ON w.organization_id = k.organization_id AND w.name_key = k.name_key";

const ORGANIZATIONS: &str = "SELECT id, name, created_at FROM organizations WHERE id = ANY ($1::uuid[])";

const TOKENS: &str = "
    SELECT t.organization_id, t.id, t.revoked_at
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN scim_tokens t ON t.organization_id = k.organization_id AND t.id = k.id
    UNION ALL
    SELECT t.organization_id, t.id, t.revoked_at
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN auditor_tokens t ON t.organization_id = k.organization_id AND t.id = k.id";

const SESSIONS: &str = "
    SELECT s.organization_id, s.id, s.link_expires_at, s.signed_in_at IS NOT NULL AS is_signed_in, s.ended_at IS NOT NULL AS has_ended
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN admin_sessions s ON s.organization_id = k.organization_id AND s.id = k.id";

const DEAD_LETTERS: &str = "
    SELECT d.organization_id, d.id FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN dead_letters d ON d.organization_id = k.organization_id AND d.id = k.id AND d.retried_at IS NULL";

const STREAMS: &str = "
    SELECT s.organization_id, s.id, s.enabled
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN event_streams s ON s.organization_id = k.organization_id AND s.id = k.id";

/// Reads it; nothing where there are none, as in nearly every batch.
pub(super) async fn load_settings(store: &Store, touched: &Touched, state: &mut State) -> Result<(), StoreError> {
    if touched.settings_of.is_empty() {
        return Ok(());
    }
    let (settings_of, keys) = (touched.settings_of.iter().copied().collect::<Vec<_>>(), columns(&touched.workspace_names));
    let (tokens, sessions, streams) = (columns(&touched.tokens), columns(&touched.sessions), columns(&touched.streams));
    let letters = columns(&touched.dead_letters);
    let (named, organizations, tokens, sessions, streams, letters) = try_join!(
        async { store.query_if(!keys.0.is_empty(), WORKSPACES_BY_NAME, &[&keys.0, &keys.1]).await },
        async { store.query(ORGANIZATIONS, &[&settings_of]).await },
        async { store.query_if(!tokens.0.is_empty(), TOKENS, &[&tokens.0, &tokens.1]).await },
        async { store.query_if(!sessions.0.is_empty(), SESSIONS, &[&sessions.0, &sessions.1]).await },
        async { store.query_if(!streams.0.is_empty(), STREAMS, &[&streams.0, &streams.1]).await },
        async { store.query_if(!letters.0.is_empty(), DEAD_LETTERS, &[&letters.0, &letters.1]).await },
    )?;
    for row in &named {
        load_workspace(state, row)?;
    }
    for row in &organizations {
        let id = row.try_get("id")?;
        state.apply(id, &Change::PutOrganization { id, name: row.try_get("name")?, created_at: row.try_get("created_at")? });
    }
    for row in &tokens {
        state.load_token(row.try_get("organization_id")?, row.try_get("id")?, row.try_get::<_, Option<Timestamp>>("revoked_at")?);
    }
    for row in &letters {
        state.load_dead_letter(row.try_get("organization_id")?, row.try_get("id")?);
    }
    for row in &sessions {
        state.load_session(row.try_get("organization_id")?, row.try_get("id")?, session_state(row)?);
    }
    for row in &streams {
        state.load_stream(row.try_get("organization_id")?, row.try_get("id")?, row.try_get("enabled")?);
    }
    Ok(())
}

fn session_state(row: &Row) -> Result<SessionState, StoreError> {
    Ok(match (row.try_get("has_ended")?, row.try_get("is_signed_in")?) {
        (true, _) => SessionState::Ended,
        (false, true) => SessionState::SignedIn,
        (false, false) => SessionState::Invited(row.try_get("link_expires_at")?),
    })
}
