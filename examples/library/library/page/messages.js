/** What is told in passing, where it is seen and heard: in the dialog that is open, or else below the page. */
import { el } from "./dom.js";
import { explain } from "./words.js";

const SHOWN_MS = 10_000;

// A reader only announces what changes inside a region that was there before.
for (const region of document.querySelectorAll(".messages")) {
  region.append(el("div", { role: "status" }), el("div", { role: "alert" }));
}

export function tell(text) {
  show(0, "told", text);
}

export function complain(error) {
  if (error.name === "AbortError") {
    return;
  }
  show(1, "wrong", explain(error));
}

export function hush() {
  document.querySelectorAll(".messages > *").forEach((place) => place.replaceChildren());
}

/** Do something, and tell it if it goes wrong. */
export async function attempt(act) {
  try {
    return await act();
  } catch (error) {
    complain(error);
    return undefined;
  }
}

function show(place, kind, text) {
  hush();
  const inDialogs = [...document.querySelectorAll("dialog[open] .messages")];
  const region = inDialogs.at(-1) ?? document.querySelector("body > .messages");
  const close = el("button", { type: "button", class: "close", "aria-label": "Dismiss" }, "✕");
  const message = el("p", { class: kind }, el("span", {}, text), close);
  close.addEventListener("click", () => message.remove());
  region.children[place].replaceChildren(message);
  if (kind === "told") {
    setTimeout(() => message.contains(document.activeElement) || message.remove(), SHOWN_MS);
  }
}
