//! The ids of the resources that a bulk request creates.

use rollcall_events::UserId;
use rollcall_scim::bulk::Operation;
use std::collections::HashMap;
use uuid::Uuid;

use super::step::is_on_users;

/// The ids by `bulkId`. An id is planned before the resource exists, so that other operations can refer to
/// it.
pub(super) struct Ids {
    /// The planned id, then the real one. A resource that could not be created has no entry.
    by_bulk_id: HashMap<String, String>,
    /// The operations that create users, by the ids of the users.
    creators: HashMap<UserId, usize>,
}

impl Ids {
    /// Plans the ids. `planned` is the id of what the operation at an index creates.
    pub(super) fn plan(operations: &[Operation], planned: impl Fn(usize) -> Uuid) -> Self {
        let (mut by_bulk_id, mut creators) = (HashMap::new(), HashMap::new());
        for (index, operation) in operations.iter().enumerate() {
            let Some(bulk_id) = operation.bulk_id.clone() else { continue };
            let id = planned(index);
            by_bulk_id.insert(bulk_id, id.to_string());
            if operation.method == "POST" && is_on_users(operation) {
                creators.insert(UserId(id), index);
            }
        }
        Self { by_bulk_id, creators }
    }

    /// All ids, by `bulkId`.
    pub(super) fn by_bulk_id(&self) -> &HashMap<String, String> {
        &self.by_bulk_id
    }

    /// The id of the resource that an operation creates; empty if it creates none.
    pub(super) fn created_by(&self, operation: &Operation) -> String {
        operation.bulk_id.as_ref().and_then(|bulk_id| self.by_bulk_id.get(bulk_id)).cloned().unwrap_or_default()
    }

    /// The operation that creates a user.
    pub(super) fn creator_of(&self, user: UserId) -> Option<usize> {
        self.creators.get(&user).copied()
    }

    /// Replaces the planned id of a resource by its real id; `None` if the resource could not be created.
    pub(super) fn set_outcome(&mut self, bulk_id: &str, id: Option<&str>) {
        let planned = self.by_bulk_id.remove(bulk_id);
        let creator = planned.and_then(|planned| self.creators.remove(&planned.parse().ok()?));
        let Some(id) = id else { return };
        self.by_bulk_id.insert(bulk_id.to_owned(), id.to_owned());
        if let (Some(creator), Ok(id)) = (creator, id.parse()) {
            self.creators.insert(id, creator);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_real_id_of_a_user_leads_to_its_creator_and_a_failed_one_to_none() {
        let create = |path: &str, bulk_id: &str| Operation {
            method: "POST".to_owned(),
            path: path.to_owned(),
            bulk_id: Some(bulk_id.to_owned()),
            version: None,
            data: Value::Null,
        };
        let operations = [create("/Groups", "g"), create("/Users", "u"), create("/users", "v")];
        let planned = [Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3)];
        let mut ids = Ids::plan(&operations, |index| planned[index]);
        assert_eq!(planned.map(|id| ids.creator_of(UserId(id))), [None, Some(1), Some(2)]);
        let real = Uuid::from_u128(9);
        ids.set_outcome("u", Some(&real.to_string()));
        ids.set_outcome("v", None);
        assert_eq!([planned[1], real, planned[2]].map(|id| ids.creator_of(UserId(id))), [None, Some(1), None]);
        assert_eq!(
            operations.map(|operation| ids.created_by(&operation)),
            [planned[0].to_string(), real.to_string(), String::new()]
        );
    }
}
