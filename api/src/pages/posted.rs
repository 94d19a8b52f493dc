//! Forms that browsers send: bounded in size and time, like every other body.

use actix_web::dev::Payload;
use actix_web::web::{self, FormConfig};
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use rollcall_scim::ScimError;
use serde::de::DeserializeOwned;
use std::ops::Deref;

use super::Pages;
use super::error::PageError;
use crate::error::ApiError;

/// The largest form, in bytes: an allowlist is the longest that is typed into one.
const MAX_BYTES: usize = 64 * 1024;

/// What a form brings. Pages take no other extractor of a body: this one does not wait for a sender that has stopped in the middle.
#[derive(Debug)]
pub(super) struct Form<T>(T);

impl<T> Form<T> {
    /// What it brings, to keep.
    pub(super) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Form<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = request.app_data::<web::Data<Pages>>().map(|pages| pages.receive);
        let receiving = web::Form::<T>::from_request(request, payload);
        Box::pin(async move {
            let limit = limit.ok_or_else(|| PageError::from(ApiError::Internal("the pages are not set up".to_owned())))?;
            let received = tokio::time::timeout(limit, receiving).await;
            let received = received.map_err(|_| PageError::from(ApiError::from(ScimError::new(408, "the form did not arrive in time"))))?;
            Ok(Self(received?.into_inner()))
        })
    }
}

/// How large a form may be.
pub(super) fn limits() -> FormConfig {
    FormConfig::default().limit(MAX_BYTES)
}
