//! The files that pages use. Their addresses contain a hash of all files, so that a browser can cache them
//! forever.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::Path;
use std::sync::LazyLock;

/// Name, media type and content of each file.
const FILES: [(&str, &str, &str); 5] = [
    ("pages.css", "text/css; charset=utf-8", include_str!("../assets/pages.css")),
    ("pages.js", "text/javascript; charset=utf-8", include_str!("../assets/pages.js")),
    ("proof.js", "text/javascript; charset=utf-8", include_str!("../assets/proof.js")),
    ("blake3.min.js", "text/javascript; charset=utf-8", include_str!("../assets/blake3.min.js")),
    ("htmx.min.js", "text/javascript; charset=utf-8", include_str!("../assets/htmx.min.js")),
];

/// The hash of all files, as it is in their addresses.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: String = FILES.iter().map(|(_, _, content)| *content).collect();
    blake3::hash(all.as_bytes()).to_hex().as_str().get(..16).unwrap_or_default().to_owned()
});

/// The address of a file.
pub(super) fn address(name: &str) -> String {
    format!("/assets/{}/{name}", *VERSION)
}

/// `GET /assets/{version}/{name}`.
pub(super) async fn serve(path: Path<(String, String)>) -> HttpResponse {
    let Some((_, media_type, content)) = FILES.iter().find(|(name, _, _)| *name == path.1) else {
        return HttpResponse::NotFound().finish();
    };
    HttpResponse::Ok()
        .content_type(*media_type)
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(*content)
}
