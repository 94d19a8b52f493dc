//! The pages of workspaces with their members, and of groups with their mappings.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use rollcall_api_core::read::{group_mapping, list_groups, list_workspaces, named_workspaces, workspace_members};
use rollcall_events::name::Permission;
use rollcall_events::request::MapGroup;
use rollcall_events::{GroupId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet};

use super::context::Pages;
use super::error::{PageError, PageResult};
use super::form::Form;
use super::session::Administrator;
use super::text::Language;
use super::view::{self, Choice, Frame, Group, Workspace, WorkspaceList};

/// The path of this page.
pub(super) const PATH: &str = "/workspaces";

/// `GET /workspaces`.
pub(super) async fn list(admin: Administrator, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let organization = admin.person.organization_id;
    let (workspaces, groups) =
        (list_workspaces(&pages.database, organization).await?, list_groups(&pages.database, organization).await?);
    let frame = Frame { admin, path: PATH.to_owned() };
    Ok(view::page(StatusCode::OK, &WorkspaceList { t, frame, workspaces, groups }))
}

/// `GET /workspaces/{id}`.
pub(super) async fn show(admin: Administrator, id: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let (organization, id) =
        (admin.person.organization_id, id.parse::<WorkspaceId>().map_err(|_| PageError::NotFound)?);
    let known = named_workspaces(&pages.database, organization).await?;
    let (_, name) = known.into_iter().find(|(known, _)| *known == id).ok_or(PageError::NotFound)?;
    let members = workspace_members(&pages.database, organization, id).await?;
    let frame = Frame { admin, path: format!("{PATH}/{id}") };
    Ok(view::page(StatusCode::OK, &Workspace { t, frame, name, members }))
}

/// `GET /groups/{id}`: the form of a group's mapping.
pub(super) async fn group(admin: Administrator, id: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let (organization, id) = (admin.person.organization_id, group_id(&id)?);
    let mapping = group_mapping(&pages.database, organization, id).await?.ok_or(PageError::NotFound)?;
    let choices = named_workspaces(&pages.database, organization).await?.into_iter().map(|(workspace, name)| {
        let mapped = mapping.workspaces.iter().find(|(mapped, _)| *mapped == workspace);
        Choice {
            id: workspace,
            name,
            is_chosen: mapped.is_some(),
            permissions: mapped.map(|(_, may)| may.join(", ")).unwrap_or_default(),
        }
    });
    let choices = choices.collect();
    let frame = Frame { admin, path: format!("/groups/{id}") };
    Ok(view::page(StatusCode::OK, &Group { t, frame, id, name: mapping.name, choices }))
}

/// `POST /groups/{id}`: maps the group to the chosen workspaces.
pub(super) async fn map(
    admin: Administrator,
    id: Path<String>,
    form: Form<Vec<(String, String)>>,
    pages: Data<Pages>,
) -> PageResult {
    admin.must_administer()?;
    let of =
        |name: &str| form.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str()).unwrap_or_default();
    admin.check(of("csrf"))?;
    let group_id = group_id(&id)?;
    let mut workspaces = BTreeMap::new();
    for (_, chosen) in form.iter().filter(|(name, _)| name == "workspace") {
        let workspace: WorkspaceId = chosen.parse().map_err(|_| PageError::Stale)?;
        workspaces.insert(workspace, permissions(of(&format!("permissions-{workspace}"))));
    }
    admin.apply(&pages, MapGroup { group_id, workspaces }).await?;
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, pages.address(PATH))).finish())
}

fn group_id(text: &str) -> Result<GroupId, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

/// Reads permissions that are separated by commas. Empty or malformed ones are left out.
fn permissions(text: &str) -> BTreeSet<Permission> {
    text.split(',').filter_map(|permission| permission.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_separated_by_commas() {
        assert_eq!(
            permissions(" publish, edit ,,publish"),
            ["edit", "publish"].map(|name| name.parse().unwrap()).into()
        );
        assert_eq!(permissions(" "), BTreeSet::new());
    }
}
