//! The files of the service log: its checkpoint, its tiles and its entries.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING};
use actix_web::web::{Data, Path};
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{self, Database};
use rollcall_events::log::bundle;
use rollcall_events::log::tile_path::TilePath;
use rollcall_scim::ScimError;

use super::TAG;
use crate::tile_files::{self, tile_file};

/// The checkpoint changes with each signature.
const BRIEFLY: &str = "public, max-age=5";
/// Tiles and bundles never change.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Reads the checkpoint of the service log with its cosignatures.
///
/// It is the newest witnessed checkpoint, or the newest one if the log is not witnessed.
#[utoipa::path(
    method(get, head),
    path = "/checkpoint",
    tag = TAG,
    operation_id = "serviceCheckpoint",
    security(),
    responses(Errors, (status = 200, description = "The checkpoint.", body = String, content_type = "text/plain"))
)]
pub(super) async fn service_checkpoint(database: Data<Database>) -> ApiResult {
    let note = read::service_checkpoint(&database).await?;
    let note = note.ok_or_else(|| ScimError::new(404, "the service log has no checkpoint yet"))?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").insert_header((CACHE_CONTROL, BRIEFLY)).body(note))
}

/// Reads a tile of the service log: up to 256 hashes of 32 bytes each.
///
/// A tile exists if the newest checkpoint has all of its hashes.
#[utoipa::path(
    method(get, head),
    path = "/tile/{level}/{index:.*}",
    tag = TAG,
    operation_id = "serviceTile",
    security(),
    params(
        ("level" = u8, Path, maximum = 63, description = "The level of the tile; level 0 has the leaves"),
        ("index" = String, Path, description = "The index, such as 007 or x001/234; with .p/W for the first W hashes"),
    ),
    responses(
        Errors,
        (status = 200, description = "The hashes.", body = String, content_type = "application/octet-stream"),
    )
)]
pub(super) async fn service_tile(path: Path<(String, String)>, database: Data<Database>) -> ApiResult {
    let (level, index) = path.into_inner();
    let wanted = published(&database, &level, &index).await?;
    let hashes = read::service_tile(&database, wanted).await?;
    let hashes = hashes.ok_or_else(|| ApiError::Internal("the tree of the service log has holes".to_owned()))?;
    // Hashes do not compress.
    Ok(tile_file(FOREVER).insert_header((CONTENT_ENCODING, "identity")).body(hashes))
}

/// Reads a bundle of entries of the service log: up to 256 entries, each after its length in two bytes.
///
/// A bundle exists if the newest checkpoint has all of its entries.
#[utoipa::path(
    method(get, head),
    path = "/tile/entries/{index:.*}",
    tag = TAG,
    operation_id = "serviceEntries",
    security(),
    params(
        ("index" = String, Path, description = "The index, such as 007 or x001/234; with .p/W for the first W entries"),
    ),
    responses(
        Errors,
        (status = 200, description = "The entries.", body = String, content_type = "application/octet-stream"),
    )
)]
pub(super) async fn service_bundle(index: Path<String>, database: Data<Database>) -> ApiResult {
    let wanted = published(&database, "0", &index).await?;
    let entries = read::service_entries(&database, wanted).await?;
    if entries.len() as u64 != wanted.width {
        return Err(ApiError::Internal("the service log has a gap".to_owned()));
    }
    let bundle = bundle(entries).map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(tile_file(FOREVER).body(bundle))
}

/// Parses a path, and checks that the newest checkpoint covers it.
async fn published(database: &Database, level: &str, path: &str) -> Result<TilePath, ApiError> {
    tile_files::published(level, path, read::service_size(database)).await
}
