"""Judges a live log with aics-tlog, a verifier of C2SP transparency logs that shares nothing with Rollcall: the
signatures of two checkpoints, their roots, a proof for every entry, and the proof that one log begins with the other.
Then it changes one byte at each of these places, and each change must be refused.

Usage: tlog_judge.py AUDIT_URL TOKEN KEY EXPORT EARLIER LATER (an NDJSON file and two checkpoints)
"""

import json
import sys

import rfc8785
from aics_tlog import (
    MerkleTree,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    verify_checkpoint,
    verify_consistency,
    verify_leaf_inclusion,
)
from httpx2 import Client


def changed(text, place=-1):
    """The bytes with one bit flipped."""
    text = bytearray(text)
    text[place] ^= 1
    return bytes(text)


def signed_head(note, key):
    result = verify_checkpoint(parse_note(note), key)
    assert result.ok and result.log_ok, result
    forged = note.replace(b"\n%d\n" % result.size, b"\n%d\n" % (result.size + 1))
    assert not verify_checkpoint(parse_note(forged), key).ok, "a changed checkpoint was accepted"
    return parse_checkpoint(parse_note(note).text)


def hashes(answer):
    answer.raise_for_status()
    return [bytes.fromhex(text) for text in answer.json()["hashes"]]


def judge(http, key, export, earlier, later):
    entries = [rfc8785.dumps(json.loads(line)["header"]) for line in export.splitlines()]
    earlier, later = signed_head(earlier, key), signed_head(later, key)
    assert 0 < earlier.size < later.size == len(entries), (earlier, later, len(entries))
    for head in (earlier, later):
        assert MerkleTree(entries).root(head.size) == head.root, head
        for place in range(head.size):
            forged = entries[:place] + [changed(entries[place])] + entries[place + 1:]
            assert MerkleTree(forged).root(head.size) != head.root, "a changed entry gives the same root"

    for place, entry in enumerate(entries):
        for head in (earlier, later):
            if place < head.size:
                proof = hashes(http.get("/proof/inclusion", params={"seq": place + 1, "size": head.size}))
                included = [place, head.size, proof, head.root]
                assert verify_leaf_inclusion(entry, *included), (place, head)
                assert not verify_leaf_inclusion(changed(entry), *included), "a changed entry was accepted"
                forged = [place, head.size, [changed(proof[0]), *proof[1:]], head.root]
                assert not verify_leaf_inclusion(entry, *forged), "a changed proof was accepted"

    proof = hashes(http.get("/proof/consistency", params={"from": earlier.size, "to": later.size}))
    heads = [earlier.size, later.size, earlier.root, later.root]
    assert verify_consistency(*heads, proof), (earlier, later)
    assert not verify_consistency(*heads, [*proof[:-1], changed(proof[-1])]), "a changed proof was accepted"
    assert not verify_consistency(*heads[:2], changed(earlier.root), later.root, proof), "another log was accepted"
    return len(entries)


if __name__ == "__main__":
    url, token, vkey, *files = sys.argv[1:]
    texts = [open(name, "rb").read() for name in files]
    with Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        print(f"aics-tlog accepts {judge(client, parse_vkey(vkey), *texts)} entries with their proofs")
