// The light-curve page: the paper's three curves and guides, to be zoomed, panned and stepped through.

import { onTheme } from "./umbra.js";
import { extentOf, fetchColumns, flagged, nearest, scaleOf } from "./curve_columns.js";
import { FrameView } from "./curve_frame.js";
import { Panel, forgetColours } from "./curve_panels.js";

const LEAST_SAMPLES = 4;
const CLICK_PX = 5;
const ZOOM = 1.6;
const PLAY_MS = 120;
const HEIGHTS = { normalised: 250, target: 130, reference: 130, star: 110 };
const AXES = { top: 34, bottom: 36 };

class Page {
  constructor(root, frameRoot, { header, columns }) {
    this.root = root;
    this.place = root.querySelector("[data-plots]");
    this.status = root.querySelector("[data-status]");
    this.panels = [];
    this.due = false;
    const { time, flags } = columns;
    const named = (...names) => header.flags.filter((one) => names.includes(one.name)).reduce((sum, one) => sum | one.bit, 0);
    const middle = header.event?.middle ?? null;
    this.curve = {
      header, columns,
      edges: header.event?.edges ?? [],
      middle: middle ?? time[0],
      hasMiddle: middle !== null,
      utcLabel: header.axis === "seconds" ? "UTC, mid-exposure" : "frame (times unknown)",
      middleLabel: middle === null ? "seconds from the first sample" : "seconds from mid-event",
      gaps: flagged(flags, named("TIME_GAP")),
      excluded: flagged(flags, header.unusable),
      flagged: flagged(flags, named("SATURATED", "REPEATED", "REFERENCE_SATURATED", "REPAIRED", "PARTIAL_INTEGRATION", "TIME_UNSURE") & ~header.unusable),
      chosen: null,
      view: this.whole(time),
    };
    this.frame = frameRoot ? new FrameView(frameRoot, this.curve) : null;
    this.build();
    this.listen();
    this.choose(this.first(), false);
  }

  whole(time) {
    const last = time[time.length - 1], pad = 0.01 * (last - time[0]) || 1;
    return [time[0] - pad, last + pad];
  }

  first() {
    const { columns, middle } = this.curve;
    const asked = Number(this.root.dataset.frame);
    if (this.root.dataset.frame === "") return nearest(columns.time, middle);
    let best = 0;
    for (let k = 1; k < columns.frame.length; k += 1) {
      if (Math.abs(columns.frame[k] - asked) < Math.abs(columns.frame[best] - asked)) best = k;
    }
    return best;
  }

  /** Panels of what is ticked. */
  build() {
    for (const panel of this.panels) panel.close();
    const { columns } = this.curve;
    const shown = [...this.root.querySelectorAll("input[data-show]:checked")].map((box) => box.dataset.show);
    const full = this.root.querySelector("input[data-full]")?.checked;
    const small = this.place.clientWidth < 600 ? 0.8 : 1;
    const made = shown.filter((name) => columns[name]).map((name) => this.described(name, full));
    this.panels = made.map((of, n) => {
      const where = { top: n === 0, bottom: n === made.length - 1, width: this.place.clientWidth };
      const base = HEIGHTS[of.name] ?? HEIGHTS.star;
      const height = Math.round(base * small) + (where.top ? AXES.top : 0) + (where.bottom ? AXES.bottom : 0);
      return new Panel(this.curve, of, { ...where, height }, this.place);
    });
    for (const panel of this.panels) this.touch(panel.plot.over);
  }

  described(name, full) {
    const { columns } = this.curve;
    const star = name.startsWith("star ") ? name.slice(5) : null;
    const label = star ?? { normalised: "F_N  target / reference", target: "F_T  target", reference: "F_R  reference" }[name];
    const values = columns[name];
    const of = { name, label, values, sigma: columns[`${name}_sigma`] ?? null, range: full ? extentOf(values) : scaleOf(values),
      colour: { normalised: "--point", target: "--target", reference: "--ink" }[name] ?? "--guide" };
    if (name === "normalised") {
      of.named = true;
      of.other = this.other ?? null;
      if (columns.model) of.model = { time: columns.model_line_time, values: columns.model_line, measured: columns.model };
    }
    return of;
  }

