import assert from "node:assert/strict";
import { test } from "node:test";

import { cut, nearest, plan, squarify } from "../../magmem/treemap/assets/layout.js";

const STAGE = { x: 0, y: 0, w: 600, h: 400 };

/** A flat tree: a root with leaves of these sizes. */
function flat(sizes) {
  const area = [sizes.reduce((sum, size) => sum + size, 0), ...sizes];
  const count = area.map((_, node) => (node ? 0 : sizes.length));
  return { area, count, children: () => sizes.map((_, at) => at + 1) };
}

/** Sizes that differ, without a random source: a low-discrepancy sequence. */
function various(count) {
  return Array.from({ length: count }, (_, at) => 1 + 999 * ((at * 0.6180339887) % 1));
}

test("rectangles fill the stage in proportion", () => {
  const sizes = various(40).sort((one, other) => other - one);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const places = squarify(sizes, STAGE);
  places.forEach(({ w, h }, at) => {
    assert.ok(Math.abs(w * h - (sizes[at] / total) * 240000) < 1e-6);
  });
  assert.ok(places.every(({ x, y, w, h }) => x >= 0 && y >= 0 && x + w <= 600.001 && y + h <= 400.001));
});

test("one tile fills the stage, none fills nothing", () => {
  assert.deepEqual(squarify([5], STAGE), [STAGE]);
  assert.deepEqual(squarify([], STAGE), []);
});

test("a level loses nothing when it is cut", () => {
  const tree = flat([1000, 900, 3, 2, 1, 0]);
  const { shown, merged } = cut(tree, [1, 2, 3, 4, 5, 6], 240000, 1000, 100);
  assert.deepEqual([shown, merged], [[1, 2], [3, 4, 5]]);
});

test("one small tile is drawn as itself, not as others of one", () => {
  const { shown, merged } = cut(flat([1000, 1]), [1, 2], 240000, 1000, 100);
  assert.deepEqual([shown, merged], [[1, 2], []]);
});

test("no more than the allowed number is shown, the largest", () => {
  const { shown, merged } = cut(flat(Array(50).fill(7)), [...Array(50).keys()].map((n) => n + 1), 240000, 0, 10);
  assert.deepEqual(shown, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.equal(merged.length, 40);
});

test("100,000 leaves are at most 5,000 tiles, and all of their bytes", () => {
  const sizes = various(100000);
  const tree = flat(sizes);
  const tiles = plan(tree, tree.children(), STAGE, { least: 0 });
  assert.ok(tiles.length <= 5000);
  const drawn = tiles.flatMap(({ node, merged }) => merged ?? [node]);
  assert.equal(new Set(drawn).size, 100000);
});

test("children stand inside their parent, below its header", () => {
  const tree = {
    area: [10, 10, 6, 4], count: [1, 2, 0, 0], children: (node) => (node ? [2, 3] : [1]),
  };
  const [outer, ...inner] = plan(tree, [1], STAGE);
  assert.ok(outer.open && outer.header);
  assert.equal(inner.length, 2);
  for (const { x, y, w, h } of inner) {
    assert.ok(x >= 2 && y >= 18 && x + w <= 598.001 && y + h <= 398.001);
  }
});

test("a node whose children are all too small to see stays shut", () => {
  const tree = {
    area: [100, 10, 90, ...Array(100).fill(0.1)],
    count: [2, 100, 0, ...Array(100).fill(0)],
    children: (node) => (node ? Array.from({ length: 100 }, (_, at) => at + 3) : [1, 2]),
  };
  const tiles = plan(tree, [1, 2], STAGE, { least: 1000 });
  assert.deepEqual(tiles.map(({ node, open }) => [node, open]), [[1, false], [2, false]]);
});

test("a level of zeros draws nothing", () => {
  const tree = flat([0, 0]);
  assert.deepEqual(plan(tree, tree.children(), STAGE), []);
});

test("arrows lead to the nearest tile that lies in their direction", () => {
  const at = (x, y, depth = 0) => ({ x, y, w: 10, h: 10, depth });
  const tiles = [at(0, 0), at(10, 0), at(0, 10), at(10, 10), at(12, 2, 1)];
  assert.deepEqual(
    [[1, 0], [0, 1], [-1, 0], [0, -1]].map((direction) => nearest(tiles, 0, direction)), [1, 2, -1, -1],
  );
  assert.equal(nearest(tiles, 3, [-1, 0]), 2);
});
