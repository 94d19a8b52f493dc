"""Judges a live log with aics-tlog, a verifier of C2SP transparency logs that shares nothing with Rollcall: the
signatures of two checkpoints, their roots, the proof file of every entry, the tiles, and the proof that one log begins
with the other. Then it changes one byte at each of these places, and each change must be refused.

Usage: tlog_judge.py AUDIT_URL TOKEN KEY EXPORT EARLIER LATER (an NDJSON file and two checkpoints)
"""

import base64
import json
import sys

import rfc8785
from aics_tlog import (
    MerkleTree,
    VerifiedTileReader,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    read_entry,
    verify_checkpoint,
    verify_consistency,
    verify_leaf_inclusion,
)
from aics_tlog.tiles import TileVerificationError, entry_bundle_path, tile_path
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


class Tiles:
    """The tiles of the log, as aics-tlog reads them. A byte of every tile is changed if the log is forged."""

    def __init__(self, http, is_forged=False):
        self.http, self.is_forged = http, is_forged

    def read(self, path):
        answer = self.http.get("/" + path)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return changed(answer.content) if self.is_forged else answer.content

    def read_tile(self, level, index, width):
        return self.read(tile_path(level, index, width))

    def read_entry_bundle(self, index, width):
        return self.read(entry_bundle_path(index, width))


def proof_file(answer):
    """Reads a C2SP tlog-proof: the index, the hashes and the checkpoint."""
    answer.raise_for_status()
    proof, checkpoint = answer.content.split(b"\n\n", 1)
    first, *lines = [line for line in proof.split(b"\n") if not line.startswith(b"extra ")]
    assert first == b"c2sp.org/tlog-proof@v1", first
    assert lines[0].startswith(b"index "), lines[0]
    return int(lines[0][6:]), [base64.b64decode(line, validate=True) for line in lines[1:]], checkpoint


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
                index, proof, note = proof_file(http.get(f"/events/{place + 1}/proof", params={"size": head.size}))
                assert (index, signed_head(note, key)) == (place, head), (place, head)
                included = [place, head.size, proof, head.root]
                assert verify_leaf_inclusion(entry, *included), (place, head)
                assert not verify_leaf_inclusion(changed(entry), *included), "a changed entry was accepted"
                forged = [place, head.size, [changed(proof[0]), *proof[1:]], head.root]
                assert not verify_leaf_inclusion(entry, *forged), "a changed proof was accepted"

    for head in (earlier, later):
        tiles = VerifiedTileReader(Tiles(http), head.size, head.root)
        assert [read_entry(tiles, place, head.size) for place in range(head.size)] == entries[:head.size], head
        forged = VerifiedTileReader(Tiles(http, is_forged=True), head.size, head.root)
        try:
            read_entry(forged, 0, head.size)
        except TileVerificationError:
            continue
        raise AssertionError("a changed tile was accepted")

    answer = http.get("/proof/consistency", params={"from": earlier.size, "to": later.size})
    answer.raise_for_status()
    proof = [bytes.fromhex(text) for text in answer.json()["hashes"]]
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