  /** Another version beneath, on the same times. */
  lay({ header, columns }) {
    if (header.zero_ns === null || this.curve.header.zero_ns === null) return;
    const shift = Number(BigInt(header.zero_ns) - BigInt(this.curve.header.zero_ns)) * 1e-9;
    this.other = { time: columns.time.map((t) => t + shift), values: columns.normalised };
    this.build();
  }

  /** Show a part of the curve, at the next picture of the screen. */
  show(low, high) {
    const { columns, header } = this.curve;
    const [first, last] = this.whole(columns.time);
    const least = LEAST_SAMPLES * (header.cadence_s ?? 1);
    const span = Math.min(last - first, Math.max(least, high - low));
    const start = Math.min(Math.max(first, (low + high) / 2 - span / 2), last - span);
    this.curve.view = [start, start + span];
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      const [min, max] = this.curve.view;
      for (const panel of this.panels) panel.plot.setScale("x", { min, max });
    });
  }

  zoom(factor, about) {
    const [low, high] = this.curve.view;
    const at = about ?? (low + high) / 2;
    this.show(at - (at - low) * factor, at + (high - at) * factor);
  }

  shift(share) {
    const [low, high] = this.curve.view;
    this.show(low + share * (high - low), high + share * (high - low));
  }

  /** The whole curve, the event, or one of its edges. */
  go(name) {
    const { edges, columns, header } = this.curve;
    const cadence = header.cadence_s ?? 1;
    const asked = edges.filter((edge) => name === "event" || edge.kind === name);
    if (name === "all" || !asked.length) return this.show(...this.whole(columns.time));
    const at = asked.map((edge) => edge.at);
    const wide = Math.max(...asked.map((edge) => edge.sigma ?? 0));
    const length = Math.max(...at) - Math.min(...at);
    const around = name === "event" ? Math.max(0.75 * length, 25 * cadence) : Math.max(12 * cadence, 6 * wide);
    return this.show(Math.min(...at) - around, Math.max(...at) + around);
  }

  /** Look at sample `k`, and keep it in view. */
  choose(k, follow = true) {
    const { columns } = this.curve;
    this.curve.chosen = Math.max(0, Math.min(columns.time.length - 1, k));
    const t = columns.time[this.curve.chosen], [low, high] = this.curve.view;
    if (follow && (t < low || t > high)) this.show(t - (high - low) / 2, t + (high - low) / 2);
    for (const panel of this.panels) panel.place();
    this.frame?.show(this.curve.chosen);
    if (this.status) this.status.textContent = `frame ${columns.frame[this.curve.chosen]}`;
  }

  step(count) {
    this.choose(this.curve.chosen + count);
  }

  listen() {
    this.place.addEventListener("keydown", (event) => this.key(event));
    for (const button of this.root.querySelectorAll("button[data-go]")) {
      if (!["all", "event"].includes(button.dataset.go) && !this.curve.edges.some((edge) => edge.kind === button.dataset.go)) button.hidden = true;
      if (button.dataset.go === "event" && !this.curve.edges.length) button.hidden = true;
      button.addEventListener("click", () => this.go(button.dataset.go));
    }
    for (const button of this.root.querySelectorAll("button[data-zoom]")) {
      button.addEventListener("click", () => this.zoom(button.dataset.zoom === "in" ? 1 / ZOOM : ZOOM));
    }
    for (const box of this.root.querySelectorAll("input[data-show], input[data-full]")) {
      if (box.dataset.show && !this.curve.columns[box.dataset.show]) box.closest("label").hidden = true;
      box.addEventListener("change", () => this.build());
    }
    onTheme(() => {
      forgetColours();
      for (const panel of this.panels) panel.plot.redraw(false, true);
    });
    let width = this.place.clientWidth;
    new ResizeObserver(() => {
      if (this.place.clientWidth === width || !this.place.clientWidth) return;
      width = this.place.clientWidth;
      for (const panel of this.panels) panel.plot.setSize({ width, height: panel.plot.height });
    }).observe(this.place);
    this.player();
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const many = event.shiftKey ? 10 : 1;
    const kinds = this.curve.edges.map((edge) => edge.kind);
    const actions = {
      ArrowLeft: () => this.step(-many), ArrowRight: () => this.step(many),
      PageUp: () => this.shift(-0.5), PageDown: () => this.shift(0.5),
      Home: () => this.choose(0), End: () => this.choose(Infinity),
      "+": () => this.zoom(1 / ZOOM), "=": () => this.zoom(1 / ZOOM), "-": () => this.zoom(ZOOM), 0: () => this.go("all"),
      e: () => this.go("event"), d: () => kinds.includes("D") && this.edge("D"), r: () => kinds.includes("R") && this.edge("R"),
    };
    const action = actions[event.key] ?? actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  }

  edge(kind) {
    this.go(kind);
    this.choose(nearest(this.curve.columns.time, this.curve.edges.find((edge) => edge.kind === kind).at), false);
  }

  /** Pointers on a panel: drag to pan, two fingers or the wheel to zoom, click to look at a sample. */
  touch(over) {
    const held = new Map();
    let began = null;
    const timeAt = (x) => {
      const [low, high] = this.curve.view;
      return low + (x / over.clientWidth) * (high - low);
    };
    const begin = () => {
      began = { view: this.curve.view, places: [...held.values()].map((x) => x), moved: began?.moved ?? 0 };
    };
    const local = (event) => event.clientX - over.getBoundingClientRect().left;
    over.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      if (!held.size) began = null;
      held.set(event.pointerId, local(event));
      over.setPointerCapture(event.pointerId);
      begin();
    });
    over.addEventListener("pointermove", (event) => {
      if (!held.has(event.pointerId)) return;
      held.set(event.pointerId, local(event));
      const now = [...held.values()], [low, high] = began.view, unit = (high - low) / over.clientWidth;
      began.moved = Math.max(began.moved, Math.abs(now[0] - began.places[0]));
      if (now.length === 1 && began.moved > CLICK_PX) {
        const by = (began.places[0] - now[0]) * unit;
        this.show(low + by, high + by);
      } else if (now.length === 2) {
        const apart = Math.max(10, Math.abs(now[1] - now[0])), before = Math.max(10, Math.abs(began.places[1] - began.places[0]));
        const t = low + ((began.places[0] + began.places[1]) / 2) * unit, span = ((high - low) * before) / apart;
        const from = t - (((now[0] + now[1]) / 2) / over.clientWidth) * span;
        this.show(from, from + span);
      }
    });
    const end = (event) => {
      if (!held.delete(event.pointerId)) return;
      if (!held.size && event.type === "pointerup" && began.moved <= CLICK_PX && began.places.length === 1) {
        this.place.focus({ preventScroll: true });
        this.choose(nearest(this.curve.columns.time, timeAt(local(event))), false);
      }
      if (held.size) begin();
    };
    over.addEventListener("pointerup", end);
    over.addEventListener("pointercancel", end);
    over.addEventListener("dblclick", () => this.go("all"));
    over.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey && !this.place.contains(document.activeElement)) return;
      event.preventDefault();
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (sideways) this.shift(event.deltaX / over.clientWidth);
      else this.zoom(Math.exp(event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), timeAt(local(event)));
    }, { passive: false });
  }

  /** A button that plays the frames, as a film of the event. */
  player() {
    const button = document.querySelector("button[data-play]");
    if (!button) return;
    let timer = null;
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = "▶ Play";
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      if (timer !== null) return stop();
      button.textContent = "❚❚ Stop";
      timer = setInterval(() => {
        if (this.curve.chosen >= this.curve.columns.time.length - 1) stop(); else this.step(1);
      }, PLAY_MS);
      return undefined;
    });
    for (const link of document.querySelectorAll("a[data-step]")) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        stop();
        this.step(link.dataset.step === "before" ? -1 : 1);
      });
    }
  }
}

async function start(root) {
  const found = await fetchColumns(root.dataset.columns);
  performance.mark("curve-data");
  root.hidden = false;
  const page = new Page(root, document.getElementById("frame"), found);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    performance.mark("curve-drawn");
    performance.measure("curve", "curve-data", "curve-drawn");
    root.dataset.ready = "yes";
  }));
  for (const plain of document.querySelectorAll("[data-without-curve]")) plain.hidden = true;
  root.umbra = page;
  if (root.dataset.other) page.lay(await fetchColumns(root.dataset.other));
}

const root = document.getElementById("curve");
if (root) {
  start(root).catch((error) => {
    const told = document.querySelector("[data-curve-error]");
    if (told) {
      told.textContent = `${error.message}. The figure below shows the same.`;
      told.hidden = false;
    }
    root.hidden = true;
  });
}
