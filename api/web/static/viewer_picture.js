// The picture of the frame viewer: a frame, stretched, on a canvas, the marks over it, zoom and pan.
import { Sheet } from "./frames.js";

export const COLOURS = { target: "#ff4d5e", reference: "#35c4ff", guide: "#ffd23f" };
const LARGEST = 40;
const GROUND = "#05080b";

export class Picture {
  /**
   * @param {HTMLElement} sheet where it is shown
   * @param {object} state what the server says of the recording, its marks and levels; `viewer.js` gives a newer one
   * @param {Function} drawn called whenever it was drawn
   */
  constructor(sheet, state, drawn) {
    Object.assign(this, { sheet, state, drawn });
    this.tool = state.tool;
    this.ends = state.ends; // levels that are black and white
    this.frame = null;
    this.wanted = state.frame; // number of the frame that is to be shown
    this.cross = null; // where a key would mark a star
    this.scale = 0; // pixels of the page for one of the frame
    this.left = 0; // the frame's place at the upper left corner
    this.top = 0;
    this.fit = true;
    this.due = false;
    this.image = new Sheet(state.width, state.height);
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.pen = this.canvas.getContext("2d", { alpha: false });
  }

  // ---- zoom and pan

  get fitting() {
    return Math.min(this.sheet.clientWidth / this.state.width, this.sheet.clientHeight / this.state.height);
  }

  /** @param x,y the place of the page that stays where it is */
  zoomTo(next, x = this.sheet.clientWidth / 2, y = this.sheet.clientHeight / 2) {
    const bounded = Math.min(Math.max(next, this.fitting * 0.9), LARGEST);
    this.left += x / this.scale - x / bounded;
    this.top += y / this.scale - y / bounded;
    this.scale = bounded;
    this.fit = Math.abs(this.scale / this.fitting - 1) < 0.01;
    this.bound();
    this.draw();
  }

  /** @param zoom 0: all of the frame is seen */
  place(zoom, centre) {
    this.fit = zoom === 0;
    this.scale = this.fit ? this.fitting : zoom;
    this.centreOn(...(this.fit || !centre ? [(this.state.width - 1) / 2, (this.state.height - 1) / 2] : centre));
  }

  centreOn(x, y) {
    this.left = x + 0.5 - this.sheet.clientWidth / this.scale / 2;
    this.top = y + 0.5 - this.sheet.clientHeight / this.scale / 2;
    this.bound();
  }

  /** The middle of what is seen. */
  get centre() {
    return this.at(this.sheet.clientWidth / 2, this.sheet.clientHeight / 2);
  }

  /** Move by pixels of the page. */
  move(dx, dy) {
    this.left -= dx / this.scale;
    this.top -= dy / this.scale;
    this.bound();
    this.draw();
  }

  bound() {
    const kept = (at, size, seen) => (seen >= size ? (size - seen) / 2 : Math.min(Math.max(at, 0), size - seen));
    this.left = kept(this.left, this.state.width, this.sheet.clientWidth / this.scale);
    this.top = kept(this.top, this.state.height, this.sheet.clientHeight / this.scale);
  }

  /** The window has another size. */
  resized() {
    if (this.fit || this.scale < this.fitting) this.place(0);
    this.bound();
    this.draw();
  }

  // ---- places: pixels of the frame, the first one's centre is 0

  at(x, y) {
    return [this.left + x / this.scale - 0.5, this.top + y / this.scale - 0.5];
  }

  across(x) {
    return (x + 0.5 - this.left) * this.scale;
  }

  down(y) {
    return (y + 0.5 - this.top) * this.scale;
  }

  holds(x, y) {
    return x >= -0.5 && y >= -0.5 && x <= this.state.width - 0.5 && y <= this.state.height - 0.5;
  }

  /** Let a place be seen. */
  reveal(x, y) {
    const [across, down] = [this.across(x), this.down(y)];
    if (across < 0 || across > this.sheet.clientWidth || down < 0 || down > this.sheet.clientHeight) this.centreOn(x, y);
  }

  /** The mark within some pixels of the page of a place. */
  markNear(x, y, within) {
    return this.state.marks.find((one) => Math.hypot(one.x - x, one.y - y) * this.scale < within);
  }

  /** Level of a pixel, in words; empty beside the frame. */
  valueAt(x, y) {
    const { width, height } = this.state;
    if (!this.frame || x < 0 || y < 0 || x >= width || y >= height) return "";
    const at = y * width + x;
    const one = (value) => (Number.isInteger(value) ? String(value) : value.toPrecision(6));
    if (this.frame.planes === 1) return `${one(this.frame.values[at])} ADU`;
    return ["R", "G", "B"].map((name, k) => `${name} ${one(this.frame.values[k * width * height + at])}`).join("  ");
  }

  // ---- drawing

  /** Stretch the frame anew. */
  stretched() {
    if (this.frame) this.image.paint(this.frame.plane, this.state.stretch, this.ends);
  }

  show(frame) {
    this.frame = frame;
    this.stretched();
    this.drawNow();
  }

  draw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.drawNow();
    });
  }

  drawNow() {
    const { pen, sheet, canvas } = this, ratio = devicePixelRatio || 1, unit = this.scale * ratio;
    const width = Math.round(sheet.clientWidth * ratio), height = Math.round(sheet.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = GROUND;
    pen.fillRect(0, 0, width, height);
    if (this.frame) {
      pen.imageSmoothingEnabled = unit < 1;
      pen.imageSmoothingQuality = "medium";
      pen.setTransform(unit, 0, 0, unit, -this.left * unit, -this.top * unit);
      pen.drawImage(this.image.canvas, 0, 0);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const mark of this.state.marks) this.drawMark(mark);
    if (this.cross && this.tool !== "look" && document.activeElement === sheet) this.drawCross();
    this.drawn();
  }

  ring(x, y, radius, colour, dash = []) {
    const { pen } = this;
    pen.setLineDash(dash);
    for (const [width, style] of [[3.4, "rgb(0 0 0 / 55%)"], [1.6, colour]]) {
      pen.lineWidth = width;
      pen.strokeStyle = style;
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  /** A ring of the aperture's size, dashed on other frames than the one it was marked on; that of the sky. */
  drawMark(mark) {
    const { pen, scale, state } = this;
    const colour = COLOURS[mark.role], x = this.across(mark.x), y = this.down(mark.y);
    const [aperture, inner, outer] = state.radii ?? [6, 0, 0];
    const there = state.at === null || state.at === this.wanted;
    const radius = Math.max(aperture * scale, 5);
    this.ring(x, y, radius, colour, there ? [] : [4, 3]);
    if (mark.label === state.selected && inner && scale > 0.6) {
      for (const edge of [inner, outer]) this.ring(x, y, edge * scale, "rgb(255 255 255 / 65%)", [3, 4]);
    }
    pen.font = "600 13px system-ui, sans-serif";
    pen.lineWidth = 3;
    pen.strokeStyle = "rgb(0 0 0 / 70%)";
    const beside = radius * 0.75 + 4;
    pen.strokeText(mark.label, x + beside, y - beside);
    pen.fillStyle = colour;
    pen.fillText(mark.label, x + beside, y - beside);
  }

  drawCross() {
    const { pen } = this, x = this.across(this.cross[0]), y = this.down(this.cross[1]);
    pen.lineWidth = 1.4;
    pen.strokeStyle = COLOURS[this.tool];
    pen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(x + dx * 6, y + dy * 6);
      pen.lineTo(x + dx * 18, y + dy * 18);
    }
    pen.stroke();
  }
}
