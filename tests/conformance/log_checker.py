"""Checks an exported log with nothing but docs/log-format.md: log_checker.py EXPORT CHECKPOINT KEY"""
import base64
import hashlib
import json
import sys
from functools import reduce

import rfc8785
from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ENTRY = "actor actor_salt header leaf payload payload_salt".split()
HEADER = ("actor_commitment actor_id actor_kind error event_id organization_id outcome payload_commitment recorded_at "
          "requested_at schema_version seq subject_id subject_type type").split()
# Whom a part is about, and the parts that an erasure removes from earlier entries about a person.
PERSONS = {"payload": ("subject_type", "subject_id"), "actor": ("actor_kind", "actor_id")}
ERASURES = {"UserErased": {"payload": "User"}, "AdministratorErased": {"payload": "Session", "actor": "administrator"}}


def check(condition, fault):
    if not condition:
        sys.exit(fault)


def distinct(pairs):
    check(len(dict(pairs)) == len(pairs), "an object has a member twice")
    return dict(pairs)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def check_part(entry, part, missing):
    """Checks a commitment. A part that is missing is added to `missing`, under its person."""
    header, value, salt = entry["header"], entry[part], entry[f"{part}_salt"]
    if value is None and salt is None and (part == "actor" or header["type"] not in ERASURES):
        missing[part, *(header[name] for name in PERSONS[part])] = header["seq"]
        return
    check(value is not None and salt is not None, f"entry {header['seq']}: the {part} or its salt is missing")
    committed = blake3(bytes.fromhex(salt) + rfc8785.dumps(value), derive_key_context=f"rollcall 2026 {part}")
    check(committed.hexdigest() == header[f"{part}_commitment"], f"entry {header['seq']}: another {part}")


def check_log(lines, origin, size):
    """Returns the root at `size`."""
    missing, peaks, root, last = {}, [], None, ""
    for seq, line in enumerate(lines, 1):
        entry = json.loads(line, object_pairs_hook=distinct)
        check(sorted(entry) == ENTRY and sorted(entry["header"]) == HEADER, f"line {seq} is not an entry")
        header, node, number = entry["header"], sha256(b"\x00", rfc8785.dumps(entry["header"])), seq - 1
        check(entry["leaf"] == node.hex(), f"entry {seq}: the leaf is not the hash of the header")
        check(header["seq"] == seq and header["recorded_at"] > last, f"line {seq}: entry {header['seq']} is not next")
        check(origin.endswith(f"/{header['organization_id']}"), f"entry {seq} is of another log")
        for part, kind in ERASURES.get(header["type"], {}).items():
            missing.pop((part, kind, header["subject_id"]), None)
        if header["type"] == "LogRestored":
            print(f"entry {seq} continues the log after a restore: {entry['payload']}")
        for part in PERSONS:
            check_part(entry, part, missing)
        while number % 2:  # `peaks` are the roots of the complete subtrees, from left to right.
            node, number = sha256(b"\x01", peaks.pop(), node), number // 2
        peaks, last = [*peaks, node], header["recorded_at"]
        root = reduce(lambda right, left: sha256(b"\x01", left, right), reversed(peaks)) if seq == size else root
    check(not missing, f"entries {sorted(missing.values())} lack a part, and no erasure says why")
    return root


def main(export, checkpoint, vkey):
    text, signatures = open(checkpoint, encoding="utf-8").read().rsplit("\n\n", 1)
    (origin, size, root), (name, key_id, key) = text.split("\n"), vkey.strip().split("+", 2)
    signed = [base64.b64decode(line.split()[2]) for line in signatures.splitlines() if line.split()[1] == name]
    ours = [signature[4:] for signature in signed if signature[:4].hex() == key_id]
    check(ours and origin.startswith(f"{name}/"), "the key has not signed the checkpoint")
    Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:]).verify(ours[0], f"{text}\n".encode())
    check(check_log(open(export, "rb"), origin, int(size)) == base64.b64decode(root), f"another root at {size}")
    print("ok")


main(*sys.argv[1:])
