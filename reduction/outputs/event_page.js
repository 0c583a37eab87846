"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const canvas = document.getElementById("plot");
const tip = document.getElementById("tip");
const pen = canvas.getContext("2d");
const margin = { left: 58, right: 14, top: 12, bottom: 34 };
const full = { low: data.time[0], high: data.time[data.time.length - 1] };
let view = { low: full.low, high: full.high };
let dragged = null;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const width = () => canvas.clientWidth - margin.left - margin.right;
const height = () => canvas.clientHeight - margin.top - margin.bottom;
const across = (t) => margin.left + ((t - view.low) / (view.high - view.low)) * width();
const up = (f) => margin.top + ((data.top - f) / (data.top - data.bottom)) * height();
const timeAt = (x) => view.low + ((x - margin.left) / width()) * (view.high - view.low);

function firstAtOrAfter(times, t) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < t) low = middle + 1; else high = middle;
  }
  return low;
}

function clock(t, digits) {
  if (data.zero_ms === null) return t.toFixed(digits) + " s";
  const whole = Math.floor(t + 1e-9);
  const text = new Date(data.zero_ms + whole * 1000).toISOString().slice(11, 19);
  return digits ? text + Math.abs(t - whole).toFixed(digits).slice(1) : text;
}

function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough);
  const out = [];
  for (let k = Math.ceil(low / step); k * step <= high; k += 1) out.push(k * step);
  return { at: out, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function axes() {
  pen.strokeStyle = colour("--rule");
  pen.fillStyle = colour("--faint");
  pen.lineWidth = 1;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  const flux = ticks(data.bottom, data.top, 6);
  for (const f of flux.at) {
    pen.beginPath(); pen.moveTo(margin.left, up(f)); pen.lineTo(margin.left + width(), up(f)); pen.stroke();
    pen.fillText(f.toFixed(flux.digits), margin.left - 7, up(f));
  }
  pen.textAlign = "center";
  pen.textBaseline = "top";
  const time = ticks(view.low, view.high, Math.max(3, Math.floor(width() / 130)));
  for (const t of time.at) {
    pen.beginPath(); pen.moveTo(across(t), margin.top); pen.lineTo(across(t), margin.top + height()); pen.stroke();
    pen.fillText(clock(t, Math.min(6, time.digits)), across(t), margin.top + height() + 8);
  }
}

function edges() {
  for (const edge of data.edges) {
    pen.fillStyle = colour(edge.kind === "D" ? "--d" : "--r");
    edge.intervals.forEach(([low, high], k) => {
      pen.globalAlpha = [0.30, 0.17, 0.10][k];
      pen.fillRect(across(low), margin.top, Math.max(1, across(high) - across(low)), height());
    });
    pen.globalAlpha = 1;
    pen.fillRect(across(edge.at) - 0.5, margin.top, 1, height());
  }
}

function line(times, values, style, dash) {
  pen.strokeStyle = style;
  pen.setLineDash(dash);
  pen.lineWidth = 1.5;
  pen.beginPath();
  const from = Math.max(0, firstAtOrAfter(times, view.low) - 1);
  const to = Math.min(times.length, firstAtOrAfter(times, view.high) + 1);
  for (let k = from, begun = false; k < to; k += 1) {
    if (values[k] === null) { begun = false; continue; }
    if (begun) pen.lineTo(across(times[k]), up(values[k])); else pen.moveTo(across(times[k]), up(values[k]));
    begun = true;
  }
  pen.stroke();
  pen.setLineDash([]);
}

function points() {
  const from = firstAtOrAfter(data.time, view.low), to = firstAtOrAfter(data.time, view.high);
  const few = to - from < 1200;
  for (let k = from; k < to; k += 1) {
    if (data.flux[k] === null) continue;
    const x = across(data.time[k]), y = up(data.flux[k]);
    pen.fillStyle = pen.strokeStyle = colourOfPoint[data.usable[k] ? 1 : 0];
    if (few && data.usable[k]) {
      pen.globalAlpha = 0.55;
      const sigma = data.sigma[k] === null ? 0 : data.sigma[k];
      pen.beginPath(); pen.moveTo(x, up(data.flux[k] - sigma)); pen.lineTo(x, up(data.flux[k] + sigma));
      const half = data.half[k];
      pen.moveTo(across(data.time[k] - half), y); pen.lineTo(across(data.time[k] + half), y); pen.stroke();
      pen.globalAlpha = 1;
    }
    const size = few ? 2.4 : 1.2;
    pen.beginPath(); pen.arc(x, y, size, 0, 2 * Math.PI); pen.fill();
  }
}

let colourOfPoint = ["", ""];
function draw() {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = "12px system-ui, sans-serif";
  colourOfPoint = [colour("--left-out"), colour("--line")];
  axes();
  pen.save();
  pen.beginPath(); pen.rect(margin.left, margin.top, width(), height()); pen.clip();
  edges();
  if (data.other) line(data.other.time, data.other.flux, colour("--other"), []);
  points();
  line(data.model.time, data.model.flux, colour("--model"), []);
  line(data.time, data.measured, colour("--model"), [4, 4]);
  pen.restore();
}

function show(low, high) {
  const least = 4 * data.cadence, span = Math.min(full.high - full.low, Math.max(least, high - low));
  const middle = (low + high) / 2;
  const start = Math.min(Math.max(full.low, middle - span / 2), full.high - span);
  view = { low: start, high: start + span };
  draw();
}

function nearest(x, y) {
  let best = null, far = 20 * 20;
  const from = firstAtOrAfter(data.time, timeAt(x - 20)), to = firstAtOrAfter(data.time, timeAt(x + 20));
  for (let k = from; k < to; k += 1) {
    if (data.flux[k] === null) continue;
    const distance = (across(data.time[k]) - x) ** 2 + (up(data.flux[k]) - y) ** 2;
    if (distance < far) { far = distance; best = k; }
  }
  return best;
}

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const t = timeAt(event.offsetX), factor = Math.exp(0.0015 * event.deltaY);
  show(t - (t - view.low) * factor, t + (view.high - t) * factor);
}, { passive: false });
canvas.addEventListener("pointerdown", (event) => {
  dragged = { x: event.offsetX, low: view.low, high: view.high };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointerup", () => { dragged = null; });
canvas.addEventListener("pointermove", (event) => {
  if (dragged) {
    const moved = ((dragged.x - event.offsetX) / width()) * (dragged.high - dragged.low);
    show(dragged.low + moved, dragged.high + moved);
    return;
  }
  const k = nearest(event.offsetX, event.offsetY);
  tip.hidden = k === null;
  if (k === null) return;
  const sigma = data.sigma[k] === null ? "" : " ± " + data.sigma[k].toPrecision(2);
  tip.textContent = "frame " + data.frame[k] + " · " + clock(data.time[k], 6) + " · flux " +
    data.flux[k].toFixed(4) + sigma + " · model " + data.measured[k].toFixed(4) +
    (data.usable[k] ? "" : " · left out");
});
canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
canvas.addEventListener("dblclick", () => show(full.low, full.high));
canvas.addEventListener("keydown", (event) => {
  const span = view.high - view.low;
  const steps = { ArrowLeft: [-0.2, -0.2], ArrowRight: [0.2, 0.2], "+": [0.2, -0.2], "-": [-0.4, 0.4] };
  if (event.key === "0") show(full.low, full.high);
  const step = steps[event.key];
  if (step) { event.preventDefault(); show(view.low + step[0] * span, view.high + step[1] * span); }
});
for (const button of document.querySelectorAll("button[data-low]")) {
  button.addEventListener("click", () => show(Number(button.dataset.low), Number(button.dataset.high)));
}
window.addEventListener("resize", draw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
show(data.view[0], data.view[1]);
