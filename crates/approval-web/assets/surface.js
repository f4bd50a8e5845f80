// Small comforts. Every page does without them: nothing is decided, sent or fetched here.
"use strict";

// Time left, counted down from what the server said: the browser's own clock may be wrong.
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function inWords(seconds) {
  const parts = [];
  for (const [length, unit] of UNITS) {
    const count = Math.floor(seconds / length);
    seconds -= count * length;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ");
}

const began = performance.now();
const counted = [...document.querySelectorAll("[data-left]")];

function countDown() {
  const passed = (performance.now() - began) / 1000;
  for (const place of counted) {
    const left = Math.floor(Number(place.dataset.left) - passed);
    place.textContent = left > 0 ? inWords(left) : "no time";
  }
}

if (counted.length > 0) setInterval(countDown, 1000);

// Within a list of plans the arrows go from one to the next. No letters: those belong to whoever reads pages by them.
for (const list of document.querySelectorAll(".plans")) {
  list.addEventListener("keydown", (event) => {
    const plans = [...list.querySelectorAll("li > a")];
    const at = plans.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: plans.length - 1 }[event.key];
    if (at < 0 || plans[to] === undefined || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    plans[to].focus();
  });
}

// A digest at a click. Only where the browser lets a page do so: over https, and on loopback.
if (navigator.clipboard) {
  for (const digest of document.querySelectorAll("code.digest")) {
    const button = document.createElement("button");
    const name = digest.closest("dd")?.previousElementSibling?.textContent ?? "";
    button.type = "button";
    button.className = "quiet copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${name}`.trim());
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(digest.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
    });
    digest.after(" ", button);
  }
}

// One click is enough: a second one would only be told that the form was used.
for (const form of document.querySelectorAll("form[method=post]")) {
  const buttons = form.querySelectorAll("button:not([hidden])");
  const set = (disabled) => buttons.forEach((button) => { button.disabled = disabled; });
  // A key in a field presses a button that sends nothing: see the form.
  form.addEventListener("submit", (event) => {
    if (event.submitter?.formMethod !== "dialog") setTimeout(set, 0, true);
  });
  addEventListener("pageshow", () => set(false));
}
