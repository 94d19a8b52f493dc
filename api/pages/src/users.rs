//! The pages of users: a search by text or by a SCIM filter, and each user's attributes, memberships and
//! history.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_api_core::error::ApiError;
use rollcall_api_core::http::Parameters;
use rollcall_api_core::read::{
    Condition, ListPage, ListQuery, Order, USERS, find_by_id, list, log_entries, memberships,
};
use rollcall_events::UserId;
use rollcall_scim::attributes::Projection;
use rollcall_scim::filter::{self, Filter, Scope, check, fit};
use rollcall_scim::list::Page;
use rollcall_scim::schema::USER;
use serde_json::{Value, json};

use super::context::Pages;
use super::error::{PageError, PageResult};
use super::session::Administrator;
use super::text::Language;
use super::view::{self, Frame, LogRow, User, UserRow, Users, user_attributes};

/// The path of this page.
pub(super) const PATH: &str = "/users";
/// Number of users on a page.
const COUNT: u64 = 50;
/// Number of log entries on the page of a user.
const HISTORY: u32 = 25;

/// `GET /users?q=`.
pub(super) async fn search(
    admin: Administrator,
    parameters: Parameters,
    pages: Data<Pages>,
    t: Language,
) -> PageResult {
    admin.must_administer()?;
    let asked = parameters.get("q").unwrap_or_default().trim().to_owned();
    let page =
        Page::parse(None, None, Some(parameters.get("cursor").unwrap_or_default()), COUNT).map_err(ApiError::from)?;
    let (filter, problem) = match filter_of(&asked) {
        Ok(filter) => (filter, None),
        Err(problem) => (None, Some(problem)),
    };
    let query = ListQuery {
        organization: admin.person.organization_id,
        tables: &[&USERS],
        filter: filter.as_ref(),
        sort: None,
        page: &page,
        projection: &Projection::default(),
    };
    let found = if problem.is_some() {
        ListPage::default()
    } else {
        list(&pages.database, &pages.page_cache, &query).await.map_err(ApiError::from)?
    };
    let users = found.resources.iter().map(|(_, resource)| UserRow::new(resource)).collect();
    let link = |cursor: String| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("q", &asked)
            .append_pair("cursor", &cursor)
            .finish();
        format!("{PATH}?{query}")
    };
    let (newer, older) = (found.previous_cursor.map(link), found.next_cursor.map(link));
    let frame = Frame { admin, path: PATH.to_owned() };
    Ok(view::page(
        StatusCode::OK,
        &Users { t, frame, asked: asked.clone(), problem, total: found.total, found: users, newer, older },
    ))
}

/// The filter for a search text. A text that is not a SCIM filter is searched in names and addresses.
///
/// # Errors
/// If the text is a filter that does not fit users.
fn filter_of(asked: &str) -> Result<Option<Filter>, String> {
    if asked.is_empty() {
        return Ok(None);
    }
    let scope = Scope::Resource(&USER);
    let filter = match filter::parse(asked) {
        Ok(filter) => fit(filter, scope),
        Err(_) => filter::parse(&text_filter(asked)).map_err(|error| error.detail)?,
    };
    check(&filter, scope).map_err(|error| error.detail)?;
    Ok(Some(filter))
}

/// A filter for users that contain a text.
fn text_filter(asked: &str) -> String {
    let text = json!(asked);
    ["userName", "displayName", "name.givenName", "name.familyName", "emails.value"]
        .map(|path| format!("{path} co {text}"))
        .join(" or ")
        + &format!(" or externalId eq {text}")
}

/// `GET /users/{id}`.
pub(super) async fn show(admin: Administrator, id: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let (organization, user_id) =
        (admin.person.organization_id, id.parse::<UserId>().map_err(|_| PageError::NotFound)?);
    let resource = find_by_id(&pages.database, &USERS, organization, user_id.0, &Projection::default()).await?;
    let resource = resource.ok_or(PageError::NotFound)?;
    let memberships = memberships(&pages.database, organization, user_id).await?;
    let about = [Condition::Subjects(vec![user_id.0])];
    let history =
        log_entries(&pages.database, organization, &about, Order::NewestFirst { before: None }, HISTORY).await?.entries;
    let groups = resource
        .get("groups")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|group| group["display"].as_str());
    let groups = groups.map(str::to_owned).collect();
    let (user, attributes) = (UserRow::new(&resource), user_attributes(&resource));
    let frame = Frame { admin, path: format!("{PATH}/{user_id}") };
    Ok(view::page(
        StatusCode::OK,
        &User {
            t,
            frame,
            shown: user,
            attributes,
            groups,
            memberships,
            rows: history.iter().map(|entry| LogRow::new(entry, t)).collect(),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_text_is_a_filter_or_a_plain_text() {
        assert_eq!(filter_of(""), Ok(None));
        assert_eq!(filter_of("userName eq \"ada\"").unwrap().unwrap().to_string(), "userName eq \"ada\"");
        assert!(filter_of("ada \"l\"").unwrap().unwrap().to_string().contains(r#"userName co "ada \"l\"""#));
        assert!(filter_of("nothing eq 1").unwrap_err().contains("nothing"), "the error names the unknown attribute");
    }
}
