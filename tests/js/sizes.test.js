import assert from "node:assert/strict";
import { test } from "node:test";

import { formatExact, formatShare, formatSize } from "../../magmem/treemap/assets/sizes.js";

test("a size climbs a unit while it is 10000 or more, or divides by 1024", () => {
  const expected = {
    0: "0B", 1023: "1023B", 1024: "1k", 9999: "9999B", 10000: "9.8k", 28672: "28k",
    1419571: "1386.3k", 1048575: "1024.0k", 2097152: "2M",
  };
  for (const [bytes, text] of Object.entries(expected)) {
    assert.equal(formatSize(Number(bytes)), text);
  }
});

test("a fixed unit divides until it is reached", () => {
  assert.equal(formatSize(0, "k"), "0k");
  assert.equal(formatSize(28672, "M"), "0.0M");
  assert.equal(formatSize(10240239, "k"), "10000.2k");
});

test("sizes beyond 2**53 are exact", () => {
  assert.equal(formatSize(2n ** 63n), "8E");
  assert.equal(formatSize("9007199254740993", "B"), "9007199254740993B");
});

test("exact bytes have separators and the fraction of a byte", () => {
  assert.equal(formatExact({ whole: 1419571n, numerator: 1n, denominator: 3n }), "1,419,571 1/3 bytes");
  assert.equal(formatExact({ whole: 12n, numerator: 0n, denominator: 1n }), "12 bytes");
  assert.equal(formatExact({ whole: 7n, numerator: 5001n, denominator: 10007n }), "7.49… bytes");
});

test("a share is neither rounded to nothing nor to all", () => {
  assert.equal(formatShare(1, 3), "33.3%");
  assert.equal(formatShare(1, 100000), "<0.1%");
  assert.equal(formatShare(99999, 100000), ">99.9%");
  assert.equal(formatShare(0, 0), "0%");
});
