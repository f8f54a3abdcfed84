// The machine explorer's table, but for its elements: which lines are here, what a key does.

export const [KIND, LEVEL, STATE, NAME, PSS, PRIVATE, SHARED, KNOWN, OWN_SHARE, PART_SHARE] =
  Array(10).keys();
export const [LEAF, CLOSED, OPEN] = [0, 1, 2];

/** Lines of one version of the table, as far as they have been sent. */
export class Lines {
  constructor() {
    this.reset(-1, 0);
  }

  /** Forget all lines: the table has `total` others now. */
  reset(version, total) {
    this.version = version;
    this.total = total;
    this.known = new Map();
  }

  put(first, rows) {
    rows.forEach((row, at) => this.known.set(first + at, row));
  }

  get(at) {
    return this.known.get(at);
  }

  /**
   * What to ask for so that lines are there with some to spare on both sides.
   * @returns {{first: number, count: number} | null} null if all that are to be seen are here
   */
  missing(first, count) {
    const end = Math.min(first + count, this.total);
    for (let at = Math.max(first, 0); at < end; at++) {
      if (this.known.has(at)) continue;
      const from = Math.max(Math.min(at, first) - count, 0);
      return { first: from, count: Math.min(3 * count, this.total - from) };
    }
    return null;
  }
}

/**
 * What a key does in the table (the treegrid pattern of WAI-ARIA).
 * @param {string} key name of the key
 * @param {number} at the line one is on; -1 for none
 * @param {Array | undefined} row that line, if it is here
 * @param {number} total lines
 * @param {number} page lines on one screen
 * @returns {{go?: number, do?: string} | null} the line to go to, or what to ask for
 */
export function answer(key, at, row, total, page) {
  if (!total) return null;
  const to = (line) => ({ go: Math.max(0, Math.min(line, total - 1)) });
  switch (key) {
    case "ArrowDown": return to(at + 1);
    case "ArrowUp": return to(at - 1);
    case "PageDown": return to(at + page - 1);
    case "PageUp": return to(at - page + 1);
    case "Home": return to(0);
    case "End": return to(total - 1);
  }
  if (at < 0) return key === "Enter" ? to(0) : null;
  if (key === "Enter") return { do: "drill" };
  if (key === "Escape") return { do: "up" };
  if (!row) return null;
  if (key === "ArrowRight") {
    if (row[STATE] === CLOSED) return { do: "open" };
    return row[STATE] === OPEN ? to(at + 1) : null;
  }
  if (key === "ArrowLeft") return { do: row[STATE] === OPEN ? "shut" : "up" };
  return null;
}

/** Where to scroll to so that a line is in view; the place as it is if it is already. */
export function scrollTo(at, top, height, line) {
  if (at < 0) return top;
  if (at * line < top) return at * line;
  return Math.max(top, (at + 1) * line - height);
}
