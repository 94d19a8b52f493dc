//! `migrate`: migrates the database to the newest schema as its owner, and sets the passwords of the
//! services' roles.

use secrecy::{ExposeSecret, SecretString};

use super::error::CommandError;
use super::fill::{fill_keys, fill_tiles};
use crate::db::TaskError;
use crate::db::connect;
use crate::settings::Migrate;
use crate::wait::{OPEN, within};

mod embedded {
    refinery::embed_migrations!("../migrations");
}

/// All objects except the views are in one schema, including the table of applied migrations.
const PREPARE: &str =
    "SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS rollcall; SET search_path = rollcall";

/// Whether the table of the log is there and has the columns of an earlier format.
const IS_OLD_TABLE: &str = "
    SELECT to_regclass('rollcall.events') IS NOT NULL AND NOT EXISTS (
        SELECT FROM information_schema.columns
        WHERE table_schema = 'rollcall' AND table_name = 'events' AND column_name = 'actor_commitment'
    )";
const HAS_ENTRIES: &str = "SELECT EXISTS (SELECT FROM rollcall.events)";

pub(super) async fn migrate(settings: &Migrate) -> Result<(), CommandError> {
    let connecting = connect(&settings.database_url, "rollcall-worker migrate");
    let mut client = within("a connection to postgres", OPEN, connecting).await.map_err(TaskError::from)??;
    client.batch_execute(PREPARE).await?;
    refuse_old_log(&client).await?;
    let report = embedded::migrations::runner().run_async(&mut client).await?;
    for migration in report.applied_migrations() {
        tracing::info!("applied {migration}");
    }
    fill_keys(&client).await?;
    fill_tiles(&mut client).await?;
    let passwords = [
        ("rollcall_api", &settings.api_password),
        ("rollcall_worker", &settings.worker_password),
        ("rollcall_auditor", &settings.auditor_password),
        ("rollcall_app", &settings.app_password),
    ];
    for (role, password) in passwords {
        set_password(&client, role, password).await?;
    }
    Ok(())
}

/// Refuses a database whose log has entries in an earlier format. Their hashes cannot be converted: the tree
/// that checkpoints were signed for would be another one.
async fn refuse_old_log(client: &tokio_postgres::Client) -> Result<(), CommandError> {
    if holds(client, IS_OLD_TABLE).await? && holds(client, HAS_ENTRIES).await? {
        return Err(CommandError::OldLog);
    }
    Ok(())
}

/// Whether the condition that a query selects holds.
async fn holds(client: &tokio_postgres::Client, condition: &str) -> Result<bool, CommandError> {
    Ok(client.query_one(condition, &[]).await?.try_get(0)?)
}

/// Sends a SCRAM verifier, so that neither the server nor its log sees the password. A verifier contains no
/// quotes.
async fn set_password(
    client: &tokio_postgres::Client,
    role: &str,
    password: &SecretString,
) -> Result<(), CommandError> {
    if password.expose_secret().is_empty() {
        return Ok(());
    }
    let verifier = postgres_protocol::password::scram_sha_256(password.expose_secret().as_bytes());
    Ok(client.batch_execute(&format!("ALTER ROLE {role} PASSWORD '{verifier}'")).await?)
}
