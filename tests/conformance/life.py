"""Changes the users and groups of a company over a year, with a client library that checks every answer against
the schemas that the service publishes.

Usage: life.py BASE_URL TOKEN
"""

import sys

from httpx2 import Client
from typing import Union

from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import (
    BulkOperation,
    BulkRequest,
    NotFoundException,
    PatchOp,
    PatchOperation,
    PreconditionFailedException,
    SearchRequest,
    UniquenessException,
)

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def refused(exception, call):
    """The call is refused for this reason and no other."""
    try:
        call()
    except exception:
        return
    raise AssertionError(f"the call was not refused as a {exception.__name__}")


def patch(model, *operations):
    return PatchOp[model](operations=[PatchOperation(**operation) for operation in operations])


def life(scim):
    scim.discover()
    User, Group = scim.get_resource_model("User"), scim.get_resource_model("Group")

    # January: three people are hired. A second creation of one of them is refused.
    hired = {}
    for name, given in [("ada", "Ada"), ("charles", "Charles"), ("mary", "Mary")]:
        user = User(user_name=f"{name}@acme.example", active=True, external_id=f"hr-{name}")
        user.name = User.get_field_root_type("name")(given_name=given, family_name="Example")
        user.emails = [User.get_field_root_type("emails")(value=f"{name}@acme.example", type="work", primary=True)]
        hired[name] = scim.create(user)
    assert hired["ada"].id and hired["ada"].meta.version, hired["ada"]
    refused(UniquenessException, lambda: scim.create(User(user_name="ADA@acme.example", active=True)))

    # February: users are found by filters.
    found = scim.query(User, query_parameters=SearchRequest(filter='userName eq "Charles@ACME.example"'))
    assert [user.id for user in found.resources] == [hired["charles"].id], found
    work = SearchRequest(filter='emails[type eq "work" and value sw "m"]', attributes=["userName"])
    found = scim.query(User, query_parameters=work)
    assert [user.user_name for user in found.resources] == ["mary@acme.example"], found
    assert found.resources[0].active is None, found
    acme = 'userName ew "@acme.example"'
    first = SearchRequest(filter=acme, sort_by="userName", sort_order="descending", start_index=1, count=2)
    page = scim.query(User, query_parameters=first)
    assert (page.total_results, [user.user_name[0] for user in page.resources]) == (3, ["m", "c"]), page

    # March: a group of two users is created. The third user joins, and one leaves.
    Member = Group.get_field_root_type("members")
    members = [Member(value=hired[name].id) for name in ("ada", "charles")]
    group = scim.create(Group(display_name="Engines", members=members))
    scim.modify(Group, group.id, patch(Group, {"op": "add", "path": "members", "value": [{"value": hired["mary"].id}]}))
    scim.modify(Group, group.id, patch(Group, {"op": "remove", "path": f'members[value eq "{hired["charles"].id}"]'}))
    group = scim.query(Group, group.id)
    assert {member.value for member in group.members} == {hired["ada"].id, hired["mary"].id}, group
    ada = scim.query(User, hired["ada"].id)
    assert [membership.value for membership in ada.groups] == [group.id], ada
    both = scim.search(search_request=SearchRequest(filter='displayName eq "engines" or userName sw "charles"'))
    assert {resource.meta.resource_type for resource in both.resources} == {"User", "Group"}, both

    # April: Ada moves to another department and is renamed; Charles is deactivated and activated again.
    title = {"op": "replace", "path": "title", "value": "Countess"}
    department = {"op": "add", "path": f"{ENTERPRISE}:department", "value": "Analysis"}
    scim.modify(User, ada.id, patch(User, title, department))
    moved = scim.query(User, ada.id)
    assert moved.title == "Countess" and moved.meta.version != ada.meta.version, moved
    for active in (False, True):
        scim.modify(User, hired["charles"].id, patch(User, {"op": "replace", "path": "active", "value": active}))
        assert scim.query(User, hired["charles"].id).active is active
    moved.display_name = "Augusta Ada King"
    moved.title = None
    replaced = scim.replace(moved)
    assert (replaced.display_name, replaced.title, replaced.id) == ("Augusta Ada King", None, ada.id), replaced
    # A change with an old version is refused.
    moved.meta.version = ada.meta.version
    refused(PreconditionFailedException, lambda: scim.replace(moved))

    # May: one bulk request creates five apprentices and their group.
    users = [User(user_name=f"apprentice{n}@acme.example", active=True) for n in range(5)]
    apprentices = [
        BulkOperation[User](method="POST", path="/Users", bulk_id=f"a{n}", data=user) for n, user in enumerate(users)
    ]
    members = [Member(value=f"bulkId:a{n}") for n in range(5)]
    group_data = Group(display_name="Apprentices", members=members)
    apprentices.append(BulkOperation[Group](method="POST", path="/Groups", bulk_id="g", data=group_data))
    done = scim.bulk(BulkRequest[Union[User, Group]](operations=apprentices))
    assert [operation.status for operation in done.operations] == [201] * 6, done
    school = scim.query(Group, query_parameters=SearchRequest(filter='displayName eq "Apprentices"')).resources[0]
    assert len(school.members) == 5, school

    # December: Mary and the group of the apprentices are deleted.
    scim.delete(User, hired["mary"].id)
    scim.delete(Group, school.id)
    refused(NotFoundException, lambda: scim.query(User, hired["mary"].id))
    assert [member.value for member in scim.query(Group, group.id).members] == [ada.id]
    assert scim.query(Group, query_parameters=SearchRequest(filter="displayName pr")).total_results == 1
    assert scim.query(User, query_parameters=SearchRequest(filter=acme, count=0)).total_results == 7


if __name__ == "__main__":
    base, token = sys.argv[1:]
    with Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        life(SyncSCIMClient(http, raise_scim_errors=True))
    print("all answers were as the client library expects")
