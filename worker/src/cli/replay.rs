//! `replay` and `verify`: compare the database with its own log.

use indicatif::{ProgressBar, ProgressStyle};
use rollcall_events::OrganizationId;
use serde_json::json;

use super::error::CommandError;
use super::print::print;

use crate::db::StoreError;
use crate::log::service::verify_service_log;
use crate::log::verify::verify_log;
use crate::replay::{Replay, TableDifferences};
use crate::settings::Settings;

/// The arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayCommand {
    /// Replay only this organization. Default: all organizations.
    #[arg(long)]
    organization: Option<OrganizationId>,
    /// Only compare. Prints every row that differs; the exit code is 1 if there is one.
    #[arg(long)]
    check: bool,
    /// Discard the progress of an interrupted replay, and start again.
    #[arg(long)]
    afresh: bool,
}

/// Rebuilds the projections from the log, then compares the live ones with them or repairs the live ones. It repairs
/// only from a log that verifies: somebody may have changed the log, and the projections may be right.
pub(super) async fn replay(settings: &Settings, command: &ReplayCommand) -> Result<(), CommandError> {
    let replay = Replay::open(&settings.migrate.database_url, command.afresh).await?;
    let organizations = match command.organization {
        Some(organization) => vec![organization],
        None => replay.organizations().await?,
    };
    let (mut differing, mut is_whole) = (0, true);
    if !command.check {
        // It has the entries that created the organizations.
        let faults = faults(settings, &replay, OrganizationId::SYSTEM, |_, _| {}).await?;
        if !faults.is_empty() {
            print_broken(OrganizationId::SYSTEM, &faults);
            return Err(CommandError::Differs);
        }
    }
    for organization in organizations {
        let bar = bar(organization);
        let report = |done, size| {
            bar.set_length(size);
            bar.set_position(done);
        };
        let found = if command.check {
            replay.check(organization, report).await?
        } else {
            let faults = faults(settings, &replay, organization, report).await?;
            if !faults.is_empty() {
                bar.finish_and_clear();
                print_broken(organization, &faults);
                print(&json!({"organization": organization, "broken": faults.len(), "repaired": false}));
                is_whole = false;
                continue;
            }
            replay.repair(organization, report).await?
        };
        bar.finish_and_clear();
        print_differences(organization, &found);
        print(&json!({
            "organization": organization, "different_rows": found.rows, "repaired": !command.check && found.rows > 0
        }));
        differing += found.rows;
    }
    replay.close().await?;
    if !is_whole || command.check && differing > 0 { Err(CommandError::Differs) } else { Ok(()) }
}

/// Why a log must not be replayed into the projections: it is refused, or it does not verify.
async fn faults(
    settings: &Settings,
    replay: &Replay,
    organization: OrganizationId,
    report: impl Fn(u64, u64),
) -> Result<Vec<String>, CommandError> {
    let refused = replay.refused(organization).await?.map(|reason| format!("the log is refused: {reason}"));
    let log = verify_log(&settings.migrate.database_url, organization, report).await?;
    Ok(refused.into_iter().chain(log.broken).collect())
}

/// Checks every log from its first entry to its last, with its tree and its checkpoints. Then compares the
/// projections with it. Without an organization, checks the service log too.
pub(super) async fn verify(settings: &Settings, organization: Option<OrganizationId>) -> Result<(), CommandError> {
    let replay = Replay::open(&settings.migrate.database_url, true).await?;
    let organizations = match organization {
        Some(organization) => vec![organization],
        None => std::iter::once(OrganizationId::SYSTEM).chain(replay.organizations().await?).collect(),
    };
    let mut is_valid = true;
    for organization in organizations {
        let bar = bar(organization);
        let report = |done, size| {
            bar.set_length(size);
            bar.set_position(done);
        };
        let mut log = verify_log(&settings.migrate.database_url, organization, report).await?;
        let found = match replay.check(organization, report).await {
            Ok(found) => found,
            // A log that cannot be replayed is broken, and the other logs are still to be checked.
            Err(error @ (StoreError::Unreadable(_) | StoreError::Malformed(_))) => {
                log.broken.push(format!("the log cannot be replayed: {error}"));
                TableDifferences::default()
            }
            Err(error) => return Err(error.into()),
        };
        bar.finish_and_clear();
        log.restores.iter().for_each(|what| print(&json!({"organization": organization, "restored": what})));
        print_broken(organization, &log.broken);
        print_differences(organization, &found);
        print(&json!({
            "organization": organization, "entries": log.entries, "broken": log.broken.len(),
            "different_rows": found.rows
        }));
        is_valid &= log.broken.is_empty() && found.rows == 0;
    }
    replay.close().await?;
    if organization.is_none() {
        let log = verify_service_log(&settings.migrate.database_url).await?;
        log.broken.iter().for_each(|what| print(&json!({"service_log": "broken", "broken": what})));
        print(&json!({"service_log": "checked", "entries": log.entries, "broken": log.broken.len()}));
        is_valid &= log.broken.is_empty();
    }
    if is_valid { Ok(()) } else { Err(CommandError::Differs) }
}

fn print_broken(organization: OrganizationId, faults: &[String]) {
    for fault in faults {
        print(&json!({"organization": organization, "broken": fault}));
    }
}

fn print_differences(organization: OrganizationId, found: &TableDifferences) {
    for difference in &found.reported {
        print(&json!({"organization": organization, "difference": difference}));
    }
}

/// A progress bar. It is shown only on a terminal.
fn bar(organization: OrganizationId) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {bar:30} {human_pos} of {human_len} entries, {per_sec}, {eta} left");
    ProgressBar::new(0)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(organization.to_string())
}
