//! Dialects: how a caller writes changes and reads answers. A dialect is a translation at the edge. Behind it
//! there is one model.
//!
//! The token names the dialect, and [`Dialects::of`] alone chooses the implementation. Handlers use the trait
//! [`Dialect`] and do not ask which dialect it is.

mod braze;
mod interop;
mod standard;
mod translation;

use rollcall_api_core::auth::Caller;
use rollcall_api_core::error::ApiError;
use rollcall_api_core::http::set_up;
pub(super) use translation::{Change, Dialect, UserChange, UserTranslation};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use rollcall_events::request;
use std::future::{Ready, ready};
use std::sync::Arc;

use braze::Braze;
use interop::Interop;
use standard::Standard;

/// The dialects that a token can name.
pub struct Dialects {
    standard: Arc<Standard>,
    interop: Arc<Interop>,
    braze: Arc<Braze>,
}

impl Dialects {
    /// Sets up the dialects. `braze_strings` is the file with the strings of Braze's dialect; if it is empty,
    /// the built-in file is used.
    ///
    /// # Errors
    /// The reason why the file cannot be read.
    pub fn read(braze_strings: &str) -> Result<Self, String> {
        let braze = Arc::new(Braze::read(braze_strings)?);
        Ok(Self { standard: Arc::new(Standard), interop: Arc::new(Interop), braze })
    }

    /// The dialect that a token names.
    fn of(&self, setting: request::Dialect) -> Arc<dyn Dialect> {
        match setting {
            request::Dialect::Standard => self.standard.clone(),
            request::Dialect::Interop => self.interop.clone(),
            request::Dialect::Braze => self.braze.clone(),
        }
    }
}

/// The dialect of the caller.
pub(super) struct CallerDialect(pub(super) Arc<dyn Dialect>);

impl CallerDialect {
    /// Chooses the dialect of a call whose caller is known.
    pub(super) fn of(caller: &Caller, http: &HttpRequest) -> Result<Arc<dyn Dialect>, ApiError> {
        let dialects: Data<Dialects> = set_up(http, "the dialects")?;
        Ok(dialects.of(caller.dialect()))
    }
}

impl FromRequest for CallerDialect {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(http, payload).into_inner();
        ready(caller.and_then(|caller| Self::of(&caller, http)).map(Self))
    }
}
