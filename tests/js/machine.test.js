// The machine explorer's table: which lines are asked for, and what each key does.

import assert from "node:assert/strict";
import { test } from "node:test";

import { answer, Lines, scrollTo, STATE } from "../../widgets/magmem_widgets/assets/machine_rows.js";

const row = (state) => {
  const line = [];
  line[STATE] = state;
  return line;
};

test("only lines that are not here are asked for, with some to spare", () => {
  const lines = new Lines();
  lines.reset(1, 100);
  lines.put(0, Array.from({ length: 30 }, (_, at) => [at]));
  assert.equal(lines.missing(0, 11), null);
  assert.deepEqual(lines.missing(25, 11), { first: 14, count: 33 });
  assert.deepEqual(lines.missing(95, 11), { first: 84, count: 16 });
  lines.put(84, Array.from({ length: 16 }, (_, at) => [at]));
  assert.equal(lines.missing(95, 11), null);
  assert.deepEqual(lines.get(84), [0]);
});

test("another version forgets the lines of the last", () => {
  const lines = new Lines();
  lines.reset(1, 5);
  lines.put(0, [["a"]]);
  lines.reset(2, 3);
  assert.equal(lines.get(0), undefined);
  assert.deepEqual(lines.missing(0, 11), { first: 0, count: 3 });
});

test("a table without lines asks for none", () => {
  const lines = new Lines();
  lines.reset(1, 0);
  assert.equal(lines.missing(0, 11), null);
  assert.equal(answer("ArrowDown", -1, undefined, 0, 10), null);
});

test("arrows, pages, Home and End go to lines and stay in the table", () => {
  const go = (key, at) => answer(key, at, row(0), 50, 10).go;
  assert.deepEqual(["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"].map((key) => go(key, 20)),
    [21, 19, 29, 11, 0, 49]);
  assert.equal(go("ArrowDown", 49), 49);
  assert.equal(go("ArrowUp", 0), 0);
  assert.equal(go("ArrowDown", -1), 0);
});

test("Right opens, then goes in; Left closes, then goes out", () => {
  assert.deepEqual(answer("ArrowRight", 3, row(1), 9, 5), { do: "open" });
  assert.deepEqual(answer("ArrowRight", 3, row(2), 9, 5), { go: 4 });
  assert.equal(answer("ArrowRight", 3, row(0), 9, 5), null);
  assert.deepEqual(answer("ArrowLeft", 3, row(2), 9, 5), { do: "shut" });
  assert.deepEqual(answer("ArrowLeft", 3, row(1), 9, 5), { do: "up" });
  assert.deepEqual(answer("ArrowLeft", 3, row(0), 9, 5), { do: "up" });
});

test("Enter goes in, Escape comes out, other keys are left to others", () => {
  assert.deepEqual(answer("Enter", 3, row(1), 9, 5), { do: "drill" });
  assert.deepEqual(answer("Escape", 3, row(1), 9, 5), { do: "up" });
  assert.deepEqual(answer("Enter", -1, undefined, 9, 5), { go: 0 });
  assert.equal(answer("Escape", -1, undefined, 9, 5), null);
  assert.equal(answer("a", 3, row(1), 9, 5), null);
  assert.equal(answer("Tab", 3, row(1), 9, 5), null);
});

test("scrolling brings a line into view by the shortest way", () => {
  assert.equal(scrollTo(5, 0, 240, 24), 0);
  assert.equal(scrollTo(10, 0, 240, 24), 24);
  assert.equal(scrollTo(3, 240, 240, 24), 72);
  assert.equal(scrollTo(-1, 48, 240, 24), 48);
});
