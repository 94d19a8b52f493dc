//! Users: found by plain text or by a SCIM filter; each with what it is, where it belongs and why, and what became of it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_events::UserId;
use rollcall_scim::attributes::Projection;
use rollcall_scim::filter::{self, Filter, Scope, check, fit};
use rollcall_scim::list::Page;
use rollcall_scim::resource::{Attributes, text};
use rollcall_scim::schema::USER;
use serde_json::{Value, json};

use super::audit::row;
use super::error::PageError;
use super::session::Administrator;
use super::text::Language;
use super::view::{self, Fact, Frame, User, UserRow, Users};
use super::{PageResult, Pages};
use crate::error::ApiError;
use crate::read::{Condition, ListQuery, Listed, Order, USERS, belongings, find_by_id, list, log_entries};
use crate::scim::Parameters;

/// The path of this page.
pub(super) const PATH: &str = "/users";
/// How many users a page shows.
const COUNT: u64 = 50;
/// How many entries of the log are shown of a user.
const HISTORY: u32 = 25;

/// `GET /users?q=`.
pub(super) async fn search(admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let asked = parameters.get("q").unwrap_or_default().trim().to_owned();
    let page = Page::parse(None, None, Some(parameters.get("cursor").unwrap_or_default()), COUNT).map_err(ApiError::from)?;
    let (filter, problem) = match wanted(&asked) {
        Ok(filter) => (filter, None),
        Err(problem) => (None, Some(problem)),
    };
    let query = ListQuery {
        organization: admin.who.organization_id,
        tables: &[&USERS],
        filter: filter.as_ref(),
        sort: None,
        page: &page,
        projection: &Projection::default(),
    };
    let found = if problem.is_some() {
        Listed::default()
    } else {
        list(&pages.database, &pages.page_cache, &query).await.map_err(ApiError::from)?
    };
    let users = found.resources.iter().map(|(_, resource)| shown(resource)).collect();
    let link = |cursor: String| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", &asked).append_pair("cursor", &cursor).finish();
        format!("{PATH}?{query}")
    };
    let (newer, older) = (found.previous_cursor.map(link), found.next_cursor.map(link));
    let frame = Frame { admin, path: PATH.to_owned() };
    Ok(view::page(StatusCode::OK, &Users { t, frame, asked: asked.clone(), problem, total: found.total, found: users, newer, older }))
}

/// What is typed, as a filter: it is one, or else a text that is looked for in names and addresses.
fn wanted(asked: &str) -> Result<Option<Filter>, String> {
    if asked.is_empty() {
        return Ok(None);
    }
    let scope = Scope::Resource(&USER);
    let filter = match filter::parse(asked) {
        Ok(filter) => fit(filter, scope),
        Err(_) => filter::parse(&plain(asked)).map_err(|error| error.detail)?,
    };
    check(&filter, scope).map_err(|error| error.detail)?;
    Ok(Some(filter))
}

fn plain(asked: &str) -> String {
    let text = json!(asked);
    ["userName", "displayName", "name.givenName", "name.familyName", "emails.value"].map(|path| format!("{path} co {text}")).join(" or ")
        + &format!(" or externalId eq {text}")
}

pub(super) fn shown(resource: &Attributes) -> UserRow {
    let of = |name: &str| text(resource, name).unwrap_or_default().to_owned();
    let emails = resource.get("emails").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let email = emails.iter().find(|email| email["primary"] == true).or(emails.first());
    UserRow {
        id: of("id"),
        user_name: of("userName"),
        display_name: of("displayName"),
        email: email.and_then(|email| email["value"].as_str()).unwrap_or_default().to_owned(),
        is_active: resource.get("active").and_then(Value::as_bool).unwrap_or(true),
    }
}

