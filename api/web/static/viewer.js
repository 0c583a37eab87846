// The frame viewer's island: exact pixels of frames on a canvas, stretched here; marks, profiles and all other numbers
// are the server's, which answers with the panel beside the frame.
import { Frames, Sheet } from "./frames.js";
import { say } from "./umbra.js";

const COLOURS = { target: "#ff4d5e", reference: "#35c4ff", guide: "#ffd23f" };
const SETTLED_MS = 160;
const LARGEST = 40;
const ZOOMS = [0, 1, 2, 4, 8];

const viewer = document.getElementById("viewer");
const sheet = viewer.querySelector("[data-sheet]");
const part = (name) => viewer.querySelector(`[data-${name}]`);
const readout = part("readout"), timeline = part("timeline"), play = part("play"), scrub = part("scrub"), rate = part("rate");
let state = JSON.parse(document.getElementById("panel").dataset.state);

const frames = new Frames(state);
const image = new Sheet(state.width, state.height);
let hold = true;
let ends = state.ends;
let stretch = state.stretch;
const stretched = (frame) => image.paint(frame.plane, stretch, ends);

// ---- the sheet: zoom, pan, marks

const canvas = document.createElement("canvas");
canvas.setAttribute("aria-hidden", "true");
const context = canvas.getContext("2d", { alpha: false });
let scale = 0, left = 0, top = 0; // pixels of the page for one of the frame; the frame's place at the upper left corner
let current = null, wanted = state.frame, tool = state.tool, cross = null, direction = 1;

const fitting = () => Math.min(sheet.clientWidth / state.width, sheet.clientHeight / state.height);
let fit = true;

function zoomTo(next, x = sheet.clientWidth / 2, y = sheet.clientHeight / 2) {
  const bounded = Math.min(Math.max(next, fitting() * 0.9), LARGEST);
  left += x / scale - x / bounded;
  top += y / scale - y / bounded;
  scale = bounded;
  fit = Math.abs(scale / fitting() - 1) < 0.01;
  bound();
  draw();
}

function bound() {
  const across = sheet.clientWidth / scale, down = sheet.clientHeight / scale;
  const kept = (at, size, seen) => (seen >= size ? (size - seen) / 2 : Math.min(Math.max(at, 0), size - seen));
  left = kept(left, state.width, across);
  top = kept(top, state.height, down);
}

function place(zoom, centre) {
  fit = zoom === 0;
  scale = zoom === 0 ? fitting() : zoom;
  const [x, y] = zoom === 0 || !centre ? [state.width / 2, state.height / 2] : [centre[0] + 0.5, centre[1] + 0.5];
  left = x - sheet.clientWidth / scale / 2;
  top = y - sheet.clientHeight / scale / 2;
  bound();
}

let drawing = false;
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawNow();
  });
}

