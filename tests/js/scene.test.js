// The explorers' scene: which mark an arrow key leads to, and what a mark's element is like.

import assert from "node:assert/strict";
import { test } from "node:test";

import { attributes, labelLines, nearest, nextInstance, tipTop } from "../../widgets/magmem_widgets/assets/scene.js";

const cell = (x, y, act = `${x} ${y}`) => ({ k: "r", x, y, w: 10, h: 10, t: "private", s: "", act });

test("an arrow leads to the nearest mark that way", () => {
  const [here, right, far, below] = [cell(0, 0), cell(20, 0), cell(40, 0), cell(0, 20)];
  const marks = [here, far, right, below];
  assert.equal(nearest(marks, here, [1, 0]), right);
  assert.equal(nearest(marks, here, [0, 1]), below);
  assert.equal(nearest(marks, right, [-1, 0]), here);
});

test("an arrow prefers the same row to a nearer diagonal", () => {
  const [here, diagonal, row] = [cell(0, 0), cell(15, 15), cell(40, 0)];
  assert.equal(nearest([here, diagonal, row], here, [1, 0]), row);
});

test("an arrow leads nowhere where nothing can be clicked", () => {
  const here = cell(0, 0);
  assert.equal(nearest([here, cell(20, 0, "")], here, [1, 0]), null);
  assert.equal(nearest([here], here, [0, -1]), null);
});

test("a mark's classes tell tint, ring and whether it can be clicked", () => {
  const plain = attributes({ ...cell(1, 2, ""), ring: false }, 3);
  assert.equal(plain.class, "mx-rect mx-fill-private");
  const chosen = attributes({ ...cell(1, 2), ring: true }, 3);
  assert.equal(chosen.class, "mx-rect mx-fill-private mx-ring mx-acts");
  assert.equal(chosen["data-pattern"], "private-3");
});

test("a line ends where its width and height say", () => {
  const line = attributes({ k: "l", x: 5, y: 6, w: 10, h: -2, t: "line" }, 1);
  assert.deepEqual([line.x1, line.y1, line.x2, line.y2], [5, 6, 15, 4]);
});

test("the lines of a label are centred in their rectangle", () => {
  const one = labelLines({ ...cell(0, 0), s: "heap" });
  assert.deepEqual(one, [{ text: "heap", x: 5, y: 9 }]);
  const two = labelLines({ ...cell(0, 0), s: "heap\n+4M" });
  assert.deepEqual(two.map((line) => line.text), ["heap", "+4M"]);
  assert.equal((two[0].y + two[1].y) / 2, 9);
  assert.ok(two[1].y - two[0].y >= 12);
});

test("a tip is below its mark, else above, else inside the view", () => {
  assert.equal(tipTop(10, 30, 40, 400), 36);
  assert.equal(tipTop(360, 380, 40, 400), 314);
  assert.equal(tipTop(20, 390, 40, 400), 360);
  assert.equal(tipTop(0, 30, 40, 30), 0);
});

test("views of one page have different numbers, whichever copy of the module made them", async () => {
  const copy = await import("../../widgets/magmem_widgets/assets/scene.js?copy");
  const numbers = [nextInstance(), copy.nextInstance(), nextInstance(), copy.nextInstance()];
  assert.equal(new Set(numbers).size, 4);
});
