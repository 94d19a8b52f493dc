//! Names of SCIM endpoints in any case: some clients send `/users` or `/serviceProviderConfig`.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;
use actix_web::middleware::Next;

use crate::scim::BASE_PATH;

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

/// The name of an endpoint as it is spelt, if there is one of that name.
pub(crate) fn canonical(name: &str) -> &str {
    ENDPOINTS.into_iter().find(|endpoint| endpoint.eq_ignore_ascii_case(name)).unwrap_or(name)
}

/// Finds the endpoint whatever the case of its name.
pub(crate) async fn in_any_case<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    if let Some(uri) = spelt(request.uri()) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    next.call(request).await
}

/// The address with the names of endpoints as they are spelt; `None` if they are spelt so already, or if it is no address of an endpoint.
fn spelt(uri: &Uri) -> Option<Uri> {
    let below = uri.path().strip_prefix(BASE_PATH)?.strip_prefix('/')?;
    let mut names = below.splitn(3, '/');
    let (first, second) = (names.next()?, names.next());
    let is_search = second.is_some_and(|name| name.eq_ignore_ascii_case(".search"));
    let second_spelt = if is_search { second.map(canonical) } else { second };
    if canonical(first) == first && second_spelt == second {
        return None;
    }
    let rest = [Some(canonical(first)), second_spelt, names.next()].into_iter().flatten().collect::<Vec<_>>().join("/");
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
    #[test_case("/scim/v2/GROUPS/7?attributes=members" => Some("/scim/v2/Groups/7?attributes=members".to_owned()); "a group, with a query")]
    #[test_case("/scim/v2/users/.Search" => Some("/scim/v2/Users/.search".to_owned()); "a search")]
    #[test_case("/scim/v2/schemas/urn:X:y/z" => Some("/scim/v2/Schemas/urn:X:y/z".to_owned()); "only the name")]
    #[test_case("/scim/v2/Users/ABC" => None; "as it is spelt")]
    #[test_case("/scim/v2/shoes" => None; "unknown")]
    #[test_case("/scim/v2" => None; "the base")]
    #[test_case("/users" => None; "a page")]
    fn an_address(uri: &str) -> Option<String> {
        spelt(&uri.parse().unwrap()).map(|uri| uri.to_string())
    }
}
