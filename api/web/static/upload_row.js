// A row of the list of uploads.
import { bytes } from "./upload_words.js";

const list = document.getElementById("upload-list");
const said = document.getElementById("upload-said");
const pattern = document.getElementById("upload-row");

// What tells of one file on the page: made by the service for an unfinished upload, or by us.
export class Row {
  constructor(element) {
    this.element = element;
    this.bar = element.querySelector("progress");
    this.sentence = element.querySelector("[data-state]");
    this.buttons = {};
    for (const name of ["pause", "resume", "end"]) this.buttons[name] = element.querySelector(`[data-${name}]`);
  }

  static made(name, size) {
    const element = pattern.content.firstElementChild.cloneNode(true);
    element.querySelector("[data-name]").textContent = name;
    element.querySelector("[data-size]").textContent = bytes(size);
    element.querySelector("progress").setAttribute("aria-label", `${name}: safely arrived`);
    list.prepend(element);
    return new Row(element);
  }

  get name() {
    return this.element.querySelector("[data-name]").textContent;
  }

  // kind: waiting, sending, paused, trouble, arrived, good, bad. Told aloud where the kind changes.
  tell(kind, sentence) {
    const news = this.element.dataset.kind !== kind;
    this.element.dataset.kind = kind;
    this.sentence.textContent = sentence;
    if (news) said.textContent = `${this.name}: ${sentence}`;
  }

  offer(...names) {
    for (const [name, button] of Object.entries(this.buttons)) button.hidden = !names.includes(name);
  }
}
