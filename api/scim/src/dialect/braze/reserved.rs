//! The names in the model that the dialect has its own words for: `permissions` and `department`. They are
//! refused, because values under them would not be checked against the known strings.

use rollcall_scim::path::Target;
use rollcall_scim::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA};

/// The dialect's word for an attribute or an extension of the model, if it has one.
pub(super) fn member_for(target: &Target<'_>) -> Option<&'static str> {
    let (schema, attribute) = match target {
        Target::Extension(schema) => (*schema, None),
        Target::Attribute(target) => (target.extension?, Some(target.attribute.name.as_str())),
    };
    match (schema.id.as_str(), attribute) {
        (ROLLCALL_SCHEMA, _) => Some("permissions"),
        (ENTERPRISE_SCHEMA, Some("department")) => Some("department"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_scim::path::Path;
    use rollcall_scim::schema::{USER, USER_SCHEMA};
    use test_case::test_case;

    #[test_case(ROLLCALL_SCHEMA, "" => Some("permissions"); "the extension")]
    #[test_case(
        ROLLCALL_SCHEMA, ":workspaces[value eq \"w\"].permissions" => Some("permissions"); "a part of a workspace"
    )]
    #[test_case(ROLLCALL_SCHEMA, ".companyPermissions" => Some("permissions"); "an attribute after a dot")]
    #[test_case(ENTERPRISE_SCHEMA, ":department" => Some("department"); "a department")]
    #[test_case(ENTERPRISE_SCHEMA, ".DEPARTMENT" => Some("department"); "a department after a dot")]
    #[test_case(ENTERPRISE_SCHEMA, "" => None; "the enterprise extension")]
    #[test_case(ENTERPRISE_SCHEMA, ":manager.value" => None; "the manager")]
    #[test_case(USER_SCHEMA, ":title" => None; "a title")]
    fn words(schema: &str, rest: &str) -> Option<&'static str> {
        let word = |path: String| member_for(&path.parse::<Path>().unwrap().target(&USER).unwrap());
        assert_eq!(word(format!("{}{rest}", schema.to_uppercase())), word(format!("{schema}{rest}")));
        word(format!("{schema}{rest}"))
    }
}
