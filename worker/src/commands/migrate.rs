//! `migrate`: brings the database to the newest schema, as its owner, and sets the passwords of the services' roles.

use rollcall_events::{OrganizationId, UserId};
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::USER;
use rollcall_scim::search;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::types::Json;

use super::CommandError;
use crate::settings::Migrate;
use crate::store::connect;

mod embedded {
    refinery::embed_migrations!("../migrations");
}

/// Everything but the views lives in one schema, the record of migrations included.
const PREPARE: &str = "SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS rollcall; SET search_path = rollcall";

pub(super) async fn migrate(settings: &Migrate) -> Result<(), CommandError> {
    let mut client = connect(&settings.database_url, "rollcall-worker migrate").await?;
    client.batch_execute(PREPARE).await?;
    let report = embedded::migrations::runner().run_async(&mut client).await?;
    for migration in report.applied_migrations() {
        tracing::info!("applied {migration}");
    }
    fill_keys(&client).await?;
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

const WITHOUT_KEYS: &str = "SELECT organization_id, id, resource FROM users WHERE keys IS NULL LIMIT 10000";
const SET_KEYS: &str = "
    UPDATE users u SET keys = k.keys FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[]) AS k (organization_id, id, keys)
    WHERE u.organization_id = k.organization_id AND u.id = k.id";

/// Gives users from before there were keys theirs: the database cannot make them, since it does not fold.
async fn fill_keys(client: &tokio_postgres::Client) -> Result<(), CommandError> {
    loop {
        let rows = client.query(WITHOUT_KEYS, &[]).await?;
        if rows.is_empty() {
            return Ok(client.batch_execute("ALTER TABLE users ALTER COLUMN keys SET NOT NULL").await?);
        }
        let (mut organizations, mut ids, mut keys): (Vec<OrganizationId>, Vec<UserId>, Vec<_>) = Default::default();
        for row in &rows {
            let Json(resource): Json<Attributes> = row.try_get("resource")?;
            organizations.push(row.try_get("organization_id")?);
            ids.push(row.try_get("id")?);
            keys.push(Json(search::keys(&USER, &resource)));
        }
        client.execute(SET_KEYS, &[&organizations, &ids, &keys]).await?;
    }
}

/// Sends a verifier, so that neither the server nor its log sees the password. A verifier has no quotes in it.
async fn set_password(client: &tokio_postgres::Client, role: &str, password: &SecretString) -> Result<(), CommandError> {
    if password.expose_secret().is_empty() {
        return Ok(());
    }
    let verifier = postgres_protocol::password::scram_sha_256(password.expose_secret().as_bytes());
    Ok(client.batch_execute(&format!("ALTER ROLE {role} PASSWORD '{verifier}'")).await?)
}
