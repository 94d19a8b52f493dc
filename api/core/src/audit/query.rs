//! Parses the query string of an audit call.

use ipnet::IpNet;
use rollcall_events::address::canonical;
use rollcall_events::log::evidence::Disclosed;
use rollcall_events::log::{EventType, OutcomeKind};
use rollcall_events::origin::ServiceOrigin;
use rollcall_events::{OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use std::net::IpAddr;
use std::str::FromStr;

use crate::error::ApiError;
use crate::http::Parameters;
use crate::read::{Condition, Database, from_network, users_named, with_external_id};

/// The number of entries on a page if the caller does not choose it.
const DEFAULT_COUNT: u32 = 100;
/// Maximum number of entries on a page.
pub const MAX_COUNT: u32 = 1000;

/// The conditions that select entries of the log: their parameters, and what they mean.
pub const CONDITIONS: [(&str, &str); 13] = [
    ("type", "One or several types, separated by commas"),
    ("outcome", "applied or rejected"),
    ("subject", "The id of the user, group or other thing that the entry is about"),
    ("userName", "A name that the user has or had"),
    ("externalId", "An external id that the user or group has or had"),
    ("workspace", "The id of a workspace that the entry is about, or that it left a user in"),
    ("token", "The id of the caller's token"),
    ("origin", "The service origin of the caller"),
    ("address", "The address of the caller, or a network that has it"),
    ("since", "The earliest time of recording"),
    ("until", "The latest time of recording"),
    ("txn", "The transaction"),
    ("filter", "A SCIM filter on the user or group as the entry left it"),
];

/// Parses a parameter. The error names it.
pub fn parameter<T: FromStr>(parameters: &Parameters, name: &str, what: &str) -> Result<Option<T>, ScimError> {
    let read =
        |text: &str| text.trim().parse().map_err(|_| ScimError::invalid_value(format!("{name}: {text} is not {what}")));
    parameters.get(name).map(read).transpose()
}

/// The requested number of entries.
pub fn count(parameters: &Parameters) -> Result<u32, ScimError> {
    Ok(parameter(parameters, "count", "a number")?.unwrap_or(DEFAULT_COUNT).clamp(1, MAX_COUNT))
}

/// The parts of an entry that a proof file shall disclose, from the parameter `disclose`.
pub fn disclosed(parameters: &Parameters, default: Disclosed) -> Result<Disclosed, ScimError> {
    let Some(parts) = parameters.get("disclose") else { return Ok(default) };
    let mut disclosed = Disclosed::default();
    for part in parts.split(',').map(str::trim) {
        match part {
            "payload" => disclosed.payload = true,
            "actor" => disclosed.actor = true,
            "none" if parts.trim() == "none" => {}
            _ => return Err(ScimError::invalid_value("disclose must be none, payload, actor, or payload,actor")),
        }
    }
    Ok(disclosed)
}

/// Parses the conditions that the database checks: all but the filter. A name is resolved to all users that
/// have or had it.
pub async fn conditions(
    database: &Database,
    organization: OrganizationId,
    parameters: &Parameters,
) -> Result<Vec<Condition>, ApiError> {
    let mut conditions = Vec::new();
    if let Some(names) = parameters.get("type") {
        let read = |name: &str| {
            EventType::from_name(name.trim())
                .ok_or_else(|| ScimError::invalid_value(format!("type: {name} is not a type of event")))
        };
        conditions.push(Condition::Types(names.split(',').map(read).collect::<Result<_, _>>()?));
    }
    if let Some(name) = parameters.get("outcome") {
        let outcome = OutcomeKind::from_name(name)
            .ok_or_else(|| ScimError::invalid_value("outcome must be applied or rejected"))?;
        conditions.push(Condition::Outcome(outcome));
    }
    conditions.extend(parameter(parameters, "subject", "an id")?.map(|id| Condition::Subjects(vec![id])));
    conditions.extend(parameter(parameters, "token", "an id")?.map(Condition::Token));
    conditions.extend(parameter(parameters, "txn", "an id")?.map(Condition::Event));
    conditions.extend(parameter(parameters, "workspace", "an id")?.map(Condition::Workspace));
    conditions.extend(parameter(parameters, "since", "a time such as 2026-01-31T00:00:00Z")?.map(Condition::Since));
    conditions.extend(
        parameter::<Timestamp>(parameters, "until", "a time such as 2026-01-31T00:00:00Z")?.map(Condition::Until),
    );
    conditions.extend(
        parameter::<ServiceOrigin>(parameters, "origin", "a host")?.map(|origin| Condition::Origin(origin.to_string())),
    );
    conditions.extend(parameters.get("address").map(network).transpose()?.map(Condition::Network));
    if let Some(name) = parameters.get("userName") {
        conditions.push(Condition::Subjects(users_named(database, organization, name).await?));
    }
    if let Some(external_id) = parameters.get("externalId") {
        conditions.push(Condition::Subjects(with_external_id(database, organization, external_id).await?));
    }
    Ok(conditions)
}

/// The same conditions for the current log. A network with few entries is resolved to their seqs.
pub async fn by_now(
    database: &Database,
    organization: OrganizationId,
    mut conditions: Vec<Condition>,
) -> Result<Vec<Condition>, ApiError> {
    for condition in &mut conditions {
        if let Condition::Network(network) = *condition {
            *condition = from_network(database, organization, network).await?;
        }
    }
    Ok(conditions)
}

/// Parses an address or a network.
fn network(text: &str) -> Result<IpNet, ScimError> {
    let address = || text.trim().parse::<IpAddr>().ok().map(|address| IpNet::from(canonical(address)));
    let network = text.trim().parse::<IpNet>().ok().map(|network| network.trunc()).or_else(address);
    network.ok_or_else(|| {
        ScimError::invalid_value(format!("address: {text} is not an address or a network such as 203.0.113.0/24"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("" => Some((true, false)); "the default")]
    #[test_case("disclose=" => Some((true, false)); "without a value")]
    #[test_case("disclose=none" => Some((false, false)); "nothing")]
    #[test_case("disclose=payload" => Some((true, false)); "the facts")]
    #[test_case("disclose=actor" => Some((false, true)); "the actor")]
    #[test_case("disclose=payload,%20actor" => Some((true, true)); "both")]
    #[test_case("disclose=none,payload" => None; "a contradiction")]
    #[test_case("disclose=salt" => None; "an unknown part")]
    fn disclosed_parts(query: &str) -> Option<(bool, bool)> {
        let default = Disclosed { payload: true, actor: false };
        let found = disclosed(&Parameters::read(query).unwrap(), default).ok()?;
        Some((found.payload, found.actor))
    }
}
