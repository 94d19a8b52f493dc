//! The SCIM filter on the entries of the log. It selects entries by their resource.

use rollcall_events::log::SubjectType;
use rollcall_scim::ScimError;
use rollcall_scim::filter::{self, Filter, Scope, check, fit, matches};
use rollcall_scim::schema::{GROUP, ResourceType, USER};
use rollcall_service::entries::StoredEntry;
use serde_json::Value;

/// A filter, checked for users and for groups. An entry without a resource matches no filter.
pub(super) struct EntryFilter {
    user: Option<Filter>,
    group: Option<Filter>,
    terms: usize,
}

impl EntryFilter {
    /// Parses a filter.
    ///
    /// # Errors
    /// 400 `invalidFilter` if the filter is malformed, or names attributes that neither users nor groups
    /// have.
    pub(super) fn parse(text: &str) -> Result<Self, ScimError> {
        let filter = filter::parse(text)?;
        let understood = |resource_type: &'static ResourceType| {
            let scope = Scope::Resource(resource_type);
            let filter = fit(filter.clone(), scope);
            check(&filter, scope).map(|()| filter)
        };
        let (user, group) = (understood(&USER), understood(&GROUP));
        if let (Err(why), Err(_)) = (&user, &group) {
            return Err(why.clone());
        }
        Ok(Self { user: user.ok(), group: group.ok(), terms: terms(&filter) })
    }

    /// The number of comparisons in the filter.
    pub(super) fn terms(&self) -> usize {
        self.terms
    }

    /// Whether an entry matches.
    pub(super) fn chooses(&self, entry: &StoredEntry) -> bool {
        let (resource_type, filter) = match entry.header.subject_type {
            Some(SubjectType::User) => (&*USER, &self.user),
            Some(SubjectType::Group) => (&*GROUP, &self.group),
            _ => return false,
        };
        let Some(filter) = filter else { return false };
        let payload: Option<Value> =
            entry.payload.as_ref().and_then(|payload| serde_json::from_str(payload.get()).ok());
        payload.is_some_and(|payload| matches(filter, Scope::Resource(resource_type), &payload["resource"]))
    }
}

fn terms(filter: &Filter) -> usize {
    match filter {
        Filter::Or(left, right) | Filter::And(left, right) => terms(left) + terms(right),
        Filter::Not(inside) | Filter::ValuePath(_, inside) => terms(inside),
        Filter::Present(_) | Filter::Compare(..) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_scim::ScimType;
    use test_case::test_case;

    #[test_case("userName pr" => 1; "one")]
    #[test_case("not (userName eq \"a\" or title co \"b\") and active eq True" => 3; "several")]
    #[test_case("emails[type eq \"work\" and value co \"x\"] or userName pr" => 3; "within a value path")]
    fn comparisons(text: &str) -> usize {
        EntryFilter::parse(text).unwrap().terms()
    }

    #[test_case("active eq True" => (true, false); "of users")]
    #[test_case("members pr" => (false, true); "of groups")]
    #[test_case("displayName sw 7" => (true, true); "of both")]
    fn understood_by(text: &str) -> (bool, bool) {
        let filter = EntryFilter::parse(text).unwrap();
        (filter.user.is_some(), filter.group.is_some())
    }

    #[test]
    fn an_unknown_attribute_is_refused() {
        let Err(error) = EntryFilter::parse("shoeSize eq 42") else { panic!("it was accepted") };
        assert_eq!(error.scim_type, Some(ScimType::InvalidFilter));
    }
}
