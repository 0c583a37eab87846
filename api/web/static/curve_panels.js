// A panel: one curve against time, drawn by uPlot's axes and our own points.

import uPlot from "./islands/uplot.js";
import { clockText, firstAtOrAfter, minus } from "./curve_columns.js";

const DENSE = 6000; // points in view beyond which each pixel shows how many lie on it
const BARS = 1200; // points in view up to which error bars are drawn
const MARKS = 1500; // markers drawn at most
const STEPS = [1, 2, 5];
const CLOCK_STEPS = [];
for (let power = -5; power < 1; power += 1) for (const one of STEPS) CLOCK_STEPS.push(one * 10 ** power);
CLOCK_STEPS.push(10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400);
const FLUX_STEPS = [];
for (let power = -4; power < 7; power += 1) for (const one of STEPS) FLUX_STEPS.push(one * 10 ** power);
const FRAME_STEPS = [];
for (let power = 0; power < 8; power += 1) for (const one of STEPS) FRAME_STEPS.push(one * 10 ** power);

const colours = new Map();

/** A custom property of the page, remembered until the theme changes. */
export function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return colours.get(name);
}

export const forgetColours = () => colours.clear();

const digitsOf = (step) => Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));

/** `rgb()` of any CSS colour, as three numbers. */
function rgb(text) {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  pen.fillStyle = text;
  pen.fillRect(0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data;
}

export class Panel {
  /**
   * @param {object} curve header, columns and what was reckoned of them
   * @param {object} of name, label, values, sigma, colour (a custom property), model, footed, height
   * @param {object} where top: has the axis of seconds from the middle; bottom: has that of UTC
   */
  constructor(curve, of, where, place) {
    this.curve = curve;
    this.of = of;
    this.range = of.range;
    this.canvas = document.createElement("canvas");
    this.counts = new Uint16Array(0);
    this.box = document.createElement("div");
    this.box.className = "curve-panel";
    place.append(this.box);
    this.plot = new uPlot(this.options(where), [curve.columns.time, of.values], this.box);
    this.pick = document.createElement("div");
    this.pick.className = "curve-pick";
    this.pick.hidden = true;
    this.plot.over.append(this.pick);
  }

  options({ top, bottom, width, height }) {
    const text = { stroke: () => colour("--faint"), grid: { stroke: () => colour("--rule"), width: 1 },
      ticks: { stroke: () => colour("--rule"), width: 1, size: 5 }, font: "12px system-ui, sans-serif" };
    const header = this.curve.header;
    const clock = header.axis === "seconds";
    const axes = [
      { ...text, side: 2, show: true, size: bottom ? 32 : 12, space: 92, incrs: clock ? CLOCK_STEPS : FRAME_STEPS,
        label: bottom ? this.curve.utcLabel : undefined, labelSize: 16, labelFont: "12px system-ui, sans-serif",
        values: (_, at, __, ___, step) => at.map((t) => (!bottom ? "" : clock ? clockText(header, t, digitsOf(step)) : String(t))) },
      { ...text, size: 54, space: 34, incrs: FLUX_STEPS, label: this.of.label, labelSize: 22, labelFont: "12px system-ui, sans-serif",
        values: (_, at, __, ___, step) => at.map((f) => minus(f.toFixed(digitsOf(step)))) },
    ];
    if (top && clock) {
      axes.push({ ...text, scale: "x", side: 0, size: 30, space: 78, grid: { show: false }, label: this.curve.middleLabel,
        labelSize: 16, labelFont: "12px system-ui, sans-serif",
        splits: (u, _, low, high, step) => this.aboutMiddle(low, high, u.bbox.width / devicePixelRatio, step),
        values: (_, at) => this.secondsFromMiddle(at) });
    }
    return {
      width, height, padding: [top ? 0 : 6, 30, 0, 0], legend: { show: false },
      scales: { x: { time: false, auto: false, range: (_, low, high) => [low, high], min: this.curve.view[0], max: this.curve.view[1] },
        y: { auto: false, range: () => this.range } },
      cursor: { drag: { x: false, y: false }, sync: { key: "curve" }, points: { show: false }, y: false },
      series: [{}, { paths: () => null, points: { show: false } }],
      axes,
      hooks: { drawAxes: [(u) => this.behind(u)], draw: [(u) => this.draw(u)] },
    };
  }

  /** Round seconds from the middle of the event. */
  aboutMiddle(low, high, width) {
    const rough = ((high - low) * 78) / Math.max(width, 100);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough);
    const { middle } = this.curve, found = [];
    for (let k = Math.ceil((low - middle) / step); middle + k * step <= high; k += 1) found.push(middle + k * step);
    return found;
  }

  secondsFromMiddle(at) {
    const step = at.length > 1 ? at[1] - at[0] : 1;
    return at.map((t) => {
      const text = (t - this.curve.middle).toFixed(digitsOf(step));
      return Number(text) === 0 ? "0" : Number(text) > 0 ? `+${text}` : minus(text);
    });
  }

  /** What lies behind the points: gaps, D and R with their intervals, level 1. */
  behind(u) {
    const pen = u.ctx, { left, top, width, height } = u.bbox;
    pen.save();
    pen.beginPath();
    pen.rect(left, top, width, height);
    pen.clip();
    pen.fillStyle = colour("--curve-gap");
    for (const k of this.seen(this.curve.gaps, u)) {
      if (!k) continue;
      const from = u.valToPos(this.curve.columns.time[k - 1], "x", true);
      pen.fillRect(from, top, Math.max(devicePixelRatio, u.valToPos(this.curve.columns.time[k], "x", true) - from), height);
    }
    for (const edge of this.curve.edges) {
      pen.fillStyle = colour(edge.kind === "D" ? "--d" : "--r");
      edge.intervals.forEach(([low, high], k) => {
        pen.globalAlpha = [0.3, 0.17, 0.1][k];
        const from = u.valToPos(low, "x", true);
        pen.fillRect(from, top, Math.max(1, u.valToPos(high, "x", true) - from), height);
      });
      pen.globalAlpha = 1;
      const at = u.valToPos(edge.at, "x", true);
      pen.fillRect(at - devicePixelRatio / 2, top, devicePixelRatio, height);
      if (this.of.named) {
        pen.font = `700 ${13 * devicePixelRatio}px system-ui, sans-serif`;
        pen.textBaseline = "top";
        pen.textAlign = edge.kind === "D" ? "right" : "left";
        pen.fillText(edge.kind, at + (edge.kind === "D" ? -4 : 4) * devicePixelRatio, top + 4 * devicePixelRatio);
      }
    }
    pen.strokeStyle = colour("--edge");
    pen.lineWidth = devicePixelRatio;
    pen.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    pen.beginPath();
    const level = u.valToPos(1, "y", true);
    pen.moveTo(left, level);
    pen.lineTo(left + width, level);
    pen.stroke();
    pen.restore();
  }

  draw(u) {
    const pen = u.ctx, { left, top, width, height } = u.bbox;
    const [from, to] = this.inView(u);
    pen.save();
    pen.beginPath();
    pen.rect(left, top, width, height);
    pen.clip();
    if (this.of.model) this.model(u, from, to);
    if (this.of.other) this.rings(u, this.of.other, "--guide");
    if (to - from > DENSE) this.density(u, from, to);
    else this.points(u, this.curve.columns.time, this.of.values, this.of.sigma, this.of.colour);
    this.marks(u);
    pen.restore();
    this.place(u);
  }

  inView(u, time = this.curve.columns.time) {
    return [Math.max(0, firstAtOrAfter(time, u.scales.x.min) - 1), Math.min(time.length, firstAtOrAfter(time, u.scales.x.max) + 1)];
  }

  /** Each point of the view with its error, while there are few. */
  points(u, time, values, sigma, name) {
    const pen = u.ctx, [from, to] = this.inView(u, time), count = to - from;
    const x = affine(u, "x"), y = affine(u, "y");
    pen.fillStyle = pen.strokeStyle = colour(name);
    if (sigma && count <= BARS) {
      pen.globalAlpha = count < 300 ? 0.65 : 0.4;
      pen.lineWidth = devicePixelRatio;
      pen.beginPath();
      for (let k = from; k < to; k += 1) {
        if (values[k] !== values[k] || sigma[k] !== sigma[k]) continue;
        const at = x(time[k]);
        pen.moveTo(at, y(values[k] - sigma[k]));
        pen.lineTo(at, y(values[k] + sigma[k]));
      }
      pen.stroke();
      pen.globalAlpha = 1;
    }
    const size = (count < 300 ? 4.5 : count < 1500 ? 3.2 : 2) * devicePixelRatio, half = size / 2;
    const { top, height } = u.bbox;
    for (let k = from; k < to; k += 1) {
      const value = values[k];
      if (value !== value) continue;
      const place = Math.min(top + height - half, Math.max(top + half, y(value)));
      pen.fillRect(x(time[k]) - half, place - half, size, size);
    }
  }

  /** Points of another version, wide enough to be seen about those that lie on them. */
  rings(u, { time, values }, name) {
    const pen = u.ctx, [from, to] = this.inView(u, time), count = to - from;
    const x = affine(u, "x"), y = affine(u, "y"), { top, height } = u.bbox;
    const side = (count < 300 ? 9 : count < 1500 ? 6.5 : 4) * devicePixelRatio, half = side / 2;
    pen.strokeStyle = colour(name);
    pen.lineWidth = 1.6 * devicePixelRatio;
    for (let k = from; k < to; k += 1) {
      const value = values[k];
      if (value !== value) continue;
      pen.strokeRect(x(time[k]) - half, Math.min(top + height - half, Math.max(top + half, y(value))) - half, side, side);
    }
  }

  /** Many points: how many lie on each pixel; the lowest and highest of each column stand out always. */
  density(u, from, to) {
    const w = Math.max(2, Math.round(u.bbox.width)), h = Math.max(2, Math.round(u.bbox.height));
    if (this.counts.length !== w * h) {
      this.counts = new Uint16Array(w * h);
      this.canvas.width = w;
      this.canvas.height = h;
      this.image = null;
    }
    const counts = this.counts.fill(0), time = this.curve.columns.time, values = this.of.values;
    const lowest = new Int32Array(w).fill(-1), highest = new Int32Array(w).fill(h);
    const { min, max } = u.scales.x, [bottom, top] = this.range;
    const kx = (w - 2) / (max - min), ky = (h - 2) / (top - bottom);
    let drawn = 0;
    for (let k = from; k < to; k += 1) {
      const value = values[k];
      if (value !== value) continue;
      const px = ((time[k] - min) * kx) | 0;
      if (px < 0 || px > w - 2) continue;
      let py = ((top - value) * ky) | 0;
      if (py < 0) py = 0; else if (py > h - 2) py = h - 2;
      if (py > lowest[px]) lowest[px] = py;
      if (py < highest[px]) highest[px] = py;
      const at = py * w + px;
      counts[at] += 1;
      counts[at + 1] += 1;
      counts[at + w] += 1;
      counts[at + w + 1] += 1;
      drawn += 1;
    }
    this.paint(u, counts, w, h, drawn, lowest, highest);
  }

  paint(u, counts, w, h, drawn, lowest, highest) {
    const pen = this.canvas.getContext("2d");
    this.image ??= pen.createImageData(w, h);
    const pixels = new Uint32Array(this.image.data.buffer).fill(0);
    const [red, green, blue] = rgb(colour(this.of.colour));
    const ink = (blue << 16) | (green << 8) | red;
    const share = Math.max(0.12, Math.min(0.8, 1.1 / Math.sqrt(Math.max(1, drawn / w / 8))));
    const alpha = Uint32Array.from({ length: 256 }, (_, n) => (Math.round(255 * (1 - (1 - share) ** n)) << 24) >>> 0);
    for (let k = 0; k < counts.length; k += 1) {
      const n = counts[k];
      if (n) pixels[k] = alpha[n < 255 ? n : 255] | ink;
    }
    const full = (0xff000000 | ink) >>> 0;
    for (let column = 0; column < w; column += 1) {
      for (const row of [lowest[column], highest[column]]) {
        if (row >= 0 && row < h) pixels[row * w + column] = pixels[row * w + column + (column < w - 1 ? 1 : 0)] = full;
      }
    }
    pen.putImageData(this.image, 0, 0);
    u.ctx.drawImage(this.canvas, u.bbox.left, u.bbox.top);
  }

  /** The fitted light at each instant, and over each exposure where these can be told apart. */
  model(u, from, to) {
    const pen = u.ctx, { time, values, measured } = this.of.model;
    const x = affine(u, "x"), y = affine(u, "y");
    pen.strokeStyle = colour("--model");
    pen.lineWidth = 1.6 * devicePixelRatio;
    pen.beginPath();
    const [first, last] = this.inView(u, time);
    for (let k = first; k < last; k += 1) pen.lineTo(x(time[k]), y(values[k]));
    pen.stroke();
    if (to - from > 90) return;
    const side = 7 * devicePixelRatio;
    pen.lineWidth = 1.2 * devicePixelRatio;
    for (let k = from; k < to; k += 1) {
      pen.strokeRect(x(this.curve.columns.time[k]) - side / 2, y(measured[k]) - side / 2, side, side);
    }
  }

  /** Samples with flags: excluded ones at the foot, others about their point. */
  marks(u) {
    const pen = u.ctx, { top, height } = u.bbox, ratio = devicePixelRatio;
    const x = affine(u, "x"), y = affine(u, "y"), time = this.curve.columns.time;
    pen.lineWidth = 1.4 * ratio;
    pen.strokeStyle = colour("--bad");
    pen.beginPath();
    for (const k of this.seen(this.curve.excluded, u)) {
      const at = x(time[k]), foot = top + height - 8 * ratio;
      pen.moveTo(at - 3 * ratio, foot - 3 * ratio);
      pen.lineTo(at + 3 * ratio, foot + 3 * ratio);
      pen.moveTo(at - 3 * ratio, foot + 3 * ratio);
      pen.lineTo(at + 3 * ratio, foot - 3 * ratio);
    }
    pen.stroke();
    pen.strokeStyle = colour("--warn");
    pen.beginPath();
    for (const k of this.seen(this.curve.flagged, u)) {
      if (this.of.values[k] !== this.of.values[k]) continue;
      const at = x(time[k]), up = y(this.of.values[k]);
      pen.moveTo(at + 5 * ratio, up);
      pen.arc(at, up, 5 * ratio, 0, 2 * Math.PI);
    }
    pen.stroke();
  }

  /** Those of some indices that are in view, thinned out where there are very many. */
  seen(indices, u) {
    const time = this.curve.columns.time, { min, max } = u.scales.x, found = [];
    for (const k of indices) if (time[k] >= min && time[k] <= max) found.push(k);
    const step = Math.ceil(found.length / MARKS);
    return step > 1 ? found.filter((_, n) => n % step === 0) : found;
  }

  /** The line of the sample that is looked at. */
  place(u = this.plot) {
    const { chosen, columns } = this.curve;
    const t = chosen === null ? NaN : columns.time[chosen];
    this.pick.hidden = !(t >= u.scales.x.min && t <= u.scales.x.max);
    if (!this.pick.hidden) this.pick.style.transform = `translateX(${u.valToPos(t, "x")}px)`;
  }

  close() {
    this.plot.destroy();
    this.box.remove();
  }
}

/** Position of a value in canvas pixels; uPlot's own is too slow for a hundred thousand of them. */
function affine(u, scale) {
  const { min, max } = u.scales[scale], { left, top, width, height } = u.bbox;
  if (scale === "x") {
    const k = width / (max - min);
    return (value) => left + (value - min) * k;
  }
  const k = height / (max - min);
  return (value) => top + (max - value) * k;
}
