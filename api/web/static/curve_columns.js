// The columns of a light curve (docs/service.md, columns.bin), and what is reckoned from them.

const MAGIC = "UMBRACOL";
const KINDS = { f8: Float64Array, f4: Float32Array, u4: Uint32Array, u1: Uint8Array };

/** Header and columns by name; the arrays are views of the buffer. */
export function parseColumns(buffer) {
  const text = new TextDecoder();
  if (text.decode(new Uint8Array(buffer, 0, 8)) !== MAGIC) throw new Error("no columns of Umbra's");
  const length = new DataView(buffer).getUint32(8, true);
  const header = JSON.parse(text.decode(new Uint8Array(buffer, 12, length)));
  if (header.schema !== "umbra-columns-1") throw new Error(`columns of another kind: ${header.schema}`);
  const columns = {};
  for (const { name, type, offset, count } of header.columns) {
    columns[name] = new KINDS[type](buffer, 12 + length + offset, count);
  }
  return { header, columns };
}

export async function fetchColumns(address) {
  const answer = await fetch(address, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(`the curve could not be read (${answer.status})`);
  return parseColumns(await answer.arrayBuffer());
}

/** Index of the first value that is not below `wanted`, in rising values. */
export function firstAtOrAfter(values, wanted) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1; else high = middle;
  }
  return low;
}

export function nearest(values, wanted) {
  const k = firstAtOrAfter(values, wanted);
  if (k === 0) return 0;
  if (k >= values.length) return values.length - 1;
  return wanted - values[k - 1] <= values[k] - wanted ? k - 1 : k;
}

/** Limits that show all but wild points: 0 and 1 always, and what is near the middle half. */
export function scaleOf(values) {
  const step = Math.max(1, Math.floor(values.length / 20000));
  const some = new Float64Array(Math.ceil(values.length / step));
  let count = 0;
  for (let k = 0; k < values.length; k += step) if (values[k] === values[k]) some[count++] = values[k];
  if (!count) return [0, 1.3];
  const sorted = some.subarray(0, count).sort();
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  const middle = at(0.5), reach = Math.max(12 * (at(0.75) - at(0.25)), 1.5 * Math.abs(middle), 1e-6);
  const low = middle - reach, high = middle + reach;
  let bottom = 0, top = 1;
  for (let k = 0; k < values.length; k += 1) {
    const value = values[k];
    if (value < bottom && value >= low) bottom = value;
    if (value > top && value <= high) top = value;
  }
  const pad = 0.06 * (top - bottom);
  return [bottom - pad, top + pad];
}

/** Limits that show every point. */
export function extentOf(values) {
  let bottom = 0, top = 1;
  for (let k = 0; k < values.length; k += 1) {
    if (values[k] < bottom) bottom = values[k];
    if (values[k] > top) top = values[k];
  }
  const pad = 0.06 * (top - bottom);
  return [bottom - pad, top + pad];
}

/** Indices of samples with any of some flags. */
export function flagged(flags, bits) {
  const found = [];
  for (let k = 0; k < flags.length; k += 1) if (flags[k] & bits) found.push(k);
  return Uint32Array.from(found);
}

/** A value with its sigma, to two digits of that; as the pages write it. */
export function plusMinus(value, sigma) {
  if (value !== value || value === undefined) return "not measured";
  if (!(sigma > 0) || !Number.isFinite(sigma)) return `${minus(value.toPrecision(4))} (± unknown)`;
  const digits = Math.max(0, Math.min(9, 1 - Math.floor(Math.log10(sigma))));
  return `${minus(value.toFixed(digits))} ± ${sigma.toFixed(digits)}`;
}

export const minus = (text) => text.replace(/^-/, "−");

/** UTC of the seconds of a curve: `2026-03-11 20:14:55.120 UTC`; nothing where it has no dates. */
export function utcText(header, seconds, digits) {
  if (header.zero_ns === null) return "";
  const unit = 10 ** digits;
  const ticks = Math.round(seconds * unit);
  const whole = Math.floor(ticks / unit);
  const day = new Date(Number(BigInt(header.zero_ns) / 1000000n) + whole * 1000).toISOString();
  const part = digits ? "." + String(ticks - whole * unit).padStart(digits, "0") : "";
  return `${day.slice(0, 10)} ${day.slice(11, 19)}${part} UTC`;
}

/** The time of day alone, for an axis. */
export function clockText(header, seconds, digits) {
  const text = utcText(header, seconds, digits);
  return text ? text.slice(11, -4) : minus(seconds.toFixed(digits));
}
