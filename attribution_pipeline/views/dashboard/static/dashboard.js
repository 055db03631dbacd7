// What a page can't do without a script: keep the chosen theme, copy a command, submit a choice, show
// what takes longer when it is there. Nothing is read from or sent to anywhere but this page's server.
"use strict";
const KEY = "attribution-theme";
function applied(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
try { applied(localStorage.getItem(KEY)); } catch { /* a browser that keeps nothing */ }
const AGAIN_MS = 250;
async function late() {
  if (!document.querySelector("[data-later]")) return;
  const answer = await fetch(location.href);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const waits of document.querySelectorAll("[data-later]")) {
    const found = page.getElementById(waits.id);
    if (found && !found.hasAttribute("data-later")) waits.replaceWith(found);
    if (!found) { location.reload(); return; }
  }
  setTimeout(late, AGAIN_MS);
}
document.addEventListener("DOMContentLoaded", () => {
  setTimeout(late, AGAIN_MS);
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
  for (const select of document.querySelectorAll("[data-submit]")) {
    select.addEventListener("change", () => select.form.submit());
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
