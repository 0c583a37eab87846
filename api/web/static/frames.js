// Frames of a recording as exact pixels: fetched once, the next ones before they are asked for; and stretched to grey.

const KINDS = { "|u1": Uint8Array, "<u2": Uint16Array, "<i2": Int16Array, "<u4": Uint32Array, "<i4": Int32Array, "<f4": Float32Array, "<f8": Float64Array };
const SOFTENING = 0.05;
const KEPT_BYTES = 192 << 20;
const AHEAD = 4;
const KNOWN_DIGITS = 3;

/**
 * An instant to the digit that its uncertainty has: `2026-03-11 20:14:55.12 UTC ± 0.05 s`.
 * @param mid ISO 8601, UTC
 * @param sigma seconds, as text; empty where it is not known
 */
export function timeText(mid, sigma) {
  const error = Number(sigma);
  const digits = error > 0 ? Math.max(0, Math.min(9, 1 - Math.floor(Math.log10(error)))) : KNOWN_DIGITS;
  const [whole, part = ""] = mid.replace("Z", "").split(".");
  const unit = 10 ** digits, ticks = Math.round(Number(`0.${part || 0}`) * unit);
  const second = new Date(Date.parse(`${whole}Z`) + (ticks === unit ? 1000 : 0)).toISOString();
  const after = digits ? `.${String(ticks % unit).padStart(digits, "0")}` : "";
  return `${second.slice(0, 10)} ${second.slice(11, 19)}${after} UTC ± ${error > 0 ? error.toFixed(digits) : "?"} s`;
}

export class Frames {
  /** @param about what the server says of the recording: pixels (address), member, frames, width, height */
  constructor(about) {
    this.about = about;
    this.held = new Map(); // number -> { promise, abort, bytes }; the latest used is last
  }

  /** A promise of { number, values, planes, plane, mid, sigma, flags }. */
  load(number) {
    const known = this.held.get(number);
    if (known) {
      this.held.delete(number);
      this.held.set(number, known);
      return known.promise;
    }
    const abort = new AbortController();
    const entry = { abort, bytes: this.about.width * this.about.height * 4, promise: null };
    entry.promise = this.#fetched(number, abort.signal).then((frame) => {
      entry.bytes = frame.values.byteLength;
      entry.abort = null;
      return frame;
    });
    entry.promise.catch(() => this.held.get(number) === entry && this.held.delete(number));
    this.held.set(number, entry);
    this.#forget();
    return entry.promise;
  }

  /** Fetch those that follow; what lies behind and is on its way is not wanted any more. */
  ahead(number, step) {
    for (const [other, one] of this.held) if (one.abort && (other - number) * step < 0) one.abort.abort();
    for (let k = 1; k <= AHEAD; k++) {
      const next = number + k * step;
      if (next >= 0 && next < this.about.frames) this.load(next).catch(() => {});
    }
  }

  #forget() {
    let bytes = 0;
    for (const one of this.held.values()) bytes += one.bytes;
    for (const [oldest, one] of this.held) {
      if (bytes <= KEPT_BYTES || this.held.size <= AHEAD + 2) break;
      bytes -= one.bytes;
      one.abort?.abort();
      this.held.delete(oldest);
    }
  }

  async #fetched(number, signal) {
    const { pixels, member } = this.about;
    const query = member === null ? "" : `?member=${encodeURIComponent(member)}`;
    const answer = await fetch(`${pixels}/${number}/pixels.raw${query}`, { signal, credentials: "same-origin" });
    if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.detail ?? `The service answered ${answer.status}.`);
    const told = (name) => answer.headers.get(`X-Umbra-${name}`) ?? "";
    const Kind = KINDS[told("Dtype")];
    if (!Kind) throw new Error(`Pixels of type ${told("Dtype")} cannot be shown here.`);
    const shape = told("Shape").split(",").map(Number);
    const values = new Kind(await answer.arrayBuffer());
    const planes = shape.length === 3 ? shape[0] : 1;
    return { number, values, planes, plane: planes === 1 ? values : mean(values, planes), mid: told("Mid-Utc"), sigma: told("Sigma"), flags: told("Flags") };
  }
}

function mean(values, planes) {
  const size = values.length / planes;
  const out = new Float32Array(size);
  for (let k = 0; k < planes; k++) for (let i = 0, from = k * size; i < size; i++) out[i] += values[from + i] / planes;
  return out;
}

/** A canvas of the frame's size, grey: by a table of every level, by a formula for floats. */
export class Sheet {
  constructor(width, height) {
    this.canvas = document.createElement("canvas");
    [this.canvas.width, this.canvas.height] = [width, height];
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.pixels = this.context.createImageData(width, height);
    this.words = new Uint32Array(this.pixels.data.buffer);
    this.table = null;
    this.key = "";
  }

  /** @param ends levels that are black and white, or null */
  paint(plane, stretch, ends) {
    const [low, high] = ends ?? [0, 1];
    const span = high > low ? high - low : 1;
    const words = this.words, size = words.length;
    if (plane instanceof Uint8Array || plane instanceof Uint16Array) {
      const levels = plane instanceof Uint8Array ? 256 : 65536;
      const key = `${stretch} ${low} ${high} ${levels}`;
      if (key !== this.key) {
        this.table = new Uint32Array(levels);
        for (let k = 0; k < levels; k++) this.table[k] = grey(k, stretch, low, span);
        this.key = key;
      }
      const table = this.table;
      for (let i = 0; i < size; i++) words[i] = table[plane[i]];
    } else {
      for (let i = 0; i < size; i++) words[i] = grey(plane[i], stretch, low, span);
    }
    this.context.putImageData(this.pixels, 0, 0);
  }
}

function grey(value, stretch, low, span) {
  let unit = (value - low) / span;
  unit = unit > 0 ? (unit < 1 ? unit : 1) : 0; // what is no number is black
  if (stretch === "asinh") unit = Math.asinh(unit / SOFTENING) / Math.asinh(1 / SOFTENING);
  const level = Math.round(unit * 255);
  return 0xff000000 | (level << 16) | (level << 8) | level;
}
