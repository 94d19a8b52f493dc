//! SCIM's own words, as the RFCs have them and as identity providers write them
//! ([`rollcall_scim::lenience`]). The other dialects translate into these words, or check them, and end here.

use rollcall_api_core::read::Database;
use rollcall_events::members::{take_member_changes, take_members};
use rollcall_events::membership::check_named_once;
use rollcall_events::request::{GroupOperation, UserOperation};
use rollcall_events::{OrganizationId, UserId};
use rollcall_scim::patch::{Operation, parse};
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::{GROUP, USER};
use rollcall_scim::{ScimError, validate};
use serde_json::Value;
use std::collections::BTreeSet;
use std::future::ready;

use super::translation::{Change, Dialect, Preparation, UserChange, UserTranslation};

/// The dialect of the RFCs. It looks nothing up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standard;

impl Dialect for Standard {
    fn users<'a>(&'a self, _: &'a Database, _: OrganizationId, _: Vec<UserChange<'a>>) -> Preparation<'a> {
        Box::pin(ready(Ok(Box::new(*self) as Box<dyn UserTranslation>)))
    }

    fn group(&self, change: Change, body: Value) -> Result<GroupOperation, ScimError> {
        group(change, body)
    }
}

impl UserTranslation for Standard {
    fn operation(&self, change: Change, _: UserId, body: Value) -> Result<UserOperation, ScimError> {
        user(change, body)
    }
}

/// Reads a change of a user. Everything that can be refused without the user's state is refused here.
pub(super) fn user(change: Change, body: Value) -> Result<UserOperation, ScimError> {
    match change {
        Change::Create => whole_user(body).map(UserOperation::Create),
        Change::Replace => whole_user(body).map(UserOperation::Replace),
        Change::Patch => parse(&USER, body).map(UserOperation::Patch),
    }
}

fn whole_user(body: Value) -> Result<Attributes, ScimError> {
    let attributes = validate::resource(&USER, body)?;
    check_named_once(&attributes)?;
    Ok(attributes)
}

/// Reads a change of a group.
pub(super) fn group(change: Change, body: Value) -> Result<GroupOperation, ScimError> {
    match change {
        Change::Create => whole_group(body).map(|(attributes, members)| GroupOperation::Create(attributes, members)),
        Change::Replace => whole_group(body).map(|(attributes, members)| GroupOperation::Replace(attributes, members)),
        Change::Patch => group_patch(parse(&GROUP, body)?),
    }
}

fn whole_group(body: Value) -> Result<(Attributes, BTreeSet<UserId>), ScimError> {
    let mut attributes = validate::resource(&GROUP, body)?;
    let members = take_members(&mut attributes)?;
    Ok((attributes, members))
}

/// The modification of a group by the operations of a PATCH.
pub(super) fn group_patch(operations: Vec<Operation>) -> Result<GroupOperation, ScimError> {
    let (operations, members) = take_member_changes(operations)?;
    Ok(GroupOperation::Patch(operations, members))
}