/// `GET /users/{id}`.
pub(super) async fn show(admin: Administrator, id: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let (organization, user_id) = (admin.who.organization_id, id.parse::<UserId>().map_err(|_| PageError::NotFound)?);
    let resource = find_by_id(&pages.database, &USERS, organization, user_id.0, &Projection::default()).await?;
    let resource = resource.ok_or(PageError::NotFound)?;
    let belongings = belongings(&pages.database, organization, user_id).await?;
    let about = [Condition::Subjects(vec![user_id.0])];
    let history = log_entries(&pages.database, organization, &about, Order::NewestFirst { before: None }, HISTORY).await?.entries;
    let groups = resource.get("groups").and_then(Value::as_array).into_iter().flatten().filter_map(|group| group["display"].as_str());
    let groups = groups.map(str::to_owned).collect();
    let (user, facts) = (shown(&resource), facts(&resource));
    let frame = Frame { admin, path: format!("{PATH}/{user_id}") };
    Ok(view::page(
        StatusCode::OK,
        &User { t, frame, shown: user, facts, groups, belongings, rows: history.iter().map(|entry| row(entry, t)).collect() },
    ))
}

/// What a user is, attribute by attribute, but for what the page shows elsewhere.
pub(super) fn facts(resource: &Attributes) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (name, value) in resource {
        match value {
            _ if ["schemas", "groups"].contains(&name.as_str()) => {}
            Value::Object(parts) if name == "meta" => {
                facts.extend(
                    ["created", "lastModified", "version"].iter().filter_map(|part| Some(fact(format!("meta.{part}"), parts.get(*part)?))),
                );
            }
            Value::Object(parts) => facts.extend(
                parts.iter().map(|(part, value)| fact(format!("{name}{}{part}", if name.contains(':') { ":" } else { "." }), value)),
            ),
            value => facts.push(fact(name.clone(), value)),
        }
    }
    facts.retain(|fact| !fact.name.ends_with(":workspaces"));
    facts
}

fn fact(name: String, value: &Value) -> Fact {
    let part = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Object(parts) => {
            let said = parts.iter().filter(|(name, _)| name.as_str() != "value").map(|(name, value)| match value {
                Value::String(text) => format!("{name} {text}"),
                value => format!("{name} {value}"),
            });
            let said = said.collect::<Vec<_>>().join(", ");
            let value = parts.get("value").and_then(Value::as_str).unwrap_or_default();
            if said.is_empty() { value.to_owned() } else { format!("{value} ({said})") }
        }
        value => value.to_string(),
    };
    let values = match value {
        Value::Array(values) => values.iter().map(part).collect(),
        value => vec![part(value)],
    };
    Fact { name, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_a_filter_or_a_text_to_look_for() {
        assert_eq!(wanted(""), Ok(None));
        assert_eq!(wanted("userName eq \"ada\"").unwrap().unwrap().to_string(), "userName eq \"ada\"");
        assert!(wanted("ada \"l\"").unwrap().unwrap().to_string().contains(r#"userName co "ada \"l\"""#));
        assert!(wanted("nothing eq 1").unwrap_err().contains("nothing"), "a filter that makes no sense is told");
    }

    #[test]
    fn a_user_is_shown_attribute_by_attribute() {
        let resource = json!({
            "schemas": ["x"], "userName": "ada", "name": {"familyName": "Lovelace"}, "meta": {"version": "W/\"1\"", "location": "x"},
            "emails": [{"value": "ada@example.com", "type": "work"}], "urn:x:User": {"department": "Engines", "workspaces": []},
        });
        let facts = facts(resource.as_object().unwrap());
        let told: std::collections::BTreeSet<_> = facts.iter().map(|fact| format!("{} {}", fact.name, fact.values.join("|"))).collect();
        let expected = [
            "emails ada@example.com (type work)",
            "meta.version W/\"1\"",
            "name.familyName Lovelace",
            "urn:x:User:department Engines",
            "userName ada",
        ];
        assert_eq!(told, expected.map(str::to_owned).into());
    }
}
