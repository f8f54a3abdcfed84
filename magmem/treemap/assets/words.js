// What is said of a node: labels, the tooltip, the sentence beneath the view.

import { formatExact, formatShare, formatSize } from "./sizes.js";

const KIND_WORDS = {
  memory: "memory",
  job: "job",
  process: "process",
  vmos: "VMOs of one name",
  vmo: "VMO",
  part: "part",
  unknown: "not explained by the capture",
};

/** One koid mark as `ps` writes it, then the name: `p:1043 bin/devmgr`. */
export function title(tree, node) {
  const mark = { job: "j:", process: "p:" }[tree.kindOf(node)];
  return mark ? `${mark}${tree.koid(node)} ${tree.label(node)}` : tree.label(node);
}

export function size(tree, node, unit) {
  return formatSize(tree.bytes[node], unit);
}

export function mergedBytes(tree, items) {
  return Math.floor(items.reduce((sum, item) => sum + tree.area[item], 0) + 1e-9);
}

/** The label of a merged tile: `others (312, 1.2M)`. */
export function others(tree, items, unit) {
  return `others (${items.length}, ${formatSize(mergedBytes(tree, items), unit)})`;
}

/** What a leaf's bytes are made of, or the meanings inside a node, in words. */
export function madeOf(tree, node, unit) {
  const parts = tree.madeOf(node);
  if (tree.count[node] === 0) {
    const word = parts.length ? parts[0].tint.word : "";
    if (Number(tree.divisor[node]) === 1) return word;
    return `${formatSize(tree.amount[node], unit)} ÷ ${tree.divisor[node]}, ${word}`;
  }
  return parts
    .map(({ tint, bytes }) => `${tint.word} ${formatSize(Math.floor(bytes), unit)}`)
    .join(", ");
}

/** What the capture tells of the VMO itself. */
function vmoFacts(tree, node, unit) {
  const row = tree.vmo[node];
  if (row < 0) return [];
  const { size: sizes, committed, mappings, share } = tree.vmos;
  const facts = [];
  if (sizes[row] !== null) facts.push(`size ${formatSize(sizes[row], unit)}`);
  if (committed[row] !== null) facts.push(`committed ${formatSize(committed[row], unit)}`);
  if (mappings[row] !== null) facts.push(mappings[row] === 1 ? "1 mapping" : `${mappings[row]} mappings`);
  if (share[row] !== null) facts.push(`share count ${share[row]}`);
  return facts.length ? [["the whole VMO", facts.join(", ")]] : [];
}

/** Rows of [word, value] for the tooltip of one node. */
export function facts(tree, node, unit) {
  const above = tree.parent[node];
  const inVmo = tree.kindOf(node) === "process" && tree.tint[node] >= 0;
  const kind = inVmo ? "what this process is charged" : KIND_WORDS[tree.kindOf(node)];
  const koid = tree.koid(node);
  const rows = [
    ["what", koid ? `${kind}, koid ${koid}` : kind],
    ["size", `${size(tree, node, unit)} = ${formatExact(tree.exact(node))}`],
  ];
  if (above >= 0) rows.push(["share", shares(tree, node)]);
  const made = madeOf(tree, node, unit);
  if (made) rows.push(["made of", made]);
  rows.push(...vmoFacts(tree, node, unit));
  if (tree.count[node]) rows.push(["inside", counted(tree, node)]);
  if (tree.marked.has(node)) rows.push(["note", "its pages are counted more often than they are there"]);
  return rows;
}

function counted(tree, node) {
  const count = tree.count[node];
  return count === 1 ? "1 part" : `${count} parts`;
}

function shares(tree, node) {
  const above = tree.parent[node];
  const ofParent = `${formatShare(tree.area[node], tree.area[above])} of ${tree.label(above)}`;
  if (above === 0) return ofParent;
  return `${ofParent}, ${formatShare(tree.area[node], tree.area[0])} of ${tree.label(0)}`;
}

/** Rows of [word, value] for the tooltip of a merged tile. */
export function mergedFacts(tree, parent, items, unit) {
  const bytes = mergedBytes(tree, items);
  const area = items.reduce((sum, item) => sum + tree.area[item], 0);
  const largest = items.reduce((one, other) => (tree.area[other] > tree.area[one] ? other : one));
  return [
    ["what", `${items.length} small parts of ${tree.label(parent)} in one tile; it opens on click`],
    ["size", `${formatSize(bytes, unit)} = ${formatExact({ whole: bytes, numerator: 0n })}`],
    ["share", `${formatShare(area, tree.area[parent])} of ${tree.label(parent)}`],
    ["largest", `${title(tree, largest)}, ${size(tree, largest, unit)}`],
  ];
}

/** One sentence about a node. */
export function sentence(tree, node, unit) {
  const made = madeOf(tree, node, unit);
  const parts = made ? ` (${made})` : "";
  const share = tree.parent[node] >= 0 ? `, ${shares(tree, node)}` : "";
  const over = node === 0 && tree.over ? `, ${formatSize(tree.over, unit)} more than there is` : "";
  return `${title(tree, node)}: ${size(tree, node, unit)}${over}${parts}${share}.`;
}

/** One sentence about a merged tile. */
export function mergedSentence(tree, parent, items, unit) {
  return `${others(tree, items, unit)}: small parts of ${title(tree, parent)}. Enter opens them.`;
}

/** What is said while free memory is not drawn as a tile. */
export function freeSentence(tree, nodes, unit) {
  if (!nodes.length) return "";
  const free = nodes.map((node) => `${tree.label(node)} ${size(tree, node, unit)}`).join(", ");
  return ` The tiles leave out ${free}: it is in the bar above.`;
}
