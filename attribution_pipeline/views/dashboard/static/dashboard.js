// What a page can't do without a script: keep the chosen theme, copy a command, submit a choice, show
// what takes longer when it is there. Nothing is read from or sent to anywhere but this page's server.
"use strict";
const KEY = "attribution-theme";
function applied(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
try { applied(localStorage.getItem(KEY)); } catch { /* a browser that keeps nothing */ }
const AGAIN_MS = 250, SLOWEST_MS = 5000, TRIES = 60;
async function late(wait = AGAIN_MS, left = TRIES) {
  const waiting = document.querySelectorAll("[data-later]");
  if (!waiting.length) return;
  const say = (text) => {
    for (const waits of waiting) (waits.querySelector(".empty") || waits).textContent = text;
  };
  let page = null;
  try {
    const answer = await fetch(location.href);
    const read = new DOMParser().parseFromString(await answer.text(), "text/html");
    const problem = answer.ok ? null : read.querySelector("h1");
    if (problem) { say(problem.textContent); return; }
    if (answer.ok) page = read;
  } catch { /* the server is not there just now */ }
  if (page) {
    for (const waits of waiting) {
      const found = page.getElementById(waits.id);
      if (!found) { location.reload(); return; }
      if (found.hasAttribute("data-later")) continue;
      found.setAttribute("aria-live", "polite");
      waits.replaceWith(found);
    }
  } else {
    say(`the dashboard did not answer: ${left > 1 ? "asking again" : "load the page again"}`);
  }
  const longer = Math.min(wait * (page ? 1.25 : 2), SLOWEST_MS);
  if (left > 1 || page) setTimeout(() => late(longer, page ? TRIES : left - 1), longer);
}
document.addEventListener("DOMContentLoaded", () => {
  setTimeout(() => late(), AGAIN_MS);
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.addEventListener("click", () => {
      const root = document.documentElement;
      const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      applied(dark ? "light" : "dark");
      try { localStorage.setItem(KEY, root.dataset.theme); } catch { /* for this page only */ }
    });
  }
  // a choice with the pointer goes there; one with the keyboard waits for the button, since every press
  // of an arrow key is a change
  for (const select of document.querySelectorAll("[data-submit]")) {
    const go = select.form.querySelector("[data-go]");
    let keyed = false;
    go.hidden = true;
    select.addEventListener("keydown", (event) => { keyed = event.key !== "Tab"; });
    select.addEventListener("pointerdown", () => { keyed = false; });
    select.addEventListener("change", () => {
      if (keyed) go.hidden = false;
      else select.form.submit();
    });
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.parentElement.querySelector("[data-copy-text]").textContent);
      button.querySelector("span").textContent = "Copied";
    });
  }
});
