// The panel beside the frame: numbers and charts, which the server makes anew for what is looked at.
import { say } from "./umbra.js";

/** One question at a time; a later one takes the place of one that is on its way. */
export class Panel {
  constructor() {
    this.asking = null;
  }

  /** The panel of an address; null where there is none, which has been said, or where another was asked for since. */
  async ask(url) {
    url.searchParams.set("panel", "1");
    this.asking?.abort();
    const mine = (this.asking = new AbortController());
    let answer, text;
    try {
      answer = await fetch(url, { signal: mine.signal, headers: { "HX-Request": "true" }, credentials: "same-origin" });
      text = await answer.text();
    } catch (error) {
      if (error.name !== "AbortError") say("The service cannot be reached.", "bad");
      return null;
    }
    if (mine.signal.aborted) return null;
    if (answer.headers.has("HX-Redirect")) {
      location.href = answer.headers.get("HX-Redirect");
      return null;
    }
    const page = new DOMParser().parseFromString(text, "text/html");
    const panel = page.getElementById("panel");
    if (!answer.ok || panel === null) {
      say(page.body.textContent.trim() || `The service answered ${answer.status}.`, "bad");
      return null;
    }
    return document.adoptNode(panel);
  }

  /** Put a panel in the place of the one before: what was opened stays open, the focus where it was. */
  static swap(panel) {
    const old = document.getElementById("panel");
    const opened = new Set([...old.querySelectorAll("details[open] > summary")].map((each) => each.textContent));
    for (const each of panel.querySelectorAll("details > summary")) if (opened.has(each.textContent)) each.parentElement.open = true;
    const { activeElement } = document;
    const within = old.contains(activeElement);
    const { name, value, selectionStart: caret } = activeElement;
    const href = activeElement.getAttribute("href");
    const typed = within && activeElement.closest("form[data-radii]") !== null && activeElement.tagName === "INPUT";
    old.replaceWith(panel);
    if (!within) return;
    const again = panel.querySelector(name ? `[name="${name}"]:not([type="hidden"])` : `a[href="${CSS.escape(href ?? "")}"]`);
    again?.focus({ preventScroll: true });
    if (!typed || again === null) return;
    again.value = value; // who types a radius goes on where they are
    again.setSelectionRange(caret, caret);
  }
}
