// What every page does beside its plain HTML: theme without a reload, menus that close, what was done said once.

/** What a change by script sends beside the cookie. */
export const csrf = document.body.dataset.csrf ?? "";

/**
 * Ask the API. Resolves to the answer's JSON (undefined for 204); rejects with an Error whose message is the problem's
 * sentence, and whose `status` is the answer's.
 */
export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (method !== "GET") sent["X-CSRF-Token"] = csrf;
  if (body !== undefined) sent["Content-Type"] = "application/json";
  const answer = await fetch(path, {
    method, signal, headers: sent, credentials: "same-origin",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const kind = answer.headers.get("Content-Type") ?? "";
  const told = kind.includes("json") ? await answer.json() : undefined;
  if (!answer.ok) throw Object.assign(new Error(told?.detail ?? `The service answered ${answer.status}.`), { status: answer.status });
  return told;
}

/** The data that the server put into the page: <script type="application/json" id=...>. */
export function data(id) {
  const block = document.getElementById(id);
  return block === null ? undefined : JSON.parse(block.textContent);
}

/** Say something at the edge of the page, for a while; kind: "", "good" or "bad". */
export function say(text, kind = "") {
  let place = document.querySelector(".toasts");
  if (place === null) {
    place = document.createElement("div");
    place.className = "toasts";
    place.setAttribute("role", "status");
    place.setAttribute("aria-live", "polite");
    document.body.append(place);
  }
  const toast = document.createElement("div");
  toast.className = `toast ${kind ? `toast-${kind}` : ""}`;
  toast.textContent = text;
  place.append(toast);
  setTimeout(() => toast.remove(), kind === "bad" ? 12000 : 6000);
}

/** Whether the page is dark now; `onTheme(f)` calls f when that changes. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
const listeners = new Set();
export function onTheme(listener) { listeners.add(listener); }
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => listeners.forEach((tell) => tell(isDark())));

/** A colour of umbra.css, as it is now: colour("--d"). */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

for (const form of document.querySelectorAll("form[data-theme-switch]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    listeners.forEach((tell) => tell(theme === "dark"));
  });
}

// menus close by Escape, and by a click elsewhere
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// what was done is said once, not again after a reload
const here = new URL(location.href);
if (here.searchParams.has("done")) {
  here.searchParams.delete("done");
  history.replaceState(history.state, "", here);
}
document.querySelector("[data-form-error]")?.focus();

// a form is sent once
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.dataset.themeSwitch !== undefined) return;
  if (form.dataset.sent) event.preventDefault();
  else {
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 10000); // what answers by a file leaves the page as it is
  }
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// <button data-copy="#element">: copies its text, where the browser can
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent.trim());
    say("Copied.", "good");
  });
}

// htmx: changes carry the token, and what went wrong is said
document.addEventListener("htmx:configRequest", (event) => {
  if (csrf) event.detail.headers["X-CSRF-Token"] = csrf;
});
document.addEventListener("htmx:responseError", (event) => {
  const part = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  say(part.body.textContent.trim() || "That did not work.", "bad");
});
document.addEventListener("htmx:sendError", () => say("The service cannot be reached.", "bad"));
