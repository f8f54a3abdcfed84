// Sizes as the guide's tools print them (reference/tools.md "Sizes"), and exact byte counts.

export const UNITS = "BkMGTPE";

/**
 * A size in whole bytes in the tools' form: `28k`, `1386.3k`.
 * @param {number|bigint} bytes whole, 0 or more
 * @param {string} unit one of UNITS to fix the unit; empty for the natural one
 */
export function formatSize(bytes, unit = "") {
  let whole = BigInt(bytes);
  let remainder = 0n;
  let inexact = false;
  let power = 0;
  const climbs = () =>
    unit ? UNITS[power] !== unit : whole >= 10000n || (whole !== 0n && whole % 1024n === 0n);
  while (climbs()) {
    remainder = whole % 1024n;
    whole /= 1024n;
    inexact ||= remainder !== 0n;
    power += 1;
  }
  if (!inexact) return `${whole}${UNITS[power]}`;
  const tenth = (remainder + 50n) / 100n;
  return `${whole + tenth / 10n}.${tenth % 10n}${UNITS[power]}`;
}

/** Whole bytes with separators, and the fraction of a byte where there is one. */
export function formatExact({ whole, numerator, denominator }) {
  const bytes = String(whole).replace(/\B(?=(\d{3})+$)/g, ",");
  if (numerator === 0n) return `${bytes} bytes`;
  if (denominator <= 9999n) return `${bytes} ${numerator}/${denominator} bytes`;
  const hundredths = (numerator * 100n) / denominator;
  return `${bytes}.${String(hundredths).padStart(2, "0")}… bytes`;
}

/** One part of a whole in percent, with one decimal; small parts are not rounded to nothing. */
export function formatShare(part, whole) {
  if (!whole) return "0%";
  const percent = (100 * part) / whole;
  if (percent > 0 && percent < 0.05) return "<0.1%";
  if (percent < 100 && percent >= 99.95) return ">99.9%";
  return `${percent.toFixed(1)}%`;
}