function drawNow() {
  const ratio = devicePixelRatio || 1;
  const width = Math.round(sheet.clientWidth * ratio), height = Math.round(sheet.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#05080b";
  context.fillRect(0, 0, width, height);
  if (current) {
    context.imageSmoothingEnabled = scale * ratio < 1;
    context.imageSmoothingQuality = "medium";
    context.setTransform(scale * ratio, 0, 0, scale * ratio, -left * scale * ratio, -top * scale * ratio);
    context.drawImage(image.canvas, 0, 0);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  for (const mark of state.marks) drawMark(mark);
  if (cross && tool !== "look" && document.activeElement === sheet) drawCross();
  for (const link of viewer.querySelectorAll("[data-zoom]")) {
    const zoom = Number(link.dataset.zoom);
    const on = zoom === 0 ? fit : !fit && Math.abs(scale - zoom) < 0.01;
    if (on) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

const across = (x) => (x + 0.5 - left) * scale;
const down = (y) => (y + 0.5 - top) * scale;

function ring(x, y, radius, colour, dash = []) {
  context.setLineDash(dash);
  for (const [width, style] of [[3.4, "rgb(0 0 0 / 55%)"], [1.6, colour]]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
  context.setLineDash([]);
}

function drawMark(mark) {
  const colour = COLOURS[mark.role], x = across(mark.x), y = down(mark.y);
  const [aperture, inner, outer] = state.radii ?? [6, 0, 0];
  const there = state.at === null || state.at === wanted;
  ring(x, y, Math.max(aperture * scale, 5), colour, there ? [] : [4, 3]);
  if (mark.label === state.selected && inner && scale > 0.6) {
    ring(x, y, inner * scale, "rgb(255 255 255 / 65%)", [3, 4]);
    ring(x, y, outer * scale, "rgb(255 255 255 / 65%)", [3, 4]);
  }
  context.font = "600 13px system-ui, sans-serif";
  context.lineWidth = 3;
  context.strokeStyle = "rgb(0 0 0 / 70%)";
  const at = Math.max(aperture * scale, 5) * 0.75 + 4;
  context.strokeText(mark.label, x + at, y - at);
  context.fillStyle = colour;
  context.fillText(mark.label, x + at, y - at);
}

function drawCross() {
  const x = across(cross[0]), y = down(cross[1]);
  context.lineWidth = 1.4;
  context.strokeStyle = COLOURS[tool];
  context.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(x + dx * 6, y + dy * 6);
    context.lineTo(x + dx * 18, y + dy * 18);
  }
  context.stroke();
}

// ---- showing a frame

let settling = 0;
async function show(number, settle = true) {
  wanted = Math.min(Math.max(number, 0), state.frames - 1);
  const step = wanted;
  let frame;
  try {
    frame = await frames.load(step);
  } catch (error) {
    if (error.name !== "AbortError" && wanted === step) say(error.message, "bad");
    if (error.name === "AbortError" && wanted === step) return show(step, settle);
    return false;
  }
  if (wanted !== step) return false;
  current = frame;
  stretched(frame);
  drawNow();
  tell();
  sheet.dataset.frame = String(step);
  frames.ahead(step, direction);
  clearTimeout(settling);
  if (settle) settling = setTimeout(() => go(here()), SETTLED_MS);
  return true;
}

function tell() {
  const when = current.mid ? `${current.mid.replace("T", " ").replace("Z", "")} UTC ± ${current.sigma || "?"} s` : "time unknown";
  timeline.textContent = `frame ${current.number} · ${when}${current.flags ? ` · ▲ ${current.flags}` : ""}`;
  scrub.querySelector("input").value = String(current.number);
  document.getElementById("jump-frame").value = String(current.number);
  for (const link of viewer.querySelectorAll("[data-step]")) {
    const none = target(Number(link.dataset.step)) === current.number;
    link.setAttribute("aria-disabled", String(none));
  }
}

/** Address of what is shown, as the server knows it. */
function here() {
  const query = new URLSearchParams(state.query);
  query.set("frame", String(wanted));
  query.set("tool", tool);
  query.delete("black");
  query.delete("white");
  if (hold && ends) {
    query.set("black", ends[0].toPrecision(6));
    query.set("white", ends[1].toPrecision(6));
  }
  for (const name of ["zoom", "cx", "cy"]) query.delete(name);
  if (!fit) {
    const nearest = ZOOMS.slice(1).reduce((a, b) => (Math.abs(Math.log(b / scale)) < Math.abs(Math.log(a / scale)) ? b : a));
    query.set("zoom", String(nearest));
    query.set("cx", (left + sheet.clientWidth / scale / 2 - 0.5).toFixed(0));
    query.set("cy", (top + sheet.clientHeight / scale / 2 - 0.5).toFixed(0));
  }
  return `${location.pathname}?${query}`;
}

// ---- the server's panel

let asking = null;
async function go(address, more = {}) {
  clearTimeout(settling);
  const url = new URL(address, location.href);
  for (const [name, value] of Object.entries(more)) url.searchParams.set(name, value);
  url.searchParams.set("panel", "1");
  asking?.abort();
  const from = wanted;
  const mine = (asking = new AbortController());
  let answer, text;
  try {
    answer = await fetch(url, { signal: mine.signal, headers: { "HX-Request": "true" }, credentials: "same-origin" });
    text = await answer.text();
  } catch (error) {
    if (error.name !== "AbortError") say("The service cannot be reached.", "bad");
    return;
  }
  if (mine.signal.aborted) return;
  if (answer.headers.has("HX-Redirect")) {
    location.href = answer.headers.get("HX-Redirect");
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  const panel = page.getElementById("panel");
  if (!answer.ok || panel === null) {
    say(page.body.textContent.trim() || `The service answered ${answer.status}.`, "bad");
    return;
  }
  swap(document.adoptNode(panel), from);
}

/** @param from the frame that was wanted when the server was asked: who has gone on since is not led back */
function swap(panel, from) {
  const old = document.getElementById("panel");
  const opened = new Set([...old.querySelectorAll("details[open] > summary")].map((each) => each.textContent));
  for (const each of panel.querySelectorAll("details > summary")) if (opened.has(each.textContent)) each.parentElement.open = true;
  const focused = old.contains(document.activeElement) ? [document.activeElement.name, document.activeElement.getAttribute("href")] : null;
  old.replaceWith(panel);
  if (focused) (focused[0] ? panel.querySelector(`[name="${focused[0]}"]:not([type="hidden"])`) : panel.querySelector(`a[href="${CSS.escape(focused[1] ?? "")}"]`))?.focus({ preventScroll: true });
  state = JSON.parse(panel.dataset.state);
  const again = hold && !state.held && state.ends !== null;
  if (state.held || !hold || again) ends = state.ends ?? ends;
  stretch = state.stretch;
  if (state.frame !== from && wanted === from) show(state.frame, false);
  else if (current && current.number === wanted) stretched(current);
  draw();
  const link = document.querySelector("[data-reduce]");
  if (link) link.href = `${link.dataset.reduce}&${new URLSearchParams(state.planned)}`;
  if (wanted === state.frame) history.replaceState(null, "", location.pathname + state.query);
  if (again) settling = setTimeout(() => go(here()), SETTLED_MS);
}

// ---- what is pressed

function choose(next) {
  tool = next;
  sheet.classList.toggle("looking", tool === "look");
  for (const link of viewer.querySelectorAll("[data-tool]")) {
    if (link.dataset.tool === tool) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  if (tool !== "look" && !cross) cross = [Math.round(state.width / 2), Math.round(state.height / 2)];
  draw();
}

function target(step) {
  const ten = Math.max(10, Math.floor(state.frames / 100));
  const number = [0, wanted - ten, wanted - 1, wanted + 1, wanted + ten, state.frames - 1][step];
  return Math.min(Math.max(number, 0), state.frames - 1);
}

function step(count) {
  stop();
  direction = count < 0 ? -1 : 1;
  return show(wanted + count);
}

let playing = false;
async function start() {
  playing = true;
  direction = 1;
  play.textContent = "Pause";
  play.setAttribute("aria-pressed", "true");
  if (wanted >= state.frames - 1) wanted = -1;
  let due = performance.now();
  while (playing && wanted < state.frames - 1) {
    const number = wanted + 1;
    const [shown] = await Promise.all([show(number, false), new Promise((done) => setTimeout(done, Math.max(0, due - performance.now())))]);
    if (!shown && playing) break;
    const perSecond = Number(rate.querySelector("select").value);
    due = Math.max(due, performance.now() - 200) + 1000 * (perSecond ? 1 / perSecond : Math.min(Math.max(state.cadence ?? 0.1, 0.02), 2));
  }
  stop();
  clearTimeout(settling);
  settling = setTimeout(() => go(here()), SETTLED_MS);
}

function stop() {
  playing = false;
  play.textContent = "Play";
  play.setAttribute("aria-pressed", "false");
}

function mark(x, y) {
  go(here(), { x: x.toFixed(2), y: y.toFixed(2), as: tool });
}

function valueAt(x, y) {
  if (!current || x < 0 || y < 0 || x >= state.width || y >= state.height) return "";
  const at = y * state.width + x, size = state.width * state.height;
  const one = (value) => (Number.isInteger(value) ? String(value) : value.toPrecision(6));
  if (current.planes === 1) return `${one(current.values[at])} ADU`;
  return ["R", "G", "B"].map((name, k) => `${name} ${one(current.values[k * size + at])}`).join("  ");
}

function point(x, y) {
  const told = valueAt(x, y);
  readout.textContent = told ? `x ${x}   y ${y}   ${told}` : "\u00a0";
  return told;
}

const pointers = new Map();
let moved = 0, pinch = 0;

sheet.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  sheet.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
  if (pointers.size === 1) moved = 0;
  pinch = 0;
});

sheet.addEventListener("pointermove", (event) => {
  const x = Math.round(left + event.offsetX / scale - 0.5), y = Math.round(top + event.offsetY / scale - 0.5);
  point(x, y);
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const dx = event.offsetX - before[0], dy = event.offsetY - before[1];
  moved += Math.abs(dx) + Math.abs(dy);
  pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
  if (pointers.size === 2) {
    const [a, b] = [...pointers.values()];
    const apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
    if (pinch) zoomTo((scale * apart) / pinch, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    pinch = apart;
  } else if (moved > 5) {
    sheet.classList.add("moving");
    left -= dx / scale;
    top -= dy / scale;
    bound();
    draw();
  }
});

function released(event) {
  if (!pointers.delete(event.pointerId)) return;
  sheet.classList.remove("moving");
  if (event.type === "pointerup" && moved <= 5 && pointers.size === 0) {
    const x = left + event.offsetX / scale - 0.5, y = top + event.offsetY / scale - 0.5;
    if (x < -0.5 || y < -0.5 || x > state.width - 0.5 || y > state.height - 0.5) return;
    const near = state.marks.find((one) => Math.hypot(one.x - x, one.y - y) * scale < 14);
    if (tool !== "look") {
      cross = [Math.round(x), Math.round(y)];
      mark(x, y);
    } else if (near) go(here(), { sel: near.label });
  }
}
sheet.addEventListener("pointerup", released);
sheet.addEventListener("pointercancel", released);
sheet.addEventListener("dblclick", (event) => {
  if (tool === "look") zoomTo(scale * 2, event.offsetX, event.offsetY);
});
sheet.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoomTo(scale * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), event.offsetX, event.offsetY);
}, { passive: false });
sheet.addEventListener("focus", draw);
sheet.addEventListener("blur", draw);

const live = document.createElement("p");
live.className = "hidden";
live.setAttribute("aria-live", "polite");

sheet.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (tool === "look" || event.altKey || event.ctrlKey || event.metaKey) return;
  if (way) {
    const far = event.shiftKey ? 10 : 1;
    cross = [Math.min(Math.max(cross[0] + way[0] * far, 0), state.width - 1), Math.min(Math.max(cross[1] + way[1] * far, 0), state.height - 1)];
    if (across(cross[0]) < 0 || across(cross[0]) > sheet.clientWidth || down(cross[1]) < 0 || down(cross[1]) > sheet.clientHeight) {
      left = cross[0] - sheet.clientWidth / scale / 2;
      top = cross[1] - sheet.clientHeight / scale / 2;
      bound();
    }
    live.textContent = `x ${cross[0]}, y ${cross[1]}: ${point(...cross)}`;
    draw();
  } else if (event.key === "Enter") mark(...cross);
  else return;
  event.preventDefault();
  event.stopPropagation();
});

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  const on = event.target;
  if (on.matches("input, select, textarea")) return;
  if (event.key === " " && on.matches("button, a, summary")) return;
  const acts = {
    ArrowLeft: () => step(event.shiftKey ? -10 : -1), ArrowRight: () => step(event.shiftKey ? 10 : 1),
    ",": () => step(-1), ".": () => step(1), " ": () => (playing ? stop() : start()),
    t: () => choose("target"), r: () => choose("reference"), g: () => choose("guide"), l: () => choose("look"), Escape: () => choose("look"),
    "+": () => zoomTo(scale * 2), "-": () => zoomTo(scale / 2), 0: () => { place(0); draw(); },
  };
  const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  if (event.key !== "Escape") event.preventDefault();
  act();
});

