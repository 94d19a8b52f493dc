// Checks an entry of the log in the browser. It hashes the entry, and the hashes must lead to the root of the log.
// docs/auditors.md explains the steps. `rollcall-verify` performs them without a browser, and also checks the signature.
import { blake3 } from "./blake3.min.js";

const utf8 = (text) => new TextEncoder().encode(text);
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

// Each kind of hash has its own BLAKE3 context, so that a hash of one kind is never valid as another.
function hash(context, ...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return blake3(whole, { context: utf8(`rollcall 2026 ${context}`) });
}

// The side of each subtree along the path from a leaf to the root, from the lowest (RFC 9162 section 2.1.3).
function sides(seq, size) {
  const found = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    let half = 1;
    while (half * 2 < end - start) half *= 2;
    const isLeft = seq - 1 < start + half;
    found.unshift(isLeft ? "right" : "left");
    if (isLeft) end = start + half; else start += half;
  }
  return found;
}

function root(leaf, proof) {
  const path = sides(proof.seq, proof.size);
  if (path.length !== proof.hashes.length) return undefined;
  return hex(path.reduce((node, side, index) => {
    const other = bytes(proof.hashes[index]);
    return side === "right" ? hash("node", node, other) : hash("node", other, node);
  }, leaf));
}

// The third line of a checkpoint is the root (C2SP tlog-checkpoint).
const rootOf = (note) => hex(Uint8Array.from(atob(note.split("\n")[2]), (char) => char.charCodeAt(0)));

function check(proof, shown) {
  const header = JSON.parse(proof.header);
  const leaf = hash("leaf", utf8(proof.header));
  const steps = [];
  steps.push(proof.payload === null
    ? ["erased", true]
    : ["payload", hex(hash("payload", bytes(proof.salt), utf8(proof.payload))) === header.commitment && header.commitment === shown.commitment]);
  steps.push(["leaf", hex(leaf) === shown.leaf && header.seq === Number(shown.seq)]);
  steps.push(["root", root(leaf, proof) === proof.root]);
  if (proof.checkpoint) steps.push(["checkpoint", rootOf(proof.checkpoint) === proof.root]);
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
    if (!answer.ok) throw new Error(answer.statusText);
    const proof = await answer.json();
    for (const [step, isGood] of check(proof, list.dataset)) show(step, isGood);
    document.getElementById("proof-raw").textContent = JSON.stringify(proof, null, 2);
    document.getElementById("proof-details").hidden = false;
  } catch {
    show("unavailable", false);
  }
});
button.disabled = false;
