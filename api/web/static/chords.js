// Tables that sort, and the tools of the table of chords: filter, choice of columns, copy, print.
import { say } from "./umbra.js";

const text = (cell) => (cell.dataset.copyText ?? cell.dataset.value ?? cell.innerText).trim().replace(/\s+/g, " ");

/** Name of a column, without its link to the help. */
const named = (head) => (head.querySelector(".sort") ?? head).innerText.trim();

/** What a cell sorts by: a number where it is one; what is empty comes last. */
function key(cell) {
  const value = cell.dataset.value ?? cell.innerText.trim();
  if (value === "" || value === "–") return null;
  const number = Number(value.replace("−", "-").replace(/[°\s]/g, ""));
  return Number.isNaN(number) ? value.toLowerCase() : number;
}

function compare(one, other) {
  if (one === null || other === null) return one === other ? 0 : one === null ? 1 : -1;
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), undefined, { numeric: true });
}

/** Headers become buttons that sort; the first order is kept as the third. */
function sortable(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    const helps = [...head.querySelectorAll("a.help")];
    for (const help of helps) help.remove();
    button.append(...head.childNodes);
    head.append(button, ...helps);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
      const way = next === undefined ? "ascending" : next;
      for (const one of heads) one.removeAttribute("aria-sort");
      if (way !== null) head.setAttribute("aria-sort", way);
      const sign = way === "descending" ? -1 : 1;
      const order = way === null ? rows : [...rows].sort((a, b) => {
        const [one, other] = [key(a.cells[column]), key(b.cells[column])];
        return one === null || other === null ? compare(one, other) : sign * compare(one, other);
      });
      body.append(...order);
    });
  });
}

/** Whether a column is there at first: one with `data-off` is not, with `data-off="narrow"` it is on a wide page alone. */
function atFirst({ off }) {
  return off === undefined || (off === "narrow" && !matchMedia("(max-width: 47.99rem)").matches);
}

/** Columns that are shown: those that fit, or what was chosen here before. */
function columns(table, tools) {
  const heads = [...table.tHead.rows[0].cells];
  const kept = `columns:${table.id}`;
  const stored = JSON.parse(localStorage.getItem(kept) ?? "null");
  const shown = new Set(stored ?? heads.filter((head) => atFirst(head.dataset)).map((head) => head.dataset.key));
  const choice = document.createElement("details");
  choice.className = "menu columns";
  const summary = document.createElement("summary");
  summary.className = "button small";
  summary.textContent = "Columns";
  const list = document.createElement("ul");
  heads.forEach((head, column) => {
    if (column === 0) return;
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = shown.has(head.dataset.key);
    box.addEventListener("change", () => {
      if (box.checked) shown.add(head.dataset.key);
      else shown.delete(head.dataset.key);
      localStorage.setItem(kept, JSON.stringify([...shown]));
      show();
    });
    label.append(box, ` ${named(head)}`);
    const item = document.createElement("li");
    item.append(label);
    list.append(item);
  });
  choice.append(summary, list);
  tools.append(choice);
  function show() {
    for (const row of table.rows) {
      heads.forEach((head, column) => {
        if (column > 0 && row.cells[column]) row.cells[column].hidden = !shown.has(head.dataset.key);
      });
    }
  }
  show();
}

function filter(table, tools) {
  const label = document.createElement("label");
  label.className = "filter";
  const words = document.createElement("span");
  words.className = "hidden";
  words.textContent = "Filter the rows";
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = "Filter: name, camera, state …";
  const count = document.createElement("span");
  count.className = "faint small";
  count.setAttribute("role", "status");
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const row of table.tBodies[0].rows) {
      const all = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => all.includes(word));
      left += row.hidden ? 0 : 1;
    }
    count.textContent = wanted.length ? `${left} of ${table.tBodies[0].rows.length}` : "";
  });
  label.append(words, input);
  tools.prepend(label, count);
}

function button(name, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button small";
  made.textContent = name;
  made.addEventListener("click", action);
  return made;
}

/** What is shown, with tabs between: a spreadsheet takes it as it is. */
function copied(table) {
  return [...table.rows].filter((row) => !row.hidden).map((row) =>
    [...row.cells].filter((cell) => !cell.hidden).map((cell) => (row.parentElement === table.tHead ? named(cell) : text(cell)).trim().replace(/\s+/g, " ")).join("\t")).join("\n");
}

for (const table of document.querySelectorAll("table[data-sortable], table.chords")) sortable(table);
for (const tools of document.querySelectorAll("[data-tools]")) {
  const table = document.getElementById(tools.dataset.tools);
  filter(table, tools);
  if (navigator.clipboard) {
    tools.append(button("Copy", async () => {
      await navigator.clipboard.writeText(copied(table));
      say("Copied; a spreadsheet takes it as it is.", "good");
    }));
  }
  tools.append(button("Print", () => print()));
  columns(table, tools);
}