viewer.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  const { tool: chosen, zoom, step: number } = link.dataset;
  if (chosen !== undefined) {
    choose(chosen);
    if (chosen !== "look" && event.detail === 0) sheet.focus();
  } else if (zoom !== undefined) {
    if (zoom === "0") place(0);
    else zoomTo(Number(zoom));
    draw();
  } else if (number !== undefined) {
    stop();
    direction = Number(number) < 3 ? -1 : 1;
    show(target(Number(number)));
  } else if (link.dataset.go !== undefined) {
    const url = new URL(link.href);
    if (link.dataset.hold !== undefined) hold = link.dataset.hold === "yes";
    const asked = new URLSearchParams(here().split("?")[1]);
    if (Number(url.searchParams.get("frame") ?? 0) === state.frame) url.searchParams.set("frame", String(wanted));
    for (const name of ["tool", "zoom", "cx", "cy", ...(link.dataset.hold === undefined ? ["black", "white"] : [])]) {
      if (asked.has(name)) url.searchParams.set(name, asked.get(name));
    }
    go(url);
  } else return;
  event.preventDefault();
});

document.querySelector("[data-best]")?.addEventListener("click", (event) => {
  event.preventDefault();
  say("Looking at frames all over the recording …");
  go(here(), { best: "1" });
});

