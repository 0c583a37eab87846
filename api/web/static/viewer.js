// The frame viewer's island: exact pixels of frames on a canvas, stretched here; marks, profiles and all other numbers
// are the server's, which answers with the panel beside the frame.
import { Frames, timeText } from "./frames.js";
import { say } from "./umbra.js";
import { Panel } from "./viewer_panel.js";
import { Picture } from "./viewer_picture.js";
import { listen } from "./viewer_pointing.js";

const SETTLED_MS = 160;
const TYPED_MS = 450;
const ZOOMS = [1, 2, 4, 8];
const APERTURE_STEP = 0.5;

const viewer = document.getElementById("viewer");
const sheet = viewer.querySelector("[data-sheet]");
const part = (name) => viewer.querySelector(`[data-${name}]`);
const readout = part("readout"), timeline = part("timeline"), play = part("play"), scrub = part("scrub"), rate = part("rate");
const picture = new Picture(sheet, JSON.parse(document.getElementById("panel").dataset.state), onDrawn);
const panel = new Panel();
const frames = new Frames(picture.state);
let hold = true, direction = 1, settling = 0;

/** The buttons of the zoom tell which one is on. */
function onDrawn() {
  for (const link of viewer.querySelectorAll("[data-zoom]")) {
    const zoom = Number(link.dataset.zoom);
    current(link, zoom === 0 ? picture.fit : !picture.fit && Math.abs(picture.scale - zoom) < 0.01);
  }
}

function current(link, is) {
  if (is) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}

// ---- showing a frame

async function show(number, settle = true) {
  picture.wanted = Math.min(Math.max(number, 0), picture.state.frames - 1);
  const step = picture.wanted;
  let frame;
  try {
    frame = await frames.load(step);
  } catch (error) {
    if (error.name !== "AbortError" && picture.wanted === step) say(error.message, "bad");
    if (error.name === "AbortError" && picture.wanted === step) return show(step, settle);
    return false;
  }
  if (picture.wanted !== step) return false;
  picture.show(frame);
  tell(frame);
  sheet.dataset.frame = String(step);
  frames.ahead(step, direction);
  clearTimeout(settling);
  if (settle) settleSoon();
  return true;
}

/** Ask for the numbers of what is shown, once nobody steps on. */
function settleSoon(after = SETTLED_MS) {
  clearTimeout(settling);
  settling = setTimeout(() => go(here()), after);
}

function tell(frame) {
  const when = frame.mid ? timeText(frame.mid, frame.sigma) : "time unknown";
  timeline.textContent = `frame ${frame.number} · ${when}${frame.flags ? ` · ▲ ${frame.flags}` : ""}`;
  scrub.querySelector("input").value = String(frame.number);
  document.getElementById("jump-frame").value = String(frame.number);
  for (const link of viewer.querySelectorAll("[data-step]")) {
    link.setAttribute("aria-disabled", String(stepTo(Number(link.dataset.step)) === frame.number));
  }
}

/** Address of what is shown, as the server knows it. */
function here() {
  const query = new URLSearchParams(picture.state.query);
  query.set("frame", String(picture.wanted));
  query.set("tool", picture.tool);
  for (const name of ["black", "white", "zoom", "cx", "cy"]) query.delete(name);
  if (hold && picture.ends) {
    query.set("black", picture.ends[0].toPrecision(6));
    query.set("white", picture.ends[1].toPrecision(6));
  }
  if (!picture.fit) {
    const off = (zoom) => Math.abs(Math.log(zoom / picture.scale));
    query.set("zoom", String(ZOOMS.reduce((a, b) => (off(b) < off(a) ? b : a))));
    const [x, y] = picture.centre;
    query.set("cx", x.toFixed(0));
    query.set("cy", y.toFixed(0));
  }
  return `${location.pathname}?${query}`;
}

// ---- the server's panel

async function go(address, more = {}) {
  clearTimeout(settling);
  const url = new URL(address, location.href);
  for (const [name, value] of Object.entries(more)) url.searchParams.set(name, value);
  const from = picture.wanted;
  const found = await panel.ask(url);
  if (found !== null) take(found, from);
}

/** @param from the frame that was wanted when the server was asked: who has gone on since is not led back */
function take(found, from) {
  Panel.swap(found);
  const state = JSON.parse(found.dataset.state);
  picture.state = state;
  const again = hold && !state.held && state.ends !== null;
  if (state.held || !hold || again) picture.ends = state.ends ?? picture.ends;
  if (state.frame !== from && picture.wanted === from) show(state.frame, false);
  else if (picture.frame && picture.frame.number === picture.wanted) picture.stretched();
  picture.draw();
  const link = document.querySelector("[data-reduce]");
  if (link) link.href = `${link.dataset.reduce}&${new URLSearchParams(state.planned)}`;
  if (picture.wanted === state.frame) history.replaceState(null, "", location.pathname + state.query);
  if (again) settleSoon();
}

// ---- what is pressed

function choose(next) {
  picture.tool = next;
  sheet.classList.toggle("looking", next === "look");
  for (const link of viewer.querySelectorAll("[data-tool]")) current(link, link.dataset.tool === next);
  const { width, height } = picture.state;
  if (next !== "look") picture.cross ??= [Math.round(width / 2), Math.round(height / 2)];
  picture.draw();
}

