// Where the tiles of a view stand: squarified level by level, small tiles merged into "others".

/**
 * Squarified treemap of one level (Bruls, Huizing, van Wijk), in the order given.
 * @param {number[]} sizes all above 0
 * @returns {{x, y, w, h}[]} rectangles that fill the given one, areas in proportion to sizes
 */
export function squarify(sizes, { x, y, w, h }) {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const scale = (w * h) / total;
  const rectangles = [];
  for (let start = 0; start < sizes.length; ) {
    const side = Math.min(w, h);
    let [sum, low, high] = [0, Infinity, 0];
    let worst = Infinity;
    let end = start;
    for (; end < sizes.length; end++) {
      const area = sizes[end] * scale;
      const thick = (sum + area) / side;
      const ratio = Math.max(thick ** 2 / Math.min(low, area), Math.max(high, area) / thick ** 2);
      if (ratio > worst) break;
      [sum, low, high] = [sum + area, Math.min(low, area), Math.max(high, area)];
      worst = ratio;
    }
    const thick = sum / side;
    const row = w >= h;
    let along = row ? y : x;
    for (; start < end; start++) {
      const length = (sizes[start] * scale) / thick;
      rectangles.push(
        row ? { x, y: along, w: thick, h: length } : { x: along, y, w: length, h: thick },
      );
      along += length;
    }
    if (row) [x, w] = [x + thick, Math.max(w - thick, 0)];
    else [y, h] = [y + thick, Math.max(h - thick, 0)];
  }
  return rectangles;
}

/**
 * Which items of a level are drawn as themselves, and which merge.
 * @param {number} area of the level, in the same unit as `least`, the smallest area to be drawn
 * @param {number} most how many to show at most
 * @returns {{shown: number[], merged: number[]}} every item that has a size is in one of them
 */
export function cut(tree, items, area, least, most) {
  const sized = items.filter((item) => tree.area[item] > 0);
  const total = sized.reduce((sum, item) => sum + tree.area[item], 0);
  const leastBytes = (least * total) / area;
  let shown = sized.filter((item) => tree.area[item] >= leastBytes);
  if (shown.length > most) {
    const largest = [...shown].sort((one, other) => tree.area[other] - tree.area[one] || one - other);
    const kept = new Set(largest.slice(0, most));
    shown = shown.filter((item) => kept.has(item));
  }
  if (sized.length - shown.length < 2) return { shown: sized, merged: [] };
  const drawn = new Set(shown);
  return { shown, merged: sized.filter((item) => !drawn.has(item)) };
}

/** Whether some child of a node would be seen as itself in a room. */
function worthOpening(tree, node, room, least) {
  let largest = 0;
  for (const child of tree.children(node)) largest = Math.max(largest, tree.area[child]);
  return (largest * room.w * room.h) / tree.area[node] >= least;
}

export const HEADER = 18;

/** The room inside a tile for its children; null when there is none. */
function inside({ x, y, w, h }) {
  const header = w >= 44 && h >= 36;
  const gap = Math.min(w, h) >= 16 ? 2 : 1;
  const top = header ? HEADER : gap;
  const room = { x: x + gap, y: y + top, w: w - 2 * gap, h: h - top - gap };
  return room.w >= 4 && room.h >= 4 ? { room, header } : null;
}

/**
 * Every tile of a view, parents before children.
 * @param {Tree} tree
 * @param {number[]} items nodes of the first level
 * @param {{x, y, w, h}} stage
 * @returns {{tiles: object[], nodes: number}} tiles are {node, merged, x, y, w, h, depth, open,
 *     header}; node is -1 for a merged tile, whose items are in `merged`
 */
export function plan(tree, items, stage, { least = 100, most = 5000 } = {}) {
  const tiles = [];
  let wave = [{ items, room: stage, depth: 0, parent: -1 }];
  while (wave.length) {
    const next = [];
    for (const level of wave) {
      // Room for one tile more than is left: a level always shows at least its merged tile.
      const { shown, merged } = cut(tree, level.items, level.room.w * level.room.h, least,
        Math.max(most - tiles.length - 1, 1));
      const sizes = shown.map((node) => tree.area[node]);
      if (merged.length) sizes.push(merged.reduce((sum, node) => sum + tree.area[node], 0));
      squarify(sizes, level.room).forEach((place, at) => {
        const node = at < shown.length ? shown[at] : -1;
        const room = node >= 0 && tree.count[node] ? inside(place) : null;
        const tile = {
          ...place, node, depth: level.depth, parent: level.parent,
          merged: node < 0 ? merged : null, open: false, header: false,
        };
        tiles.push(tile);
        if (room && worthOpening(tree, node, room.room, least)) next.push({ tile, ...room, depth: level.depth + 1, parent: tiles.length - 1 });
      });
    }
    next.sort((one, other) => other.room.w * other.room.h - one.room.w * one.room.h);
    wave = [];
    let left = most - tiles.length;
    for (const level of next) {
      if (left < 2) break;
      level.items = tree.children(level.tile.node);
      [level.tile.open, level.tile.header] = [true, level.header];
      left -= Math.min(level.items.length, 2);
      wave.push(level);
    }
  }
  return tiles;
}

/**
 * The tile of the first level that is nearest in a direction.
 * @param {object[]} tiles of `plan`
 * @param {number} from place of a tile in them
 * @param {[number, number]} direction -1, 0 or 1 across and down
 * @returns {number} place of the tile found; -1 if there is none
 */
export function nearest(tiles, from, [across, down]) {
  const here = tiles[from];
  const middle = ({ x, y, w, h }) => (across ? y + h / 2 : x + w / 2);
  let [best, least] = [-1, Infinity];
  tiles.forEach((tile, at) => {
    if (tile.depth > 0 || at === from) return;
    const ahead = across > 0 ? tile.x - here.x - here.w
      : across < 0 ? here.x - tile.x - tile.w
        : down > 0 ? tile.y - here.y - here.h
          : here.y - tile.y - tile.h;
    const distance = ahead + 2 * Math.abs(middle(tile) - middle(here));
    if (ahead >= -1 && distance < least) [best, least] = [at, distance];
  });
  return best;
}
