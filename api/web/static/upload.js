// Uploads of an observation's files by tus: pause, resume, checksums. What is said to be stored, the service has said.
// Without this the form sends the files as it is.
import { CheckedStack, digestOf } from "./upload_checked.js";
import { Leave } from "./upload_node.js";
import { Row } from "./upload_row.js";
import { bytes, isUnreadable, lasting, reason, share, statusOf } from "./upload_words.js";

const RETRIES = [500, 1000, 2000, 4000, 8000, 15000, ...Array(120).fill(30000)]; // about an hour
const AT_ONCE = 2;
const SMALLEST = 256 << 10;
const LARGEST = 32 << 20;
const FIRST = 1 << 20;
const PIECE_S = 2; // a broken line costs about as much
const RATE_S = 15;
const PASSING = new Set([0, 408, 409, 423, 429, 460]);

const section = document.getElementById("upload");
const { observation, csrf, uploads, hashing } = section.dataset;
const largest = Number(section.dataset.largest);
const form = section.querySelector("form");
const input = form.querySelector("input[type=file]");
const list = document.getElementById("upload-list");
const said = document.getElementById("upload-said");
const by = form.querySelector("[data-by]");
const sendings = new Set();
let screen = null; // the lock that keeps it on
let asking = false;

class Sending {
  constructor(file, role, row, known, node) {
    Object.assign(this, { file, role, row, known, node, state: "waiting", samples: [], digest: null });
    this.leave = node ? new Leave(node, uploads, csrf) : null;
    this.upload = new tus.Upload(file, {
      endpoint: uploads,
      uploadUrl: known,
      chunkSize: FIRST,
      headers: { "X-CSRF-Token": csrf },
      metadata: { observation, role, filename: file.name, modified: String(file.lastModified) },
      storeFingerprintForResuming: false,
      retryDelays: RETRIES,
      httpStack: new CheckedStack(),
      onShouldRetry: (error) => this.again(error),
      onUploadUrlAvailable: () => this.begun(),
      onChunkComplete: (size, accepted) => this.arrived(size, accepted),
      onError: (error) => this.failed(error),
      onSuccess: () => this.whole(),
    });
    row.buttons.pause.addEventListener("click", () => this.pause());
    row.buttons.resume.addEventListener("click", () => this.resume());
    row.tell("waiting", "Waits for its turn.");
    row.offer("pause", "end");
  }

  async start() {
    this.state = "sending";
    this.samples = [];
    this.piece = performance.now();
    this.digest ??= digestOf(this.file, hashing);
    this.row.offer("pause", "end");
    this.row.tell("sending", this.known ? "Asks the service where to go on." : "Begins.");
    if (this.leave) {
      try {
        this.known = await this.leave.direct(this.upload.options, this.file.size, this.known);
        this.row.element.dataset.upload = this.known.split("/").pop();
      } catch (error) {
        if (this.state === "sending") this.failed(error, "");
        return;
      }
      if (this.state !== "sending") return;
    }
    this.upload.start();
  }

  begun() {
    const { url } = this.upload;
    if (this.known && new URL(url, location.href).pathname !== new URL(this.known, location.href).pathname) {
      this.row.tell("sending", "What had arrived was no longer kept: it begins anew.");
    }
    this.known = new URL(url, location.href).pathname;
    this.row.element.dataset.upload = url.split("/").pop();
  }

  arrived(size, accepted) {
    const at = performance.now();
    const seconds = (at - this.piece) / 1000;
    this.piece = at;
    const fitting = this.upload.options.chunkSize * (seconds < PIECE_S / 2 ? 2 : seconds > PIECE_S * 2 ? 0.5 : 1);
    this.upload.options.chunkSize = Math.min(LARGEST, Math.max(SMALLEST, fitting));
    this.samples.push([at, accepted]);
    while (this.samples.length > 2 && at - this.samples[0][0] > RATE_S * 1000) this.samples.shift();
    if (this.state === "sending") this.progress(accepted);
  }

