// Checks an entry of the log in the browser. It hashes the entry, and the hashes must lead to the root of the log.
// docs/auditors.md explains the steps. `rollcall-verify` performs them without a browser, and also checks the signature.
import { blake3 } from "./blake3.min.js";

const utf8 = (text) => new TextEncoder().encode(text);
const base64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

// The tree is that of RFC 6962: the first byte tells leaves from inner nodes.
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
const leafHash = (entry) => sha256(Uint8Array.of(0), entry);
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

// The header commits to each part under a salt. Each kind of part has its own BLAKE3 context.
const commitment = (part, salt, text) => hex(blake3(joined(bytes(salt), utf8(text)), { context: utf8(`rollcall 2026 ${part}`) }));

// Canonical JSON (RFC 8785): names in the order of their UTF-16 code units; numbers and strings as JavaScript writes them.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

// The side of each subtree along the path from a leaf to the root, from the lowest (RFC 6962 section 2.1.1).
function sides(leaf, size) {
  const found = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    let half = 1;
    while (half * 2 < end - start) half *= 2;
    const isLeft = leaf < start + half;
    found.unshift(isLeft ? "right" : "left");
    if (isLeft) end = start + half; else start += half;
  }
  return found;
}

async function root(leaf, proof) {
  const path = sides(proof.index, proof.size);
  if (path.length !== proof.hashes.length) return undefined;
  let node = leaf;
  for (const [index, side] of path.entries()) {
    const other = proof.hashes[index];
    node = side === "right" ? await nodeHash(node, other) : await nodeHash(other, node);
  }
  return hex(node);
}

// A proof file (C2SP tlog-proof): the entry in the line `extra`, its index, hashes, and a checkpoint, whose second and third
// line are the size and the root of the log.
function parse(text) {
  const lines = text.split("\n");
  const end = lines.indexOf("");
  const [, extra, index, ...hashes] = lines.slice(0, end);
  const { entry } = JSON.parse(new TextDecoder().decode(base64(extra.replace("extra ", ""))));
  const [, size, root] = lines.slice(end + 1);
  return { entry, index: Number(index.replace("index ", "")), hashes: hashes.map(base64), size: Number(size), root: hex(base64(root)) };
}

async function check(proof, shown) {
  const { header, payload, payload_salt, actor, actor_salt } = proof.entry;
  const leaf = await leafHash(utf8(canonical(header)));
  const steps = [];
  steps.push(payload === null
    ? ["erased", true]
    : ["payload", commitment("payload", payload_salt, canonical(payload)) === header.payload_commitment && header.payload_commitment === shown.commitment]);
  steps.push(actor === null
    ? ["actor-erased", true]
    : ["actor", commitment("actor", actor_salt, canonical(actor)) === header.actor_commitment]);
  steps.push(["leaf", hex(leaf) === shown.leaf && header.seq === Number(shown.seq) && proof.index === header.seq - 1]);
  steps.push(["root", await root(leaf, proof) === proof.root]);
  return steps;
}

const button = document.getElementById("check-proof");
const list = document.getElementById("proof-steps");

function show(step, isGood) {
  const item = list.querySelector(`[data-step="${step}"]`);
  item.classList.toggle("good", isGood);
  item.classList.toggle("problem", !isGood);
  item.querySelector("b").textContent = isGood ? "✓" : "✗";
  item.hidden = false;
}

button.addEventListener("click", async () => {
  for (const item of list.children) item.hidden = true;
  try {
    const answer = await fetch(button.dataset.proof);
    if (answer.status === 404) return show("unsigned", false);
    if (!answer.ok) throw new Error(answer.statusText);
    const text = await answer.text();
    for (const [step, isGood] of await check(parse(text), list.dataset)) show(step, isGood);
    document.getElementById("proof-raw").textContent = text;
    document.getElementById("proof-details").hidden = false;
  } catch {
    show("unavailable", false);
  }
});
// Browsers offer SHA-256 to pages from a secure origin only.
button.disabled = !window.crypto?.subtle;
