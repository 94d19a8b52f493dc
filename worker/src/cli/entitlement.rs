//! `role` and `entitlement`: the roles and entitlements that users can be assigned.

use clap::Subcommand;
use rollcall_events::name::{Description, EntitlementType, UniqueName};
use rollcall_events::request::{
    ChangeEntitlement, ENTITLEMENT_TYPE, EntitlementChange, EntitlementKind, EntitlementSettings, ROLE_TYPE,
};
use rollcall_events::{EntitlementId, OrganizationId};
use serde_json::json;

use super::error::CommandError;
use super::list;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Define a role and print its id. Callers find it at /Roles and assign it by id or name.
    Define {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Name of the role, unique in the organization.
        name: UniqueName,
        /// Description of its purpose.
        #[arg(long)]
        description: Option<Description>,
    },
    /// List an organization's roles.
    List {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Remove a role. Users that have it keep its id as plain text.
    Remove {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the role.
        role: EntitlementId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EntitlementCommand {
    /// Define an entitlement and print its id. Callers find it at /Entitlements and assign it by id or name.
    Define {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Name of the entitlement, unique in the organization.
        name: UniqueName,
        /// Type of the entitlement, such as License.
        #[arg(long = "type", default_value = ENTITLEMENT_TYPE)]
        type_name: EntitlementType,
        /// Description of its purpose.
        #[arg(long)]
        description: Option<Description>,
    },
    /// List an organization's entitlements.
    List {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Remove an entitlement. Users that have it keep its id as plain text.
    Remove {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the entitlement.
        entitlement: EntitlementId,
    },
}

pub(super) async fn role(settings: &Settings, command: RoleCommand) -> Result<(), CommandError> {
    match command {
        RoleCommand::Define { organization, name, description } => {
            let role = EntitlementSettings {
                kind: EntitlementKind::Role,
                name,
                type_name: EntitlementType::recorded(ROLE_TYPE.to_owned()),
                description,
            };
            define(settings, organization, role).await
        }
        RoleCommand::List { organization } => list::entitlements(settings, organization, EntitlementKind::Role).await,
        RoleCommand::Remove { organization, role } => remove(settings, organization, role, EntitlementKind::Role).await,
    }
}

pub(super) async fn entitlement(settings: &Settings, command: EntitlementCommand) -> Result<(), CommandError> {
    match command {
        EntitlementCommand::Define { organization, name, type_name, description } => {
            define(
                settings,
                organization,
                EntitlementSettings { kind: EntitlementKind::Entitlement, name, type_name, description },
            )
            .await
        }
        EntitlementCommand::List { organization } => {
            list::entitlements(settings, organization, EntitlementKind::Entitlement).await
        }
        EntitlementCommand::Remove { organization, entitlement } => {
            remove(settings, organization, entitlement, EntitlementKind::Entitlement).await
        }
    }
}

async fn define(
    settings: &Settings,
    organization: OrganizationId,
    chosen: EntitlementSettings,
) -> Result<(), CommandError> {
    let entitlement_id = EntitlementId::generate();
    submit(settings, organization, ChangeEntitlement { entitlement_id, change: EntitlementChange::Define(chosen) })
        .await?;
    print(&json!({"id": entitlement_id}));
    Ok(())
}

async fn remove(
    settings: &Settings,
    organization: OrganizationId,
    entitlement_id: EntitlementId,
    kind: EntitlementKind,
) -> Result<(), CommandError> {
    submit(settings, organization, ChangeEntitlement { entitlement_id, change: EntitlementChange::Remove(kind) })
        .await?;
    print(&json!({"id": entitlement_id, "removed": true}));
    Ok(())
}
