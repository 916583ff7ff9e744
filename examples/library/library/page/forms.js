/** Forms: they send once, keep what was typed, and show each fault at its field. */
import { el, whileBusy } from "./dom.js";
import { explain } from "./words.js";

const FOR_PROGRAMS = /pattern|format|must be (an? )?(integer|number|text)/;
const MISSING = "Please fill this in.";

/**
 * Let a form do something with its values, `{name: text}`. What goes wrong is shown in the form, in the words that
 * `wording` has for a status, or else in the usual ones.
 */
export function handle(form, act, wording = {}) {
  form.prepend(el("div", { role: "alert", class: "form-alert" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy(form, async () => {
      clearFaults(form);
      try {
        await act(values(form));
      } catch (error) {
        showFaults(form, error, wording);
      }
    });
  });
}

export function values(form) {
  const read = ([name, value]) => [name, name === "password" ? value : value.trim().normalize("NFC")];
  return Object.fromEntries([...new FormData(form)].map(read));
}

export function clearFaults(form) {
  form.querySelector(".form-alert").textContent = "";
  form.querySelectorAll(".field-fault").forEach((fault) => fault.remove());
  for (const control of form.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-describedby");
  }
}

/** Show a problem: its faults at the fields that they point to, the rest as a whole. */
function showFaults(form, error, wording) {
  const text = wording[error.status] ?? explain(error);
  const faults = new Map();
  const elsewhere = [];
  for (const { pointer, detail } of error.errors ?? []) {
    const control = find(form, pointer);
    if (control) {
      faults.set(control, [...(faults.get(control) ?? []), detail]);
    } else {
      elsewhere.push(detail);
    }
  }
  faults.forEach((details, control) => mark(control, details));
  const whole = faults.size > 0 ? "Please correct what is marked." : [text, ...elsewhere].join(" ");
  form.querySelector(".form-alert").textContent = whole;
  form.querySelector("[aria-invalid]")?.focus();
}

/** `#/lines/0/unit_price` is the field `unit_price`, and `#/authors/1` the field `authors`. */
function find(form, pointer) {
  const names = (pointer ?? "").split("/").slice(1).reverse();
  return names.map((name) => form.elements.namedItem(name)).find((control) => control instanceof HTMLElement);
}

function mark(control, details) {
  const fault = el("p", { class: "field-fault", id: `${control.id}-fault` }, words(control, details));
  control.closest(".field").append(fault);
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-describedby", fault.id);
}

/** A pattern, a format or a type is for programs; the rule beside the field says the same to people. */
function words(control, details) {
  const { rule } = control.dataset;
  if (control.value === "") {
    return MISSING;
  }
  const plain = details.filter((detail) => !(rule && FOR_PROGRAMS.test(detail)));
  const told = plain.length > 0 ? plain.join("; ") : rule;
  return told[0].toUpperCase() + told.slice(1) + (/[.!]$/.test(told) ? "" : ".");
}
