/** Elements, made one by one: whatever a text contains, it only ever becomes text. */

export const $ = (id) => document.getElementById(id);

/** Make an element. Attributes that are null or false are left out; those that are functions listen. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      made.addEventListener(name.replace(/^on/, ""), value);
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : value);
    }
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/**
 * Make a button that is busy as long as what it does; a second press meanwhile does nothing. Neither does the second
 * half of a double click, which may hit the button that came in the place of the first.
 */
export function button(text, act, { kind, label, ...more } = {}) {
  const made = el("button", { type: "button", class: kind, "aria-label": label, ...more }, text);
  made.addEventListener("click", ({ detail }) => detail < 2 && whileBusy(made, act));
  return made;
}

/** Say that there is nothing, and perhaps where to go. */
export function empty(text, link) {
  return el("p", { class: "empty" }, text, link && el("a", { href: "#/" }, link));
}

/** Mark an element as busy while something goes on. It is not disabled, since that would lose the focus. */
export async function whileBusy(element, act) {
  if (element.getAttribute("aria-busy") === "true") {
    return;
  }
  element.setAttribute("aria-busy", "true");
  try {
    await act();
  } finally {
    element.removeAttribute("aria-busy");
  }
}

/** Put something in the place of what was there; the focus, if it was inside, goes to the same `data-focus`. */
export function replace(old, made) {
  const focused = old.contains(document.activeElement) ? document.activeElement.dataset.focus ?? "" : undefined;
  old.replaceWith(made);
  refocus(made, focused);
}

/** Give an element other children, with the same care for the focus. */
export function refill(element, ...children) {
  const inside = element !== document.activeElement && element.contains(document.activeElement);
  const focused = inside ? document.activeElement.dataset.focus ?? "" : undefined;
  element.replaceChildren(...children.flat().filter(Boolean));
  refocus(element, focused);
}

function refocus(element, focused) {
  if (focused !== undefined) {
    const again = focused && element.querySelector(`[data-focus="${CSS.escape(focused)}"]`);
    const near = again || element.querySelector("button, a, input");
    (near || document.querySelector("dialog[open] h2, .view:not([hidden]) h1"))?.focus();
  }
}

/** Let the close button of a dialog close it, and a click beside it too. */
export function closable(dialog) {
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  let outside = false;
  dialog.addEventListener("pointerdown", (event) => (outside = event.target === dialog));
  dialog.addEventListener("click", (event) => outside && event.target === dialog && dialog.close());
}
