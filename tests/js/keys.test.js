// Which keys an explorer keeps for itself.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isPlain, keepKeys } from "../../widgets/magmem_widgets/assets/keys.js";

const plain = { ctrlKey: false, altKey: false, metaKey: false, shiftKey: false };

test("letters and arrows are plain; with a modifier they are the notebook's shortcuts", () => {
  assert.equal(isPlain(plain), true);
  for (const modifier of Object.keys(plain)) assert.equal(isPlain({ ...plain, [modifier]: true }), false);
});

test("one listener a page marks what has the focus in an explorer, and nothing else", () => {
  const heard = [];
  const page = { addEventListener: (...asked) => heard.push(asked) };
  keepKeys(page);
  keepKeys(page);
  assert.equal(heard.length, 1);
  const [name, listen, capture] = heard[0];
  assert.deepEqual([name, capture], ["keydown", true]);
  const marks = [];
  const focused = { closest: (selector) => selector === ".mx-box", toggleAttribute: (...asked) => marks.push(asked) };
  listen({ ...plain, target: focused });
  listen({ ...plain, shiftKey: true, target: focused });
  listen({ ...plain, target: { ...focused, closest: () => null } });
  assert.deepEqual(marks, [["data-lm-suppress-shortcuts", true], ["data-lm-suppress-shortcuts", false]]);
});
