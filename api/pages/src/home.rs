//! The start page.

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::Data;

use super::context::Pages;
use super::error::PageResult;
use super::session::Administrator;
use super::{audit, scim};

/// `GET /`: redirects to the first page of the person's role.
pub(super) async fn home(admin: Administrator, pages: Data<Pages>) -> PageResult {
    let path = if admin.may_administer() { scim::PATH } else { audit::PATH };
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, pages.address(path))).finish())
}
