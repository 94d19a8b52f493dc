//! Parses the claim with a person's roles.

use rollcall_events::OrganizationId;
use rollcall_events::session::Role;
use serde_json::Value;
use std::collections::BTreeMap;

/// The roles in a claim, by organization. The claim is an object from the organization's id to the role, or a
/// list (or a single text) of `ID:role`. Other elements of a list are for other services and are ignored. If
/// there are several roles for an organization, the one with the most rights counts.
pub(super) fn roles(claim: &Value) -> BTreeMap<OrganizationId, Role> {
    let mut roles = BTreeMap::<OrganizationId, Role>::new();
    let mut give = |organization: &str, role: &str| {
        if let (Ok(organization), Ok(role)) = (organization.parse(), role.parse()) {
            let given = roles.entry(organization).or_insert(role);
            *given = (*given).min(role);
        }
    };
    let mut give_text =
        |text: &str| text.rsplit_once(':').into_iter().for_each(|(organization, role)| give(organization, role));
    match claim {
        Value::Object(members) => {
            members
                .iter()
                .filter_map(|(organization, role)| Some((organization, role.as_str()?)))
                .for_each(|(organization, role)| give(organization, role));
        }
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).for_each(give_text),
        Value::String(text) => give_text(text),
        _ => {}
    }
    roles
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use test_case::test_case;

    const ACME: &str = "01890000-0000-7000-8000-000000000001";
    const OTHER: &str = "01890000-0000-7000-8000-000000000002";

    #[test_case(
        &json!({ACME: "administrator", OTHER: "auditor"})
        => vec![(ACME.to_owned(), Role::Administrator), (OTHER.to_owned(), Role::Auditor)]; "an object"
    )]
    #[test_case(
        &json!([format!("{ACME}:auditor"), "everyone", "wiki:admins", 7]) => vec![(ACME.to_owned(), Role::Auditor)];
        "a list with entries for other applications"
    )]
    #[test_case(&json!(format!("{ACME}:owner")) => vec![(ACME.to_owned(), Role::Owner)]; "one text")]
    #[test_case(
        &json!([format!("{ACME}:auditor"), format!("{ACME}:administrator"), format!("{ACME}:auditor")])
        => vec![(ACME.to_owned(), Role::Administrator)]; "the most powerful role"
    )]
    #[test_case(
        &json!([format!("{ACME}:root"), "acme:owner", ":owner", ""]) => Vec::<(String, Role)>::new();
        "no such role or organization"
    )]
    #[test_case(&json!({ACME: ["owner"]}) => Vec::<(String, Role)>::new(); "an unsupported form")]
    #[test_case(&json!(null) => Vec::<(String, Role)>::new(); "nothing")]
    fn a_claim(claim: &Value) -> Vec<(String, Role)> {
        roles(claim).into_iter().map(|(organization, role)| (organization.to_string(), role)).collect()
    }
}
