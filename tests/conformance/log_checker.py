"""Checks an exported log with nothing but docs/log-format.md.

Usage: log_checker.py EXPORT CHECKPOINT KEY (an NDJSON file, a signed note, the vkey of its signer)
Prints the faults and exits with 1, or prints "ok" and exits with 0. Exits with 2 if it cannot check these files.
"""

import base64
import hashlib
import json
import re
import sys

import rfc8785
from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ENTRY = "actor actor_salt header leaf payload payload_salt".split()
HEADER = ("actor_commitment actor_id actor_kind error event_id organization_id outcome payload_commitment "
          "recorded_at requested_at schema_version seq subject_id subject_type type").split()
# Whom an entry's part is about, and the parts that an erasure removes from earlier entries.
PERSONS = {"payload": ("subject_type", "subject_id"), "actor": ("actor_kind", "actor_id")}
ERASURES = {"UserErased": [("payload", "User")],
            "AdministratorErased": [("payload", "Session"), ("actor", "administrator")]}


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def distinct(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("an object has a member twice")
    return dict(pairs)


def check_entry(entry, seq, missing):
    """Yields the faults of an entry. `missing` has the parts, by person, that no erasure has covered yet."""
    header = entry["header"]
    if sorted(entry) != ENTRY or sorted(header) != HEADER:
        yield "the members are not those of an entry and a header"
    if header["seq"] != seq:
        yield f"seq is {header['seq']}"
    if entry["leaf"] != sha256(b"\x00", rfc8785.dumps(header)).hex():
        yield "the leaf is not the hash of the header"
    for part, kind in ERASURES.get(header["type"], []):
        missing.pop((part, kind, header["subject_id"]), None)
    for part, (kind, person) in PERSONS.items():
        value, salt = entry[part], entry[f"{part}_salt"]
        if value is None and salt is None:
            erasable = part == "actor" or header["type"] not in ERASURES
            missing.setdefault((part, header[kind], header[person]) if erasable else (part,), []).append(seq)
        elif value is None or not re.fullmatch("[0-9a-f]{32}", salt or ""):
            yield f"the {part} or its salt is missing"
        else:
            text = bytes.fromhex(salt) + rfc8785.dumps(value)
            if blake3(text, derive_key_context=f"rollcall 2026 {part}").hexdigest() != header[f"{part}_commitment"]:
                yield f"the {part} does not match its commitment"


def check_log(lines, size):
    """Returns the faults, the ids of the organizations, the number of entries, and the root at `size`."""
    faults, organizations, missing, peaks, root, seq = [], set(), {}, [], sha256(), 0
    for seq, line in enumerate(lines, 1):
        entry = json.loads(line, object_pairs_hook=distinct)
        organizations.add(entry["header"]["organization_id"])
        faults += [f"entry {seq}: {fault}" for fault in check_entry(entry, seq, missing)]
        node, number = sha256(b"\x00", rfc8785.dumps(entry["header"])), seq - 1
        while number % 2:  # `peaks` are the roots of the complete subtrees, from left to right.
            node, number = sha256(b"\x01", peaks.pop(), node), number // 2
        peaks.append(node)
        if seq == size:
            root = peaks[-1]
            for left in reversed(peaks[:-1]):
                root = sha256(b"\x01", left, root)
    faults += [f"entries {seqs}: {key[0]} missing, not erased" for key, seqs in missing.items()]
    return faults, organizations, seq, root


def main(export, checkpoint, vkey):
    text, signatures = open(checkpoint, "rb").read().decode().rsplit("\n\n", 1)
    origin, size, root = text.split("\n")
    name, key_id, key = vkey.strip().split("+", 2)
    with open(export, "rb") as lines:
        faults, organizations, count, found = check_log(lines, int(size))
    if count < int(size) or base64.b64encode(found).decode() != root:
        faults.append(f"the checkpoint's root at {size} is not that of the {count} entries")
    if {origin} != {f"{name}/{organization}" for organization in organizations}:
        faults.append(f"the checkpoint is of the log {origin}")
    signed = [line.split(" ")[2] for line in signatures.splitlines() if line.startswith(f"\u2014 {name} ")]
    ours = [raw[4:] for raw in map(base64.b64decode, signed) if raw[:4].hex() == key_id]
    if not ours:
        faults.append("the checkpoint has no signature by the key")
    for signature in ours:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:]).verify(signature, f"{text}\n".encode())
    print("\n".join(faults) or f"ok: {count} entries")
    return 1 if faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except InvalidSignature:
        sys.exit("the checkpoint's signature is wrong")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        print(f"cannot check: {problem!r}", file=sys.stderr)
        sys.exit(2)
