//! `replay` and `verify`: whether the database is what its own log adds up to.

use indicatif::{ProgressBar, ProgressStyle};
use rollcall_events::OrganizationId;
use serde_json::json;

use super::error::CommandError;
use super::print::print;

use crate::log::verify::verify_log;
use crate::replay::{Found, Replay};
use crate::settings::Settings;

/// What `replay` is asked to do.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayCommand {
    /// Only this organization; all where it is left out.
    #[arg(long)]
    organization: Option<OrganizationId>,
    /// Only compare: print every row that differs, and end with 1 where there is one.
    #[arg(long)]
    check: bool,
    /// Forget what a replay that broke off has rebuilt, and begin again.
    #[arg(long)]
    afresh: bool,
}

/// Rebuilds the projections from the log; then compares, or makes the live ones alike.
pub(super) async fn replay(settings: &Settings, command: &ReplayCommand) -> Result<(), CommandError> {
    let replay = Replay::open(&settings.migrate.database_url, command.afresh).await?;
    let organizations = match command.organization {
        Some(organization) => vec![organization],
        None => replay.organizations().await?,
    };
    let mut differing = 0;
    for organization in organizations {
        let bar = bar(organization);
        let tell = |done, size| {
            bar.set_length(size);
            bar.set_position(done);
        };
        let found = if command.check { replay.check(organization, tell).await? } else { replay.mend(organization, tell).await? };
        bar.finish_and_clear();
        tell_differences(organization, &found);
        print(&json!({"organization": organization, "different_rows": found.rows, "mended": !command.check && found.rows > 0}));
        differing += found.rows;
    }
    replay.close().await?;
    if command.check && differing > 0 { Err(CommandError::Differs) } else { Ok(()) }
}

/// Checks every log from end to end, its tree and its checkpoints, and then what it adds up to.
pub(super) async fn verify(settings: &Settings, organization: Option<OrganizationId>) -> Result<(), CommandError> {
    let replay = Replay::open(&settings.migrate.database_url, true).await?;
    let organizations = match organization {
        Some(organization) => vec![organization],
        None => std::iter::once(OrganizationId::SYSTEM).chain(replay.organizations().await?).collect(),
    };
    let mut is_whole = true;
    for organization in organizations {
        let bar = bar(organization);
        let tell = |done, size| {
            bar.set_length(size);
            bar.set_position(done);
        };
        let log = verify_log(&settings.migrate.database_url, organization, tell).await?;
        let found = replay.check(organization, tell).await?;
        bar.finish_and_clear();
        log.broken.iter().for_each(|what| print(&json!({"organization": organization, "broken": what})));
        tell_differences(organization, &found);
        print(&json!({"organization": organization, "entries": log.entries, "broken": log.broken.len(), "different_rows": found.rows}));
        is_whole &= log.broken.is_empty() && found.rows == 0;
    }
    replay.close().await?;
    if is_whole { Ok(()) } else { Err(CommandError::Differs) }
}

fn tell_differences(organization: OrganizationId, found: &Found) {
    for difference in &found.told {
        print(&json!({"organization": organization, "difference": difference}));
    }
}

/// A bar where somebody looks: on a terminal, that is, and not in a pipeline's log.
fn bar(organization: OrganizationId) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {human_pos} of {human_len} entries, {per_sec}, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(organization.to_string())
}
