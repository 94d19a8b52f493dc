//! The one place where errors of pages become answers.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use rollcall_scim::ScimError;

use super::text::Language;
use super::view::{self, Failed};
use crate::error::ApiError;
use crate::read::ReadError;

/// What can go wrong with a page.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// Nobody is signed in, or no longer.
    #[error("nobody is signed in")]
    SignedOut,
    /// The role does not allow it.
    #[error("the role does not allow it")]
    Forbidden,
    /// There is no such page, or what it would show.
    #[error("there is no such page")]
    NotFound,
    /// The form does not come from a page of ours that is still good.
    #[error("the form is not one of ours, or too old")]
    Stale,
    /// The link cannot be used.
    #[error("the link cannot be used")]
    BadLink,
    /// The OpenID provider does not vouch for whoever came, or they have no role here.
    #[error("nobody vouches for whoever came")]
    NotVouchedFor,
    /// A token with that id was made before: its page was sent again.
    #[error("the token was generated before")]
    Repeated,
    /// What the service says of a call.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl From<ReadError> for PageError {
    fn from(error: ReadError) -> Self {
        Self::Api(error.into())
    }
}

impl PageError {
    /// The same for a program.
    pub(super) fn into_api(self) -> ApiError {
        match self {
            Self::Api(error) => error,
            Self::SignedOut => ApiError::Unauthenticated { presented: false },
            Self::NotFound => ScimError::new(404, "there is no such thing").into(),
            Self::Forbidden | Self::Stale | Self::BadLink | Self::NotVouchedFor | Self::Repeated => {
                ScimError::new(403, "the role does not allow it").into()
            }
        }
    }

    /// Whether signing in is what to do about it.
    fn is_of_sign_in(&self) -> bool {
        matches!(self, Self::SignedOut | Self::BadLink | Self::NotVouchedFor)
    }

    /// What the page says.
    fn told(&self) -> (&'static str, &'static str) {
        match self {
            Self::SignedOut => ("signed-out-title", "signed-out"),
            Self::Forbidden => ("forbidden-title", "forbidden"),
            Self::NotFound => ("not-found-title", "not-found"),
            Self::Stale => ("stale-title", "stale"),
            Self::BadLink => ("bad-link-title", "bad-link"),
            Self::NotVouchedFor => ("not-vouched-title", "not-vouched"),
            Self::Repeated => ("repeated-title", "repeated"),
            Self::Api(_) => ("failed-title", "failed"),
        }
    }

    /// The page; `has_provider` says whether one can sign in at an OpenID provider.
    pub(super) fn page(&self, language: Language, has_provider: bool) -> HttpResponse {
        let (title, text) = self.told();
        let detail = match self {
            Self::Api(ApiError::Scim(error)) => error.detail.clone(),
            _ => String::new(),
        };
        view::page(
            self.status_code(),
            &Failed {
                t: language,
                title: language.get(title),
                text: language.get(text),
                detail,
                can_sign_in: has_provider && self.is_of_sign_in(),
            },
        )
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::Stale | Self::BadLink | Self::NotVouchedFor => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Repeated => StatusCode::CONFLICT,
            Self::Api(error) => error.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Api(error) = self {
            tracing::warn!(%error, "a page could not be served");
        }
        self.page(Language::default(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_text_in_every_language() {
        let api = PageError::Api(ApiError::WrongPlace);
        for error in [
            PageError::SignedOut,
            PageError::Forbidden,
            PageError::NotFound,
            PageError::Stale,
            PageError::BadLink,
            PageError::NotVouchedFor,
            PageError::Repeated,
            api,
        ] {
            let (title, text) = error.told();
            for language in Language::ALL {
                assert!(language.get(title) != title && language.get(text) != text, "{error:?}");
            }
        }
    }
}
