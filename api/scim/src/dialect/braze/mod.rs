//! The dialect of Braze's SCIM API. Users have the shape and the messages that its callers know. Groups are
//! SCIM's own.

mod changes;
#[cfg(test)]
mod changes_tests;
mod keys;
mod needs;
mod parts;
mod paths;
mod reserved;
#[cfg(test)]
mod reserved_tests;
mod shape;
mod spelling;
mod users;
mod vocabulary;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use rollcall_events::OrganizationId;
use rollcall_events::request::GroupOperation;
use rollcall_scim::ScimError;
use rollcall_scim::attributes::Projection;
use rollcall_scim::schema::USER;
use serde_json::Value;
use std::sync::Arc;

use super::standard::{self, Standard};
use super::translation::{Change, Dialect, Preparation, UserChange, UserTranslation};
use crate::answer::{Representation, json};
use rollcall_api_core::error::ApiResult;
use rollcall_api_core::http::Parameters;
use rollcall_api_core::read::Database;
use shape::from_standard;
use users::BrazeUsers;
use vocabulary::BrazeVocabulary;

/// The dialect, with its known strings.
#[derive(Debug, Clone)]
pub(super) struct Braze {
    vocabulary: Arc<BrazeVocabulary>,
}

impl Braze {
    /// The dialect with the strings of a data file; if the path is empty, with the built-in ones.
    pub(super) fn read(path: &str) -> Result<Self, String> {
        Ok(Self { vocabulary: Arc::new(BrazeVocabulary::read(path)?) })
    }
}

impl Dialect for Braze {
    fn users<'a>(
        &'a self,
        database: &'a Database,
        organization: OrganizationId,
        changes: Vec<UserChange<'a>>,
    ) -> Preparation<'a> {
        Box::pin(async move {
            let prepared = BrazeUsers::prepare(self.vocabulary.clone(), database, organization, &changes).await?;
            Ok(Box::new(prepared) as Box<dyn UserTranslation>)
        })
    }

    fn group(&self, change: Change, body: Value) -> Result<GroupOperation, ScimError> {
        standard::group(change, body)
    }

    /// The shape is always whole, so callers choose no attributes.
    fn projection(&self, _: &Parameters) -> Result<Projection, ScimError> {
        Ok(Projection::Everything)
    }

    fn shown(&self, resource: Representation<'_>, projection: &Projection) -> Value {
        match own_shape(&resource) {
            Some(user) => user,
            None => Standard.shown(resource, projection),
        }
    }

    fn answer(&self, status: StatusCode, resource: Representation<'_>, projection: &Projection) -> ApiResult {
        match own_shape(&resource) {
            Some(user) => json(status, &user),
            None => Standard.answer(status, resource, projection),
        }
    }

    /// Users have no entity tag in this dialect, so their reads have no conditions.
    fn answer_to_read(&self, headers: &HeaderMap, resource: Representation<'_>, projection: &Projection) -> ApiResult {
        match own_shape(&resource) {
            Some(user) => json(StatusCode::OK, &user),
            None => Standard.answer_to_read(headers, resource, projection),
        }
    }

    fn user_error(&self, mut error: ScimError) -> ScimError {
        match error.status {
            404 => "User not found".clone_into(&mut error.detail),
            409 => "User already exists in the database.".clone_into(&mut error.detail),
            _ => {}
        }
        error
    }
}

/// A user in the shape of the dialect; `None` for any other resource.
fn own_shape(resource: &Representation<'_>) -> Option<Value> {
    resource.is_a(&USER).then(|| from_standard(resource.attributes()))
}
