//! Accepts the names of SCIM endpoints in any case. Some clients send `/users` or `/serviceProviderConfig`.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;
use actix_web::middleware::Next;
use rollcall_api_core::http::BASE_PATH;

/// The names as the RFCs spell them.
const ENDPOINTS: [&str; 12] = [
    "Users",
    "Groups",
    "Roles",
    "Entitlements",
    "Workspaces",
    "Bulk",
    "Schemas",
    "ResourceTypes",
    "ServiceProviderConfig",
    "Events",
    "Me",
    ".search",
];

/// The canonical name of an endpoint. Any other name stays as it is.
pub(crate) fn canonical(name: &str) -> &str {
    ENDPOINTS.into_iter().find(|endpoint| endpoint.eq_ignore_ascii_case(name)).unwrap_or(name)
}

/// Middleware that rewrites the path of a call to the canonical names.
pub async fn in_any_case<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    if let Some(uri) = rewritten(request.uri()) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    next.call(request).await
}

/// The address with canonical names. `None` if the names are canonical already, or if the address is not that
/// of an endpoint.
fn rewritten(uri: &Uri) -> Option<Uri> {
    let below = uri.path().strip_prefix(BASE_PATH)?.strip_prefix('/')?;
    let mut names = below.splitn(3, '/');
    let (first, second) = (names.next()?, names.next());
    let is_search = second.is_some_and(|name| name.eq_ignore_ascii_case(".search"));
    let second_name = if is_search { second.map(canonical) } else { second };
    if canonical(first) == first && second_name == second {
        return None;
    }
    let rest = [Some(canonical(first)), second_name, names.next()].into_iter().flatten().collect::<Vec<_>>().join("/");
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{BASE_PATH}/{rest}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("/scim/v2/users" => Some("/scim/v2/Users".to_owned()); "users")]
    #[test_case(
        "/scim/v2/GROUPS/7?attributes=members" => Some("/scim/v2/Groups/7?attributes=members".to_owned());
        "a group, with a query"
    )]
    #[test_case("/scim/v2/users/.Search" => Some("/scim/v2/Users/.search".to_owned()); "a search")]
    #[test_case("/scim/v2/schemas/urn:X:y/z" => Some("/scim/v2/Schemas/urn:X:y/z".to_owned()); "only the name")]
    #[test_case("/scim/v2/Users/ABC" => None; "canonical")]
    #[test_case("/scim/v2/shoes" => None; "unknown")]
    #[test_case("/scim/v2" => None; "the base")]
    #[test_case("/users" => None; "a page")]
    fn an_address(uri: &str) -> Option<String> {
        rewritten(&uri.parse().unwrap()).map(|uri| uri.to_string())
    }
}
