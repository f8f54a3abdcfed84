// The table equivalent of a view: one row per tile of its first level, nothing merged out of reach.

import { make } from "./dom.js";
import { formatExact, formatShare } from "./sizes.js";
import { madeOf, size, title } from "./words.js";

const ROWS = 500;
const HEADS = ["name", "kind", "koid", "size", "exact", "of this level", "of all", "made of"];

/**
 * The items of a view, largest first, 500 rows at a time.
 * @param {(node: number) => void} open is called with the node of the row that is chosen
 */
export function table(tree, node, items, unit, open) {
  const sorted = [...items].sort((one, other) => tree.area[other] - tree.area[one] || one - other);
  const total = items.reduce((sum, item) => sum + tree.area[item], 0);
  const sheet = make("table", "mm-table");
  sheet.append(make("caption", "", `${title(tree, node)}: ${items.length} parts`));
  const head = make("tr");
  for (const word of HEADS) head.append(make("th", "", word, { scope: "col" }));
  const body = make("tbody");
  sheet.append(make("thead"), body);
  sheet.tHead.append(head);
  const more = make("button", "mm-button", "", { type: "button" });
  const add = () => {
    const next = sorted.slice(body.rows.length, body.rows.length + ROWS);
    body.append(...next.map((item) => row(tree, item, total, unit, open)));
    more.textContent = `${sorted.length - body.rows.length} more`;
    more.hidden = body.rows.length === sorted.length;
  };
  more.addEventListener("click", add);
  add();
  const page = make("div");
  page.append(sheet, more);
  return page;
}

function row(tree, node, total, unit, open) {
  const line = make("tr");
  const name = make("td");
  const button = make("button", "mm-crumb", tree.label(node), { type: "button" });
  button.addEventListener("click", () => open(node));
  name.append(tree.count[node] ? button : tree.label(node));
  line.append(name);
  const texts = [
    tree.kindOf(node),
    tree.koid(node),
    size(tree, node, unit),
    formatExact(tree.exact(node)),
    formatShare(tree.area[node], total),
    formatShare(tree.area[node], tree.area[0]),
    madeOf(tree, node, unit),
  ];
  texts.forEach((text, at) => line.append(make("td", at > 0 && at < 6 ? "mm-number" : "", text)));
  return line;
}