  progress(accepted) {
    const total = this.file.size;
    this.row.bar.max = Math.max(1, total);
    this.row.bar.value = accepted;
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    const rate = last[0] > first[0] ? (1000 * (last[1] - first[1])) / (last[0] - first[0]) : 0;
    const pace = rate ? `, ${bytes(rate)}/s, about ${lasting((total - accepted) / rate)} left` : "";
    this.row.tell("sending", `${bytes(accepted)} of ${bytes(total)} have arrived (${share(accepted, total)})${pace}`);
  }

  again(error) {
    const status = statusOf(error);
    this.piece = performance.now();
    if (isUnreadable(error) || !(PASSING.has(status) || status >= 500)) return false;
    this.upload.options.chunkSize = Math.max(SMALLEST, this.upload.options.chunkSize / 2);
    this.row.tell("trouble", `It goes on by itself: ${reason(error, this.node)}. What has arrived is kept.`);
    return true;
  }

  failed(error, node = this.node) {
    this.state = "stopped";
    this.row.tell("bad", `Stopped: ${reason(error, node)}.`);
    this.row.offer("resume", "end");
    next();
  }

  // The line is back: not waiting for the next attempt.
  async hurry() {
    await this.upload.abort();
    this.upload.start();
  }

  async pause() {
    this.state = "paused";
    await this.upload.abort();
    this.row.tell("paused", "Paused. What has arrived is kept; you may close the page and go on another time.");
    this.row.offer("resume", "end");
    next();
  }

  resume() {
    this.state = "waiting";
    this.row.tell("waiting", "Waits for its turn.");
    this.row.offer("pause", "end");
    next();
  }

  // All bytes are there; what becomes of them, the service tells.
  async whole() {
    this.state = "arrived";
    this.row.bar.max = this.row.bar.value = Math.max(1, this.file.size);
    this.row.offer();
    const there = `Kept at the node ${this.node}, which hands it over; you may close the page.`;
    this.row.tell("arrived", this.leave ? there : "All bytes have arrived; the service is storing them.");
    next();
    const found = await this.settled();
    this.state = "done";
    guard();
    if (found.state === "refused") {
      this.row.tell("bad", `Not stored: ${found.problem}`);
      return;
    }
    document.body.dispatchEvent(new CustomEvent("umbra:stored"));
    this.row.tell("arrived", "Stored. Its SHA-256 is being compared with that of your file.");
    this.compare(found.sha256, await this.digest);
  }

  compare(there, here) {
    if (here === null) {
      this.row.tell("good", `Stored. SHA-256 ${there}; that of your file could not be computed here.`);
    } else if (here === there) {
      this.row.tell("good", `Stored; its SHA-256 is that of your file: ${there}`);
    } else {
      this.row.tell("bad", `Stored, but your file is another by now (SHA-256 ${here}, stored ${there}): send it again.`);
    }
  }

  async settled() {
    for (let wait = 500; ; wait = Math.min(5000, 1.5 * wait)) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      try {
        const answer = await fetch(`${uploads}/${this.row.element.dataset.upload}`);
        if (answer.ok) {
          const found = await answer.json();
          if (found.state === "stored" || found.state === "refused") return found;
          if (this.leave) {
            const handed = share(found.received, found.length);
            this.row.tell("arrived", `Kept at the node ${this.node}, handed over ${handed}; you may close the page.`);
            const there = await this.leave.told();
            if (there?.state === "refused") return there;
          }
        } else if (answer.status < 500) {
          return { state: "refused", problem: `the service answered ${answer.status}; reload this page` };
        }
      } catch {
        const where = this.leave ? `Kept at the node ${this.node}.` : "All bytes have arrived.";
        this.row.tell("arrived", `${where} No connection to the service: asking again what became of them.`);
      }
    }
  }

  async stop() {
    this.state = "ended";
    await this.upload.abort();
    await this.leave?.end();
    sendings.delete(this);
    next();
  }
}

// Starts what waits; keeps the screen on, and asks before the page is left, while something is sent.
function next() {
  let busy = [...sendings].filter((one) => one.state === "sending").length;
  for (const one of sendings) {
    if (busy < AT_ONCE && one.state === "waiting") {
      busy += 1;
      one.start();
    }
  }
  guard();
}

