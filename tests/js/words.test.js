import assert from "node:assert/strict";
import { test } from "node:test";

import { Tree } from "../../magmem/treemap/assets/tree.js";
import { facts, mergedFacts, mergedSentence, others, sentence, title } from "../../magmem/treemap/assets/words.js";
import { payload } from "./payload.js";

const tree = new Tree(payload());

test("a process is titled as ps writes it", () => {
  assert.equal(title(tree, 3), "p:7 sh");
  assert.equal(title(tree, 5), "<b>vdso</b>");
});

test("the tooltip says what a VMO is, its size, share and what it is made of", () => {
  assert.deepEqual(facts(tree, 5, ""), [
    ["what", "VMO, koid 20"],
    ["size", "1365B = 1,365 1/3 bytes"],
    ["share", "7.7% of sh, 5.3% of physmem"],
    ["made of", "4k ÷ 3, shared"],
    ["the whole VMO", "size 4k, committed 4k, 3 mappings, share count 3"],
    ["note", "its pages are counted more often than they are there"],
  ]);
});

test("what the capture does not know of a VMO is not said", () => {
  const whole = facts(tree, 7, "k").find(([word]) => word === "the whole VMO");
  assert.deepEqual(whole, ["the whole VMO", "committed 12k, 1 mapping"]);
});

test("the sentence of a node names what is inside", () => {
  assert.equal(
    sentence(tree, 3, ""),
    "p:7 sh: 17.3k (private 16k, shared 1365B), 100.0% of VMOs/processes, 68.4% of physmem.",
  );
});

test("the root says what is counted more than there is", () => {
  const over = new Tree({ ...payload(), over: 4096 });
  assert.match(sentence(over, 0, ""), /^physmem: 25.3k, 4k more than there is \(/);
});

test("a merged tile says how many and how much", () => {
  assert.equal(others(tree, [6, 7], ""), "others (2, 16k)");
  assert.equal(
    mergedSentence(tree, 4, [6, 7], ""),
    "others (2, 16k): small parts of heap[2]. Enter opens them.",
  );
  assert.deepEqual(mergedFacts(tree, 4, [6, 7], "").at(-1), ["largest", "heap, 12k"]);
});
