//! `/audit/v1/tile`: the log as static files (C2SP `tlog-tiles`). With `/audit/v1/checkpoint`, tools of others
//! compute any proof from them.
//!
//! The path does not name the organization: the token does. So an answer is for the caller's own cache, and only
//! for the same token.

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{CONTENT_ENCODING, VARY};
use actix_web::web::{Data, Path};
use rollcall_api_core::auth::Auditor;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{self, Database, holes};
use rollcall_events::OrganizationId;
use rollcall_events::log::tile_path::TilePath;
use rollcall_events::log::{Header, bundle};
use std::collections::BTreeSet;

use super::TAG;
use crate::tile_files::{self, tile_file};

/// Tiles and bundles never change.
const CACHED: &str = "private, max-age=31536000, immutable";
const HASH_BYTES: u64 = 32;

/// Reads a tile of the tree: up to 256 hashes of 32 bytes each.
///
/// A tile exists if the newest checkpoint has all of its hashes.
#[utoipa::path(
    method(get, head),
    path = "/tile/{level}/{index:.*}",
    tag = TAG,
    operation_id = "tile",
    params(
        ("level" = u8, Path, maximum = 63, description = "The level of the tile; level 0 has the leaves"),
        ("index" = String, Path, description = "The index, such as 007 or x001/234; with .p/W for the first W hashes"),
    ),
    responses(
        Errors,
        (status = 200, description = "The hashes.", body = String, content_type = "application/octet-stream"),
    )
)]
pub(super) async fn hashes(auditor: Auditor, path: Path<(String, String)>, database: Data<Database>) -> ApiResult {
    let (level, index) = path.into_inner();
    let wanted = published(&database, auditor.organization_id, &level, &index).await?;
    let tiles = read::tree_tiles(&database, auditor.organization_id, &BTreeSet::from([wanted.tile])).await?;
    let found = tiles.get(&wanted.tile).zip(usize::try_from(wanted.width * HASH_BYTES).ok());
    let hashes = found.and_then(|(hashes, length)| hashes.get(..length)).ok_or_else(holes)?.to_vec();
    // Hashes do not compress.
    Ok(immutable().insert_header((CONTENT_ENCODING, "identity")).body(hashes))
}

/// Reads a bundle of entries: up to 256 canonical headers, each after its length in two bytes.
///
/// A bundle exists if the newest checkpoint has all of its entries.
#[utoipa::path(
    method(get, head),
    path = "/tile/entries/{index:.*}",
    tag = TAG,
    operation_id = "entryBundle",
    params(
        ("index" = String, Path, description = "The index, such as 007 or x001/234; with .p/W for the first W entries"),
    ),
    responses(
        Errors,
        (status = 200, description = "The entries.", body = String, content_type = "application/octet-stream"),
    )
)]
pub(super) async fn entries(auditor: Auditor, index: Path<String>, database: Data<Database>) -> ApiResult {
    let wanted = published(&database, auditor.organization_id, "0", &index).await?;
    let headers = read::log_headers(&database, auditor.organization_id, wanted.seqs()).await?;
    let entries: Result<Vec<_>, _> = headers.iter().map(Header::canonical).collect();
    let entries = entries.map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(immutable().body(bundle(entries).map_err(|error| ApiError::Internal(error.to_string()))?))
}

/// Parses a path, and checks that the newest checkpoint covers it.
async fn published(
    database: &Database,
    organization: OrganizationId,
    level: &str,
    path: &str,
) -> Result<TilePath, ApiError> {
    let signed = async { Ok(read::checkpoint(database, organization, None).await?.map_or(0, |(size, _)| size)) };
    tile_files::published(level, path, signed).await
}

fn immutable() -> HttpResponseBuilder {
    let mut answer = tile_file(CACHED);
    answer.insert_header((VARY, "authorization"));
    answer
}
