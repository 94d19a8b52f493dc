//! Forms that browsers send. Their size and the time to receive them are limited, as for every other body.

use actix_web::dev::Payload;
use actix_web::web::{self, FormConfig};
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use rollcall_api_core::error::ApiError;
use rollcall_scim::ScimError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::ops::Deref;

use super::context::Pages;
use super::error::PageError;

/// Maximum size of a form, in bytes. An allowlist is the longest text that anybody types into one.
const MAX_BYTES: usize = 64 * 1024;

/// The content of a form. Pages use no other extractor for a body: this one does not wait for a sender that
/// stops in the middle.
#[derive(Debug)]
pub(super) struct Form<T>(T);

/// A form with a button and no fields.
#[derive(Debug, Deserialize)]
pub(super) struct CsrfForm {
    /// The token of the session's forms.
    pub(super) csrf: String,
}

impl<T> Form<T> {
    /// The content itself.
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
            let limit =
                limit.ok_or_else(|| PageError::from(ApiError::Internal("the pages are not set up".to_owned())))?;
            let received = tokio::time::timeout(limit, receiving).await;
            let received = received
                .map_err(|_| PageError::from(ApiError::from(ScimError::new(408, "the form did not arrive in time"))))?;
            Ok(Self(received?.into_inner()))
        })
    }
}

/// The limit of a form's size.
pub(super) fn limits() -> FormConfig {
    FormConfig::default().limit(MAX_BYTES)
}