viewer.addEventListener("submit", (event) => {
  const form = event.target;
  event.preventDefault();
  const sent = new FormData(form);
  if (form.dataset.jump !== undefined) {
    stop();
    show(Number(sent.get("frame")));
    return;
  }
  const url = new URL(location.pathname, location.href);
  const asked = new URLSearchParams(here().split("?")[1]);
  const own = new Set([...form.querySelectorAll("input:not([type=hidden]), select")].map((each) => each.name));
  for (const [name, value] of asked) if (!own.has(name) && !(own.has("stretch") && (name === "black" || name === "white"))) url.searchParams.append(name, value);
  for (const name of own) if (String(sent.get(name) ?? "").trim()) url.searchParams.append(name, String(sent.get(name)));
  go(url);
});

viewer.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-levels]");
  if (form && event.target.name === "stretch") {
    if (event.target.value !== "linear") for (const name of ["black", "white"]) form.elements[name].value = "";
    else if (ends) [form.elements.black.value, form.elements.white.value] = ends.map((level) => level.toPrecision(6));
    form.requestSubmit();
  }
});

viewer.addEventListener("input", (event) => {
  if (event.target.closest("[data-scrub]")) {
    stop();
    show(Number(event.target.value));
    return;
  }
  const form = event.target.closest("form[data-levels]");
  if (!form || event.target.name === "stretch" || !current) return;
  const typed = [form.elements.black, form.elements.white].map((each) => Number(each.value || each.placeholder));
  if (typed.every(Number.isFinite) && typed[1] > typed[0]) {
    [hold, ends] = [true, typed];
    stretched(current);
    draw();
  }
});

play.addEventListener("click", () => (playing ? stop() : start()));

// ---- begin: the plain picture gives its place to the canvas

for (const each of sheet.querySelectorAll("input, svg")) each.remove();
viewer.querySelectorAll("[data-plain]").forEach((each) => each.remove());
sheet.classList.add("live");
sheet.setAttribute("role", "application");
sheet.setAttribute("aria-label", "The frame. Arrow keys move the cross while a marking tool is chosen, Enter marks the star there.");
sheet.append(canvas, live);
for (const each of [play, readout, timeline, scrub, rate, part("keys")]) each.hidden = false;
choose(tool);
place(state.zoom, state.centre);
new ResizeObserver(() => {
  if (fit || scale < fitting()) place(0);
  bound();
  draw();
}).observe(sheet);
if (state.held) ends = state.ends;
show(state.frame, false);
