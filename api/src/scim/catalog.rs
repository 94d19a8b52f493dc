//! `/Roles`, `/Entitlements` and `/Workspaces`: the resources that users can be assigned. Callers read them;
//! administrators define them.
//!
//! Okta finds these endpoints by the schemas that `/ResourceTypes` names. It reads everything that they list,
//! and assigns it to users by `roles` and `entitlements` (Okta's guide "Build a SCIM 2.0 server with
//! entitlements").

use actix_web::web::{Data, Path, ServiceConfig};
use rollcall_scim::ScimError;
use uuid::Uuid;

use super::answer::Shown;
use super::body::ScimBody;
use super::call::Call;
use super::query::Parameters;
use super::search::Reading;
use super::{Base, read_only, search_only};
use crate::error::ApiResult;
use crate::read::{Database, Table, find_by_id};

/// The routes.
pub(super) fn routes(config: &mut ServiceConfig) {
    for table in Table::read_only() {
        let endpoint = table.resource_type.endpoint;
        let list = move |parameters: Parameters, reading: Reading| list(table, parameters, reading);
        let search = move |body: ScimBody, reading: Reading| search(table, body, reading);
        let read = move |call: Call, id: Path<String>, database: Data<Database>, base: Data<Base>| read(table, call, id, database, base);
        config
            .service(search_only(&format!("{endpoint}/.search")).post(search))
            .service(read_only(endpoint).get(list).head(list))
            .service(read_only(&format!("{endpoint}/{{id}}")).get(read).head(read));
    }
}

/// Lists the resources that a filter chooses, or all (RFC 7644 section 3.4.2).
async fn list(table: &'static Table, parameters: Parameters, reading: Reading) -> ApiResult {
    reading.answer(&[table], &parameters).await
}

/// Lists the resources by POST (RFC 7644 section 3.4.3).
async fn search(table: &'static Table, body: ScimBody, reading: Reading) -> ApiResult {
    reading.answer(&[table], &Parameters::of_search(body.json)?).await
}

/// Reads one resource (RFC 7644 section 3.4.1).
async fn read(table: &'static Table, call: Call, id: Path<String>, database: Data<Database>, base: Data<Base>) -> ApiResult {
    let resource_type = table.resource_type;
    let none = || ScimError::new(404, format!("there is no such {}", resource_type.name));
    let id = id.parse().ok().filter(|known: &Uuid| known.to_string() == *id).ok_or_else(none)?;
    let found = find_by_id(&database, table, call.caller.organization_id(), id, &call.projection).await?;
    call.answer_to_read(Shown::new(resource_type, &base, found.ok_or_else(none)?))
}
