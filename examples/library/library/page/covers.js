/** Covers, made of title and author: nothing is loaded from elsewhere, and every book keeps its own. */
import { el } from "./dom.js";

const CLOTHS = 8;
const ORNAMENTS = 4;

/** Make a cover; readers hear title and author beside it. */
export function cover({ title, authors }) {
  const number = hash(`${title}\n${authors[0]}`);
  const classes = `cover cloth-${number % CLOTHS} ornament-${Math.floor(number / CLOTHS) % ORNAMENTS}`;
  const size = title.length > 60 ? "small" : title.length > 24 ? "middle" : "large";
  return el(
    "div",
    { class: classes, "aria-hidden": "true" },
    el("span", { class: `cover-title ${size}` }, title),
    el("span", { class: "cover-author" }, authors[0]),
  );
}

/** FNV-1a, its upper half mixed into the lower. */
function hash(text) {
  let state = 0x811c9dc5;
  for (const one of text) {
    state = Math.imul(state ^ one.codePointAt(0), 0x01000193) >>> 0;
  }
  return (state ^ (state >>> 15)) >>> 0;
}
