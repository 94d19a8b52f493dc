//! Reads from Postgres, with a role that can only read. Every query is limited to an organization.

mod calls;
mod cursor;
mod database;
mod directory;
mod events;
mod feed;
mod filter_sql;
mod find;
mod follow;
mod headers;
mod list;
mod log;
mod memberships;
mod operations;
mod organizations;
mod partitions;
mod refused;
mod service_log;
mod sessions;
mod share;
mod sinks;
mod subject_names;
mod table;
mod timeline;
mod tokens;
mod tree;
mod version;
mod workspaces;

pub use calls::{CallFilter, FoundCall, find_call, find_calls, recording};
pub use database::{Connections, Database, Heartbeat};
pub use directory::{
    COUNT_LIMIT, ListedGroup, ListedWorkspace, WorkspaceMember, group_mapping, list_groups, list_workspaces,
    workspace_members,
};
pub use events::{LogEntry, find_dead_letter, find_event};
pub use feed::{existing, find_stream, next_changes};
pub use find::{UserSummary, complete, find_by_id, find_by_key, user_summaries};
pub use follow::{Followers, Following, Growth, LogNotification};
pub use headers::{RecordedUntil, log_headers, recorded_until};
pub use list::{ListError, ListPage, ListQuery, PageCache, list, single};
pub use log::{
    Condition, Entries, LogPage, Order, from_network, last_entries_of_users, log_entries, log_entry, log_row, log_rows,
    log_size, users_named, with_external_id,
};
pub use memberships::{Membership, memberships};
pub use operations::{
    DeadLetter, LATENCY_BUCKETS, LastReplay, Latency, ReplayState, SHOWN_BYTES, ServiceStatus, dead_letter_count,
    dead_letters, expiring_tokens, last_replay, latencies, service_status,
};
pub use organizations::organization_names;
pub use partitions::{OldestRequest, PartitionStatus, partitions, stopped_partitions};
pub use refused::{RefusedLogs, refusal, refused_logs};
pub use service_log::{
    EnteredCheckpoint, WitnessState, WitnessStatus, entered_checkpoint, entered_checkpoints, log_secret,
    service_checkpoint, service_entries, service_proof, service_size, service_tile, witness_states, witness_status,
    witnessed_size,
};
pub use sessions::{FoundLink, Person, find_link, find_session, session_lasts};
pub use sinks::{SinkLag, sink_lags};
pub use subject_names::{subject_name, subject_names};
pub use table::{ENTITLEMENTS, GROUPS, ROLES, Table, USERS, WORKSPACES};
pub use timeline::{KINDS, TimelineBucket, log_timeline};
pub use tokens::{ListedToken, find_token, list_tokens};
pub use tree::{checkpoint, checkpoint_from, holes, tree_nodes, tree_tiles};
pub use workspaces::{defined_types, named_workspaces, workspace_names, workspaces_named};

use deadpool_postgres::PoolError;
use rollcall_scim::{ScimError, ScimType};
use rollcall_service::entries::MalformedEntry;
use tokio_postgres::error::SqlState;

use crate::error::ApiError;

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Postgres refused the query or cannot be reached.
    #[error("postgres: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    /// No connection was free in time.
    #[error("no connection to postgres: {0}")]
    Pool(#[from] PoolError),
    /// Postgres did not answer in time.
    #[error("postgres did not answer in time")]
    TimedOut,
    /// The organization's own queries use all connections that it may use at once.
    #[error("an organization runs too many queries at once")]
    Crowded,
    /// The error of another call that shared this read.
    #[error("{0}")]
    Shared(String),
    /// A row of a log is no entry.
    #[error("{0}")]
    NoEntry(String),
    /// A stored value is malformed.
    #[error("{0}")]
    Malformed(String),
}

impl From<MalformedEntry> for ReadError {
    fn from(error: MalformedEntry) -> Self {
        Self::NoEntry(error.reason())
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Malformed(reason) => Self::Internal(reason),
            ReadError::NoEntry(reason) => Self::NoEntry(reason),
            ReadError::Crowded => Self::TooManyAtOnce,
            ReadError::Postgres(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
                ApiError::Scim(ScimError::bad_request(
                    ScimType::TooMany,
                    "the query takes too long; narrow it down, by an attribute that is unique, a time or a subject",
                ))
            }
            error => {
                tracing::warn!(%error, "a read failed");
                Self::Unavailable("postgres")
            }
        }
    }
}

impl ReadError {
    /// The error for a read after a committed change. It must not say that the change was refused.
    pub fn after_a_change(self) -> ApiError {
        match ApiError::from(self) {
            error @ ApiError::Internal(_) => error,
            _ => ApiError::OutcomeUnknown("postgres"),
        }
    }
}
