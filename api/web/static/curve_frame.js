// The frame that is looked at: cut-outs of the stars and the values of that sample.

import { minus, plusMinus, utcText } from "./curve_columns.js";

const TIME_DIGITS = 6; // a curve has its times to a microsecond
const UNKNOWN_DIGITS = 3;
const UNITS = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];

/** Decimals of a second that show two digits of an error. */
function digitsOf(sigma) {
  return sigma > 0 && Number.isFinite(sigma) ? Math.max(0, Math.min(TIME_DIGITS, 1 - Math.floor(Math.log10(sigma)))) : UNKNOWN_DIGITS;
}

/** A short time to two digits: `50 ns`. */
function spanText(seconds) {
  const [unit, name] = UNITS.find(([one]) => seconds >= 0.9995 * one) ?? UNITS.at(-1);
  return `${Number((seconds / unit).toPrecision(2))} ${name}`;
}

export class FrameView {
  constructor(root, curve) {
    this.root = root;
    this.curve = curve;
    this.pictures = [...root.querySelectorAll("img[data-star]")];
    this.waiting = null;
    for (const picture of this.pictures) {
      picture.addEventListener("error", () => this.missing(picture, true));
      picture.addEventListener("load", () => this.missing(picture, false));
    }
    for (const choice of root.querySelectorAll("select[data-role]")) {
      choice.addEventListener("change", () => {
        const picture = root.querySelector(`img[data-role="${choice.dataset.role}"]`);
        picture.dataset.star = choice.value;
        this.show(this.curve.chosen);
      });
    }
    for (const button of root.querySelectorAll("[data-plain]")) button.hidden = true;
  }

  missing(picture, is) {
    const told = picture.parentElement.querySelector("[data-missing]");
    if (told) told.hidden = !is;
    picture.classList.toggle("is-missing", is);
  }

  /** Show sample `k`: its values at once, its pictures as they come. */
  show(k) {
    const { columns, header } = this.curve;
    const frame = columns.frame[k];
    const set = (name, text) => {
      const cell = this.root.querySelector(`[data-value="${name}"]`);
      if (cell) cell.textContent = text;
    };
    const adu = (name) => {
      const median = header.medians_adu[name];
      return median === null ? "not measured" : plusMinus(columns[name][k] * median, columns[`${name}_sigma`][k] * median);
    };
    set("frame", String(frame));
    set("utc", header.axis === "seconds" ? this.when(k) : "unknown");
    set("after", header.axis === "seconds" && this.curve.hasMiddle ? `${signed(columns.time[k] - this.curve.middle)} s` : "–");
    set("normalised", plusMinus(columns.normalised[k], columns.normalised_sigma[k]));
    set("target", adu("target"));
    set("reference", adu("reference"));
    set("model", columns.model ? minus(columns.model[k].toFixed(4)) : "–");
    set("flags", this.flags(columns.flags[k]));
    for (const cell of this.root.querySelectorAll("[data-only-plain]")) cell.hidden = true;
    this.links(k);
    this.draw(Math.floor(frame));
  }

  when(k) {
    const { columns, header } = this.curve;
    const sigma = columns.time_sigma[k];
    const text = utcText(header, columns.time[k], digitsOf(sigma));
    return sigma >= 0 ? `${text} ± ${spanText(sigma)}` : text;
  }

  flags(bits) {
    const names = this.curve.header.flags.filter((one) => bits & one.bit).map((one) => one.name.toLowerCase().replaceAll("_", " "));
    return names.join(", ") || "none: good";
  }

  links(k) {
    const { frame } = this.curve.columns;
    const here = new URL(location.href);
    for (const [name, step] of [["before", -1], ["after", 1]]) {
      const link = this.root.querySelector(`a[data-step="${name}"]`);
      if (!link) continue;
      const to = Math.max(0, Math.min(frame.length - 1, k + step));
      here.searchParams.set("frame", String(frame[to]));
      link.href = `${here.pathname}${here.search}#frame`;
    }
    here.searchParams.set("frame", String(frame[k]));
    history.replaceState(history.state, "", `${here.pathname}${here.search}${location.hash}`);
    const typed = this.root.querySelector("input[name=frame]");
    if (typed && document.activeElement !== typed) typed.value = String(frame[k]);
  }

  /** One request for each star at a time: of fast steps, the last one counts. */
  draw(frame) {
    for (const picture of this.pictures) {
      const address = `${picture.dataset.path}${picture.dataset.star}/${frame}.png${picture.dataset.query}`;
      if (picture.dataset.wanted === address) continue;
      picture.dataset.wanted = address;
      picture.alt = `${picture.dataset.role} ${picture.dataset.star} at frame ${frame}`;
      if (!picture.dataset.busy) this.load(picture);
    }
  }

  load(picture) {
    const address = picture.dataset.wanted;
    picture.dataset.busy = "yes";
    const next = new Image();
    const ended = (known) => {
      delete picture.dataset.busy;
      if (known) picture.src = address; else this.missing(picture, true);
      if (picture.dataset.wanted !== address) this.load(picture);
    };
    next.addEventListener("load", () => ended(true));
    next.addEventListener("error", () => ended(false));
    next.src = address;
  }
}

function signed(value) {
  const text = value.toFixed(4);
  return value > 0 ? `+${text}` : minus(text);
}
