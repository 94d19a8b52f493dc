//! `dead-letter list|retry|discard`.

use clap::Subcommand;
use rollcall_events::name::Reason;
use rollcall_events::request::{DeadLetterChange, DecideDeadLetter};
use rollcall_events::{DeadLetterId, OrganizationId, Timestamp};
use serde_json::json;

use super::error::CommandError;
use super::list::print_rows;
use super::print::print;

use crate::settings::Settings;
use crate::submit::submit;

/// Does not select the body, because it contains personal data.
const LIST: &str = "
    SELECT organization_id, id, kept_at, message_id, type, reason, octet_length(body) AS bytes FROM dead_letters
    WHERE $1::uuid IS NULL OR organization_id = $1 ORDER BY kept_at, id";

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetterCommand {
    /// List dead letters with the reason of each.
    List {
        /// List only dead letters of this organization. Default: all, including those whose organization is
        /// unknown.
        #[arg(long)]
        organization: Option<OrganizationId>,
    },
    /// Retry a dead letter, for instance after an upgrade of the worker.
    Retry {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the dead letter, as `list` prints it.
        id: DeadLetterId,
    },
    /// Delete a dead letter without applying it.
    Discard {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the dead letter, as `list` prints it.
        id: DeadLetterId,
        /// Reason, which is recorded in the log.
        #[arg(long)]
        reason: Reason,
    },
}

pub(super) async fn run(settings: &Settings, command: DeadLetterCommand) -> Result<(), CommandError> {
    match command {
        DeadLetterCommand::List { organization } => list(settings, organization).await,
        DeadLetterCommand::Retry { organization, id } => {
            submit(settings, organization, DecideDeadLetter { dead_letter_id: id, change: DeadLetterChange::Retry })
                .await?;
            print(&json!({"id": id, "retried": true}));
            Ok(())
        }
        DeadLetterCommand::Discard { organization, id, reason } => {
            let change = DeadLetterChange::Discard { reason };
            submit(settings, organization, DecideDeadLetter { dead_letter_id: id, change }).await?;
            print(&json!({"id": id, "discarded": true}));
            Ok(())
        }
    }
}

async fn list(settings: &Settings, organization: Option<OrganizationId>) -> Result<(), CommandError> {
    print_rows(settings, LIST, &[&organization], |row| {
        Ok(json!({
            "id": row.try_get::<_, DeadLetterId>("id")?,
            "organization": row.try_get::<_, OrganizationId>("organization_id")?,
            "kept_at": row.try_get::<_, Timestamp>("kept_at")?,
            "message_id": row.try_get::<_, Option<&str>>("message_id")?,
            "type": row.try_get::<_, Option<&str>>("type")?,
            "reason": row.try_get::<_, &str>("reason")?,
            "bytes": row.try_get::<_, i32>("bytes")?,
        }))
    })
    .await
}