function stepTo(step) {
  const { frames: count } = picture.state, last = count - 1, ten = Math.max(10, Math.floor(count / 100));
  const number = [0, picture.wanted - ten, picture.wanted - 1, picture.wanted + 1, picture.wanted + ten, last][step];
  return Math.min(Math.max(number, 0), last);
}

function step(count) {
  stop();
  direction = count < 0 ? -1 : 1;
  return show(picture.wanted + count);
}

let playing = false;
async function start() {
  playing = true;
  direction = 1;
  play.textContent = "Pause";
  play.setAttribute("aria-pressed", "true");
  const last = picture.state.frames - 1;
  if (picture.wanted >= last) picture.wanted = -1;
  let due = performance.now();
  while (playing && picture.wanted < last) {
    const wait = new Promise((done) => setTimeout(done, Math.max(0, due - performance.now())));
    const [shown] = await Promise.all([show(picture.wanted + 1, false), wait]);
    if (!shown && playing) break;
    const perSecond = Number(rate.querySelector("select").value);
    const recorded = Math.min(Math.max(picture.state.cadence ?? 0.1, 0.02), 2);
    due = Math.max(due, performance.now() - 200) + 1000 * (perSecond ? 1 / perSecond : recorded);
  }
  stop();
  settleSoon();
}

function stop() {
  playing = false;
  play.textContent = "Play";
  play.setAttribute("aria-pressed", "false");
}

function point(x, y) {
  const told = picture.valueAt(x, y);
  readout.textContent = told ? `x ${x}   y ${y}   ${told}` : "\u00a0";
  return told;
}

/** Make the aperture of the chosen star larger or smaller. */
function widen(by) {
  const { radii } = picture.state;
  if (radii) go(here(), { a: Math.max(APERTURE_STEP, radii[0] + by).toFixed(2) });
}

listen(picture, {
  mark: (x, y) => go(here(), { x: x.toFixed(2), y: y.toFixed(2), as: picture.tool }),
  select: (label) => go(here(), { sel: label }),
  point,
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
    "+": () => picture.zoomTo(picture.scale * 2), "-": () => picture.zoomTo(picture.scale / 2), 0: () => whole(),
    "[": () => widen(-APERTURE_STEP), "]": () => widen(APERTURE_STEP),
  };
  const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  if (event.key !== "Escape") event.preventDefault();
  act();
});

function whole() {
  picture.place(0);
  picture.draw();
}

viewer.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  const { tool, zoom, step: number } = link.dataset;
  if (tool !== undefined) {
    choose(tool);
    if (tool !== "look" && event.detail === 0) sheet.focus();
  } else if (zoom !== undefined) {
    if (zoom === "0") whole();
    else picture.zoomTo(Number(zoom));
  } else if (number !== undefined) {
    stop();
    direction = Number(number) < 3 ? -1 : 1;
    show(stepTo(Number(number)));
  } else if (link.dataset.go !== undefined) follow(link);
  else return;
  event.preventDefault();
});

/** A link of the panel, with what is seen now. */
function follow(link) {
  const url = new URL(link.href);
  if (link.dataset.hold !== undefined) hold = link.dataset.hold === "yes";
  const asked = new URLSearchParams(here().split("?")[1]);
  const { frame } = picture.state;
  if (Number(url.searchParams.get("frame") ?? 0) === frame) url.searchParams.set("frame", String(picture.wanted));
  for (const name of ["tool", "zoom", "cx", "cy", ...(link.dataset.hold === undefined ? ["black", "white"] : [])]) {
    if (asked.has(name)) url.searchParams.set(name, asked.get(name));
  }
  go(url);
}

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
    else if (picture.ends) [form.elements.black.value, form.elements.white.value] = picture.ends.map((level) => level.toPrecision(6));
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
  if (event.target.closest("form[data-radii]")) settleTyped(event.target.form);
  if (!form || event.target.name === "stretch" || !picture.frame) return;
  const typed = [form.elements.black, form.elements.white].map((each) => Number(each.value || each.placeholder));
  if (typed.every(Number.isFinite) && typed[1] > typed[0]) {
    hold = true;
    picture.ends = typed;
    picture.stretched();
    picture.draw();
  }
});

/** Radii are measured with as they are typed: profile and growth curve follow. */
let typing = 0;
function settleTyped(form) {
  clearTimeout(typing);
  typing = setTimeout(() => form.isConnected && form.requestSubmit(), TYPED_MS);
}

play.addEventListener("click", () => (playing ? stop() : start()));

// ---- begin: the plain picture gives its place to the canvas

for (const each of sheet.querySelectorAll("input, svg")) each.remove();
viewer.querySelectorAll("[data-plain]").forEach((each) => each.remove());
sheet.classList.add("live");
sheet.setAttribute("role", "application");
sheet.setAttribute("aria-label", "The frame. Arrow keys move the cross while a marking tool is chosen, Enter marks the star there.");
sheet.prepend(picture.canvas);
for (const each of [play, readout, timeline, scrub, rate, part("keys")]) each.hidden = false;
choose(picture.tool);
picture.place(picture.state.zoom, picture.state.centre);
new ResizeObserver(() => picture.resized()).observe(sheet);
show(picture.state.frame, false);
