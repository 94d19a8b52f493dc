//! The errors of pages, and their answers. No other file builds an answer for an error of a page.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use rollcall_api_core::error::ApiError;
use rollcall_api_core::read::ReadError;
use rollcall_scim::ScimError;

use super::text::Language;
use super::view::{self, FailedPage};

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// There is no session, or it has ended.
    #[error("there is no session")]
    SignedOut,
    /// The person's role does not allow the action.
    #[error("the role does not allow this")]
    Forbidden,
    /// The page or its subject does not exist.
    #[error("there is no such page")]
    NotFound,
    /// The form does not come from a page of this session, or is too old.
    #[error("the form does not come from a page of this session, or is too old")]
    Stale,
    /// The sign-in link is malformed, used, or expired.
    #[error("the link cannot be used")]
    BadLink,
    /// The OpenID provider did not sign the person in, or the person has no role in any organization.
    #[error("the OpenID provider did not identify a person with a role")]
    NotIdentified,
    /// A token with this id exists: the form was sent again.
    #[error("the token was generated already")]
    Repeated,
    /// An error of the service.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// An answer with a page, or an error that becomes one.
pub(super) type PageResult = Result<HttpResponse, PageError>;

impl From<ReadError> for PageError {
    fn from(error: ReadError) -> Self {
        Self::Api(error.into())
    }
}

impl PageError {
    /// The same error for a program.
    pub(super) fn into_api(self) -> ApiError {
        match self {
            Self::Api(error) => error,
            Self::SignedOut => ApiError::Unauthenticated { presented: false },
            Self::NotFound => ScimError::new(404, "there is no such resource").into(),
            Self::Forbidden | Self::Stale | Self::BadLink | Self::NotIdentified | Self::Repeated => {
                ScimError::new(403, "the role does not allow this").into()
            }
        }
    }

    /// Whether the page should offer the sign-in.
    fn is_about_sign_in(&self) -> bool {
        matches!(self, Self::SignedOut | Self::BadLink | Self::NotIdentified)
    }

    /// The ids of the page's title and text.
    fn texts(&self) -> (&'static str, &'static str) {
        match self {
            Self::SignedOut => ("signed-out-title", "signed-out"),
            Self::Forbidden => ("forbidden-title", "forbidden"),
            Self::NotFound => ("not-found-title", "not-found"),
            Self::Stale => ("stale-title", "stale"),
            Self::BadLink => ("bad-link-title", "bad-link"),
            Self::NotIdentified => ("not-vouched-title", "not-vouched"),
            Self::Repeated => ("repeated-title", "repeated"),
            Self::Api(_) => ("failed-title", "failed"),
        }
    }

    /// The error page. `has_provider` says whether there is an OpenID provider to sign in at.
    pub(super) fn page(&self, language: Language, has_provider: bool) -> HttpResponse {
        let (title, text) = self.texts();
        let detail = match self {
            Self::Api(ApiError::Scim(error)) => error.detail.clone(),
            _ => String::new(),
        };
        view::page(
            self.status_code(),
            &FailedPage {
                t: language,
                title: language.get(title),
                text: language.get(text),
                detail,
                can_sign_in: has_provider && self.is_about_sign_in(),
            },
        )
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::Stale | Self::BadLink | Self::NotIdentified => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Repeated => StatusCode::CONFLICT,
            Self::Api(error) => error.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Api(error) = self {
            tracing::warn!(%error, "a page failed");
        }
        self.page(Language::default(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_text_in_every_language() {
        let api = PageError::Api(ApiError::SourceNotAllowed);
        for error in [
            PageError::SignedOut,
            PageError::Forbidden,
            PageError::NotFound,
            PageError::Stale,
            PageError::BadLink,
            PageError::NotIdentified,
            PageError::Repeated,
            api,
        ] {
            let (title, text) = error.texts();
            for language in Language::ALL {
                assert!(language.get(title) != title && language.get(text) != text, "{error:?}");
            }
        }
    }
}
