// What the form of a prediction holds.

import assert from "node:assert/strict";
import { test } from "node:test";

import { guessOf, heading } from "../../widgets/magmem_widgets/assets/prediction.js";

test("text is trimmed, and nothing is no guess", () => {
  assert.equal(guessOf("size", [{ value: " 4k " }]), "4k");
  assert.equal(guessOf("count", [{ value: "  " }]), null);
});

test("a choice is the option that is chosen, or no guess", () => {
  const fields = [{ value: "a" }, { value: "b", checked: true }];
  assert.equal(guessOf("choice", fields), "b");
  assert.equal(guessOf("choice", [{ value: "a" }]), null);
});

test("of several options none may be chosen, which is a guess too", () => {
  assert.deepEqual(guessOf("which", [{ value: "a", checked: true }, { value: "b" }, { value: "c", checked: true }]), ["a", "c"]);
  assert.deepEqual(guessOf("which", [{ value: "a" }]), []);
});

test("the heading is the place in a row, or an invitation", () => {
  assert.equal(heading({ get: () => "Question 3 of 10" }), "Question 3 of 10");
  assert.equal(heading({ get: () => "" }), "Your guess first");
});
