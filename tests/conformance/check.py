"""Runs the conformance client on the resource types that callers can write.

The client creates, changes and deletes resources of every type that /ResourceTypes lists. Roles, entitlements
and workspaces are read-only, so it cannot test them. tests/tests/e2e/entitlements.rs does.

Usage: check.py BASE_URL TOKEN
"""

import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

WRITABLE = ["User", "Group"]


if __name__ == "__main__":
    base, token = sys.argv[1:]
    with Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        for result in check_server(SyncSCIMClient(http), resource_types=WRITABLE):
            print(result.status.name, result.title)
            if result.reason:
                print(" ", result.reason)
