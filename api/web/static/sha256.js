// SHA-256 (FIPS 180-4) of bytes that come in pieces; crypto.subtle takes only all of them at once.

const ROUND = new Int32Array(64);
const START = new Int32Array(8);

// Fractional parts of the cube and square roots of the first primes (4.2.2 and 5.3.3): 52 bits of a double hold
// 32 of the fraction beside the whole part.
let found = 0;
for (let n = 2; found < 64; n += 1) {
  let prime = true;
  for (let k = 2; k * k <= n; k += 1) prime &&= n % k !== 0;
  if (!prime) continue;
  if (found < 8) START[found] = fraction(Math.sqrt(n));
  ROUND[found] = fraction(Math.cbrt(n));
  found += 1;
}

function fraction(root) {
  return ((root - Math.floor(root)) * 4294967296) | 0;
}

export class Sha256 {
  constructor() {
    this._state = START.slice();
    this._words = new Int32Array(64);
    this._rest = new Uint8Array(64);
    this._held = 0; // bytes in _rest
    this._length = 0; // bytes in all
  }

  // Adds bytes (Uint8Array).
  update(bytes) {
    this._length += bytes.length;
    let at = 0;
    if (this._held) {
      at = Math.min(64 - this._held, bytes.length);
      this._rest.set(bytes.subarray(0, at), this._held);
      this._held += at;
      if (this._held < 64) return this;
      this._blocks(this._rest, 0, 64);
      this._held = 0;
    }
    const end = at + (bytes.length - at - ((bytes.length - at) % 64));
    this._blocks(bytes, at, end);
    this._rest.set(bytes.subarray(end), 0);
    this._held = bytes.length - end;
    return this;
  }

  // 64 hex digits; nothing may be added afterwards.
  hex() {
    const length = this._length;
    const padding = new Uint8Array((this._held < 56 ? 64 : 128) - this._held);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, Math.floor(length / 0x20000000));
    view.setUint32(padding.length - 4, (length << 3) >>> 0);
    this.update(padding);
    return Array.from(this._state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  _blocks(bytes, from, to) {
    const w = this._words;
    let [h0, h1, h2, h3, h4, h5, h6, h7] = this._state;
    for (let at = from; at < to; at += 64) {
      for (let t = 0, p = at; t < 16; t += 1, p += 4) {
        w[t] = (bytes[p] << 24) | (bytes[p + 1] << 16) | (bytes[p + 2] << 8) | bytes[p + 3];
      }
      for (let t = 16; t < 64; t += 1) {
        const x = w[t - 15];
        const y = w[t - 2];
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[t] = (((w[t - 16] + s0) | 0) + ((w[t - 7] + s1) | 0)) | 0;
      }
      let a = h0;
      let b = h1;
      let c = h2;
      let d = h3;
      let e = h4;
      let f = h5;
      let g = h6;
      let h = h7;
      for (let t = 0; t < 64; t += 1) {
        const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const one = (((((h + s1) | 0) + (g ^ (e & (f ^ g)))) | 0) + ((ROUND[t] + w[t]) | 0)) | 0;
        const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const two = (s0 + ((a & b) | (c & (a | b)))) | 0;
        h = g;
        g = f;
        f = e;
        e = (d + one) | 0;
        d = c;
        c = b;
        b = a;
        a = (one + two) | 0;
      }
      h0 = (h0 + a) | 0;
      h1 = (h1 + b) | 0;
      h2 = (h2 + c) | 0;
      h3 = (h3 + d) | 0;
      h4 = (h4 + e) | 0;
      h5 = (h5 + f) | 0;
      h6 = (h6 + g) | 0;
      h7 = (h7 + h) | 0;
    }
    this._state.set([h0, h1, h2, h3, h4, h5, h6, h7]);
  }
}
