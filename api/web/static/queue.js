// The queue is shown anew every few seconds, but not under the hands of who is at a question or a button of it.

const live = document.getElementById("live");
const busy = () => document.hidden || live.querySelector(".confirm[open], .why[open]") !== null
  || (live.contains(document.activeElement) && document.activeElement.matches("button, summary, a"));
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target === live && busy()) event.preventDefault();
});
