// One tile as an element, and the bar of all physical memory above the tiles.

import { make } from "./dom.js";
import { FOUND, HOLDS } from "./tree.js";
import { formatSize } from "./sizes.js";
import { mergedBytes, others, sentence, size } from "./words.js";

const LABEL_WIDTH = 34;
const LABEL_HEIGHT = 15;
const DIGIT_WIDTH = 7;

/** What is inside a node that is not opened: its meanings side by side, as a CSS image. */
export function blend(tree, node) {
  let from = 0;
  const stops = tree.madeOf(node).map(({ tint, bytes }) => {
    const to = from + (100 * bytes) / tree.area[node];
    const stop = `var(--mm-${tint.name}) ${from.toFixed(2)}% ${to.toFixed(2)}%`;
    from = to;
    return stop;
  });
  return stops.length ? `linear-gradient(90deg, ${stops.join(", ")})` : "";
}

/**
 * The element of a tile of `plan`. A tile of the first level is at least 4 pixels wide and high, so
 * that it can be pointed at.
 * @param {number} at place of the tile in the plan
 * @param {object} state `unit` of sizes, search text `wanted`, `marks` of its finds, how many `siblings`
 *     the first level has, and the size of the `room`
 */
export function tileElement(tree, tile, at, state) {
  const { unit, wanted, marks, siblings, room } = state;
  const { node, merged, x, y, w, h, depth } = tile;
  const element = make("div", `mm-tile ${look(tree, tile, wanted, marks)}`);
  element.dataset.at = at;
  const { style } = element;
  const least = depth === 0 ? 4 : 0.5;
  const [width, height] = [Math.max(w - 1, least), Math.max(h - 1, least)];
  style.left = `${Math.min(x, room.w - width)}px`;
  style.top = `${Math.min(y, room.h - height)}px`;
  style.width = `${width}px`;
  style.height = `${height}px`;
  const mixed = !tile.open && node >= 0 && tree.tint[node] < 0;
  if (mixed) style.backgroundImage = blend(tree, node);
  if (tile.open ? tile.header : w >= LABEL_WIDTH && h >= LABEL_HEIGHT) {
    element.append(label(tree, tile, unit));
  }
  if (depth > 0) {
    element.setAttribute("aria-hidden", "true");
    return element;
  }
  element.tabIndex = -1;
  element.setAttribute("role", "treeitem");
  element.setAttribute("aria-level", "1");
  element.setAttribute("aria-posinset", at + 1);
  element.setAttribute("aria-setsize", siblings);
  element.setAttribute(
    "aria-label", node < 0 ? others(tree, merged, unit) : sentence(tree, node, unit),
  );
  return element;
}

function look(tree, { node, open, merged, w, h }, wanted, marks) {
  const names = [];
  if (open) names.push("mm-open");
  else if (node < 0) names.push("mm-others", "mm-tint-other");
  else if (tree.tint[node] >= 0) names.push(`mm-tint-${tree.tints[tree.tint[node]].name}`);
  else names.push("mm-blend");
  const roomy = w >= 48 && h >= 32;
  if (roomy && node >= 0 && tree.kindOf(node) === "unknown") names.push("mm-unknown");
  if (node >= 0 && tree.marked.has(node)) names.push(roomy ? "mm-twice mm-badge" : "mm-twice");
  if (wanted) {
    const mark = node >= 0 ? marks[node] : merged.reduce((all, item) => all | marks[item], 0);
    const ringed = open ? mark & FOUND : mark & (FOUND | HOLDS);
    names.push(ringed ? "mm-found" : mark ? "mm-found-near" : "mm-dim");
  }
  return names.join(" ");
}

function label(tree, { node, merged, w, h, open }, unit) {
  const name = node < 0 ? `others (${merged.length})` : tree.label(node);
  const bytes = node < 0 ? formatSize(mergedBytes(tree, merged), unit) : size(tree, node, unit);
  const text = make("span", open ? "mm-header" : "mm-label");
  text.append(make("b", "", name));
  const width = bytes.length * DIGIT_WIDTH + 10;
  if (open ? w >= width + 50 : w >= width && h >= 31) text.append(make("i", "", bytes));
  return text;
}

/**
 * All of physical memory as one bar to scale, with the part that the view shows underlined.
 * @param {number} width of the bar in pixels
 * @param {(node: number) => void} open is called with the node of a segment that is clicked
 */
export function overview(tree, current, unit, width, open) {
  const line = tree.lineage(current);
  return tree.children(0).filter((node) => tree.area[node] > 0).map((node) => {
    const segment = make("div", "mm-segment");
    segment.style.flexGrow = tree.area[node] / tree.area[0];
    if (tree.tint[node] >= 0) segment.classList.add(`mm-tint-${tree.tints[tree.tint[node]].name}`);
    else segment.style.backgroundImage = blend(tree, node);
    segment.title = `${tree.label(node)} ${size(tree, node, unit)}`;
    const room = (width * tree.area[node]) / tree.area[0];
    if (segment.title.length * DIGIT_WIDTH + 10 <= room) segment.append(make("span", "", segment.title));
    if (line.includes(node)) {
      const here = make("div", "mm-here");
      here.style.width = `${(100 * tree.area[current]) / tree.area[node]}%`;
      segment.append(here);
    }
    segment.addEventListener("click", () => open(node));
    return segment;
  });
}
