import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";

import { BELOW, FOUND, HOLDS, readPayload, Tree } from "../../magmem/treemap/assets/tree.js";
import { payload } from "./payload.js";

test("a payload is read plain and deflated alike", async () => {
  const text = JSON.stringify(payload());
  assert.deepEqual(await readPayload(text), payload());
  assert.deepEqual(await readPayload(deflateSync(text).toString("base64")), payload());
});

test("every node is the sum of its children, exactly", () => {
  const tree = new Tree(payload());
  assert.deepEqual(tree.exact(5), { whole: 1365n, numerator: 1n, denominator: 3n });
  assert.deepEqual(tree.exact(3), { whole: 17749n, numerator: 1n, denominator: 3n });
  assert.equal(tree.bytes[3], 17749);
  assert.equal(tree.bytes[0], 17749 + 8192);
  assert.equal(tree.area[4], 16384);
});

test("three thirds of a byte make one, in spite of rounding", () => {
  const thirds = payload();
  thirds.amount = [0, 0, 0, 0, 0, 1, 1, 1];
  thirds.divisor = [1, 1, 1, 1, 1, 3, 3, 3];
  assert.equal(new Tree(thirds).bytes[0], 1);
});

test("amounts beyond 2**53 come as text and stay exact", () => {
  const large = payload();
  large.amount[1] = "9007199254740993";
  assert.equal(new Tree(large).exact(1).whole, 9007199254740993n);
});

test("labels, koids and lineage", () => {
  const tree = new Tree(payload());
  assert.equal(tree.label(4), "heap[2]");
  assert.equal(tree.label(5), "<b>vdso</b>");
  assert.equal(tree.koid(3), "7");
  assert.equal(tree.koid(0), "");
  assert.deepEqual(tree.koidsOf(4), ["21", "22"]);
  assert.deepEqual(tree.lineage(6), [0, 2, 3, 4, 6]);
});

test("what a node is made of is told by meaning, largest first", () => {
  const made = new Tree(payload()).madeOf(0).map(({ tint, bytes }) => [tint.name, Math.floor(bytes)]);
  assert.deepEqual(made, [["private", 16384], ["free", 8192], ["shared", 1365]]);
});

test("a search finds names in any case and koids, and marks all that hold them", () => {
  const tree = new Tree(payload());
  assert.deepEqual(tree.search("HEAP").found, [4, 6, 7]);
  assert.deepEqual([...tree.search("22").marks], [HOLDS, 0, HOLDS, HOLDS, HOLDS, 0, 0, FOUND]);
  const inside = FOUND | BELOW;
  assert.deepEqual(
    [...tree.search("heap").marks], [HOLDS, 0, HOLDS, HOLDS, FOUND | HOLDS, 0, inside, inside],
  );
  assert.deepEqual(tree.search("  ").found, []);
});

test("koids lead to a task, then to a VMO in it, as far as they can", () => {
  const tree = new Tree(payload());
  assert.equal(tree.at(["7"]), 3);
  assert.equal(tree.at(["7", "20"]), 5);
  assert.equal(tree.at(["7", "22"]), 7, "through VMOs of one name");
  assert.equal(tree.at(["7", "99"]), 3);
  assert.equal(tree.at(["20"]), -1, "a VMO alone may be in many places");
  assert.equal(tree.at([]), -1);
  assert.deepEqual(tree.koidsTo(7), [["process", "7"], ["vmo", "22"]]);
  assert.deepEqual(tree.koidsTo(1), []);
});
