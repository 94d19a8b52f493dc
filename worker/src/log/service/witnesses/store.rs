//! Stores cosignatures, and the state of each witness for operators.

use rollcall_events::log::witness::{Cosignature, Policy};

use super::context::Witness;
use crate::db::{Database, TaskError, seq_column};

const REGISTER: &str = "
    INSERT INTO service_witnesses AS w (witness, key_id, url) VALUES ($1, $2, $3)
    ON CONFLICT (witness, key_id) DO UPDATE SET url = excluded.url RETURNING w.size";
const FORGET_OTHERS: &str = "
    DELETE FROM service_witnesses w WHERE NOT EXISTS (
        SELECT FROM unnest($1::text[], $2::bigint[]) AS k (witness, key_id)
        WHERE k.witness = w.witness AND k.key_id = w.key_id
    )";
const ADD: &str = "
    INSERT INTO service_cosignatures (size, witness, key_id, cosigned_at, line)
    VALUES ($1, $2, $3, to_timestamp($4::bigint), $5) ON CONFLICT DO NOTHING";
const COSIGNED: &str = "
    UPDATE service_witnesses SET size = $3, cosigned_at = now(), failed_since = NULL, failure = NULL
    WHERE witness = $1 AND key_id = $2";
const FAILED: &str = "
    UPDATE service_witnesses SET failed_since = COALESCE(failed_since, now()), failure = $3
    WHERE witness = $1 AND key_id = $2";
const COSIGNERS: &str = "SELECT witness, key_id FROM service_cosignatures WHERE size = $1";
const WITNESSED: &str = "
    UPDATE service_checkpoints SET witnessed_at = now() WHERE size = $1 AND witnessed_at IS NULL";
const IS_WITNESSED: &str = "SELECT witnessed_at IS NOT NULL AS is_witnessed FROM service_checkpoints WHERE size = $1";

/// Forgets the witnesses that are not configured any more. Their cosignatures stay.
pub(super) async fn forget_others(database: &Database, witnesses: &[Witness<'_>]) -> Result<(), TaskError> {
    let (names, ids): (Vec<&str>, Vec<i64>) =
        witnesses.iter().map(|witness| (witness.key.name(), i64::from(witness.key.id()))).unzip();
    database.execute(FORGET_OTHERS, &[&names, &ids]).await.map(drop)
}

/// Registers a witness. Returns the size that it has cosigned last, as far as is known.
pub(super) async fn known_size(database: &Database, witness: &Witness<'_>) -> Result<u64, TaskError> {
    let row = database.query_opt(REGISTER, &[&witness.key.name(), &i64::from(witness.key.id()), &witness.url]).await?;
    Ok(row.map(|row| row.try_get::<_, i64>("size")).transpose()?.unwrap_or_default().unsigned_abs())
}

/// Stores a verified cosignature. If the cosignatures now meet the quorum, the checkpoint is witnessed. A policy
/// that requires nobody is met by the first cosignature.
pub(super) async fn add(
    database: &Database,
    witness: &Witness<'_>,
    policy: &Policy,
    size: u64,
    cosignature: &Cosignature,
) -> Result<(), TaskError> {
    let (name, id, size) = (witness.key.name(), i64::from(witness.key.id()), seq_column(size));
    let time = i64::try_from(cosignature.time).unwrap_or(i64::MAX);
    database.execute(ADD, &[&size, &name, &id, &time, &cosignature.line]).await?;
    database.execute(COSIGNED, &[&name, &id, &size]).await?;
    let rows = database.query(COSIGNERS, &[&size]).await?;
    let cosigners: Vec<(String, i64)> = rows
        .iter()
        .map(|row| Ok((row.try_get("witness")?, row.try_get("key_id")?)))
        .collect::<Result<_, tokio_postgres::Error>>()?;
    let has_cosigned = |name: &str, id: u32| cosigners.iter().any(|(by, key)| by == name && *key == i64::from(id));
    if policy.is_met(|key| has_cosigned(key.name(), key.id())) {
        database.execute(WITNESSED, &[&size]).await?;
    }
    Ok(())
}

/// Stores why a witness has not cosigned.
pub(super) async fn set_failure(database: &Database, witness: &Witness<'_>, failure: &str) -> Result<(), TaskError> {
    let id = i64::from(witness.key.id());
    database.execute(FAILED, &[&witness.key.name(), &id, &failure]).await.map(drop)
}

/// Whether the cosignatures of the checkpoint at a size have met the quorum.
pub(in super::super) async fn is_witnessed(database: &Database, size: u64) -> Result<bool, TaskError> {
    let row = database.query_opt(IS_WITNESSED, &[&seq_column(size)]).await?;
    Ok(row.map(|row| row.try_get("is_witnessed")).transpose()?.unwrap_or_default())
}