function underWay() {
  return [...sendings].some((one) => one.state === "sending" || one.state === "waiting");
}

async function guard() {
  if (!underWay()) {
    screen?.release();
    screen = null;
  } else if (document.visibilityState === "visible" && !asking && (screen?.released ?? true)) {
    asking = true;
    screen = (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null;
    asking = false;
  }
}

// An unfinished upload of the same file, by name, size and, where it is known, its last change.
async function earlier(file) {
  const claimed = new Set([...sendings].map((one) => one.row.element));
  for (const element of list.querySelectorAll("[data-upload]")) {
    const { upload, length, name } = element.dataset;
    if (claimed.has(element) || name !== file.name.trim() || Number(length) !== file.size) continue;
    const url = `${uploads}/${upload}`;
    const answer = await fetch(url, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0" } }).catch(() => null);
    if (!answer?.ok) continue;
    const told = /(?:^|,)\s*modified ([A-Za-z0-9+/=]+)/.exec(answer.headers.get("Upload-Metadata") ?? "");
    if (told && atob(told[1]) !== String(file.lastModified)) continue;
    return { url, row: new Row(element), role: element.dataset.role, node: element.dataset.node ?? "" };
  }
  return null;
}

async function add(file) {
  const role = form.querySelector("[name=sent_as]:checked")?.value ?? "recording";
  if (file.size > largest) {
    const row = Row.made(file.name, file.size);
    row.tell("bad", `Not sent: a file may have ${bytes(largest)} here.`);
    row.offer();
    return;
  }
  const known = await earlier(file);
  const row = known?.row ?? Row.made(file.name, file.size);
  row.element.dataset.name = file.name.trim();
  row.element.dataset.length = file.size;
  const node = known?.node ?? by?.querySelector("select").value ?? "";
  sendings.add(new Sending(file, known?.role ?? role, row, known?.url ?? null, node));
  next();
}

async function addAll(files) {
  for (const file of files) await add(file);
}

async function end(element) {
  const own = [...sendings].find((one) => one.row.element === element);
  if (!confirm(`Delete what has arrived of ${element.querySelector("[data-name]").textContent}?`)) return;
  await own?.stop();
  const { upload } = element.dataset;
  if (upload) {
    const headers = { "Tus-Resumable": "1.0.0", "X-CSRF-Token": csrf };
    const answer = await fetch(`${uploads}/${upload}`, { method: "DELETE", headers }).catch(() => null);
    if (!answer?.ok && answer?.status !== 404) {
      const why = answer ? `the service answered ${answer.status}` : "there is no connection to the service";
      new Row(element).tell("bad", `Not deleted: ${why}. Reload this page.`);
      return;
    }
  }
  said.textContent = "Deleted.";
  element.remove();
}

function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const folders = items.map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory);
  for (const folder of folders) {
    const row = Row.made(folder.name, 0);
    row.tell("bad", "Not sent: a folder. Pack it into a zip, or choose the files in it.");
    row.offer();
  }
  const names = new Set(folders.map((folder) => folder.name));
  return [...transfer.files].filter((file) => !(names.has(file.name) && file.type === ""));
}

form.classList.add("live");
if (by) by.hidden = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  addAll([...input.files]);
  input.value = "";
});
input.addEventListener("change", () => {
  addAll([...input.files]);
  input.value = "";
});
form.addEventListener("dragover", (event) => {
  event.preventDefault();
  form.classList.add("over");
});
form.addEventListener("dragleave", () => form.classList.remove("over"));
form.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  addAll(dropped(event.dataTransfer));
});
list.addEventListener("click", (event) => {
  if (event.target.closest("[data-end]")) {
    event.preventDefault();
    end(event.target.closest("li"));
  }
});
window.addEventListener("online", () => {
  for (const one of sendings) {
    if (one.state === "stopped") one.resume();
    else if (one.state === "sending" && one.row.element.dataset.kind === "trouble") one.hurry();
  }
});
window.addEventListener("beforeunload", (event) => {
  if (underWay()) event.preventDefault();
});
document.addEventListener("visibilitychange", guard);
if (!globalThis.crypto?.subtle) section.querySelector("[data-unchecked]").hidden = false;
