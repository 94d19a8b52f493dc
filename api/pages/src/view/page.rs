//! Renders a view.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

/// An answer with the rendered template. 500 if the template fails.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(page) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}
