//! What the tiles of every log have in common (C2SP `tlog-tiles`): which of them exist, and their answers.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, HttpResponseBuilder};
use rollcall_api_core::error::ApiError;
use rollcall_api_core::read::ReadError;
use rollcall_events::log::tile_path::TilePath;
use rollcall_scim::ScimError;

/// Parses the path of a tile or a bundle, and checks that the newest checkpoint covers it. `signed` is the size of
/// this checkpoint. It is read only if the path is valid.
///
/// # Errors
/// 404 if there is no such tile.
pub(crate) async fn published(
    level: &str,
    path: &str,
    signed: impl Future<Output = Result<u64, ReadError>>,
) -> Result<TilePath, ApiError> {
    let missing = || ApiError::from(ScimError::new(404, "there is no such tile"));
    let wanted = TilePath::parse(level, path).ok_or_else(missing)?;
    let needed = wanted.log_size().ok_or_else(missing)?;
    if needed <= signed.await? { Ok(wanted) } else { Err(missing()) }
}

/// The answer with a tile or a bundle. `caching` says who may cache it, and for how long.
pub(crate) fn tile_file(caching: &'static str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.content_type("application/octet-stream").insert_header((CACHE_CONTROL, caching));
    answer
}
