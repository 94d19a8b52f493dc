//! `sink`: the positions of the sinks that the worker's settings name.

use clap::Subcommand;
use rollcall_events::{OrganizationId, Timestamp};
use serde_json::json;

use super::error::CommandError;
use super::list::print_rows;
use super::print::print;
use crate::db::Database;
use crate::settings::Settings;

const APPLICATION: &str = "rollcall-worker sink";

const LIST: &str = "
    SELECT p.sink, p.organization_id, p.seq, h.size, p.delivered_at, p.failing_since, p.failure
    FROM sink_positions p LEFT JOIN log_heads h ON h.organization_id = p.organization_id
    ORDER BY p.sink, p.organization_id";

const FORGET: &str = "DELETE FROM sink_positions WHERE sink = $1 AND ($2::uuid IS NULL OR organization_id = $2)";

#[derive(Debug, Subcommand)]
pub(crate) enum SinkCommand {
    /// List the position of each sink in each log, and why its delivery fails.
    List,
    /// Forget the positions of a sink that was removed from the settings, or that is to begin again. Stop the
    /// workers that have it in their settings before.
    Forget {
        /// The name of the sink.
        name: String,
        /// Forget only the position in the log of this organization.
        #[arg(long)]
        organization: Option<OrganizationId>,
    },
}

pub(super) async fn run(settings: &Settings, command: SinkCommand) -> Result<(), CommandError> {
    match command {
        SinkCommand::List => list(settings).await,
        SinkCommand::Forget { name, organization } => forget(settings, &name, organization).await,
    }
}

async fn forget(settings: &Settings, name: &str, organization: Option<OrganizationId>) -> Result<(), CommandError> {
    let database = Database::open(&settings.database_url, APPLICATION).await?;
    let forgotten = database.execute(FORGET, &[&name, &organization]).await?;
    print(&json!({"sink": name, "forgotten": forgotten}));
    Ok(())
}

async fn list(settings: &Settings) -> Result<(), CommandError> {
    print_rows(settings, LIST, &[], |row| {
        Ok(json!({
            "sink": row.try_get::<_, &str>("sink")?,
            "organization": row.try_get::<_, OrganizationId>("organization_id")?,
            "delivered_up_to": row.try_get::<_, i64>("seq")?,
            "log_size": row.try_get::<_, Option<i64>>("size")?,
            "delivered_at": row.try_get::<_, Option<Timestamp>>("delivered_at")?,
            "failing_since": row.try_get::<_, Option<Timestamp>>("failing_since")?,
            "failure": row.try_get::<_, Option<&str>>("failure")?,
        }))
    })
    .await
}
