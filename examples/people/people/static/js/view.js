const NAME_RULE = "A name has no slash in it, no blank at either end and no full stop at the beginning.";

/** The page. Names are what users typed: they only ever become text, never markup. */
export class View {
  /** The last name of the row that was just created or updated; it is marked when the people are shown. */
  changed;

  #form;
  #inputs;
  #status;
  #alert;
  #undo;
  #table;
  #caption;
  #focused;
  #choose = () => {};
  #deleted;

  constructor(root) {
    this.#form = root.querySelector("#editor");
    this.#inputs = { fname: root.querySelector("#fname"), lname: root.querySelector("#lname") };
    this.#status = root.querySelector("#status");
    this.#alert = root.querySelector("#alert");
    this.#undo = root.querySelector("#undo");
    this.#table = root.querySelector("#people");
    this.#caption = root.querySelector("#people-caption");
  }

  onAction(handle) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.busy) {
        handle(event.submitter.value, this.#person());
      }
    });
  }

  onChoose(handle) {
    this.#choose = handle;
  }

  onUndo(handle) {
    this.#undo.addEventListener("click", () => handle(this.#deleted));
  }

  get busy() {
    return this.#form.getAttribute("aria-busy") === "true";
  }

  set busy(busy) {
    if (busy) {
      this.#focused = document.activeElement;
    }
    this.#form.setAttribute("aria-busy", busy);
    this.#table.setAttribute("aria-busy", busy);
    for (const button of document.querySelectorAll("button")) {
      button.disabled = busy;
    }
    if (!busy && document.activeElement === document.body) {
      this.#focused?.focus({ preventScroll: true }); // a button loses the focus when it is disabled
    }
  }

  fill({ fname, lname }) {
    this.#inputs.fname.value = fname;
    this.#inputs.lname.value = lname;
    this.#inputs.fname.focus();
    this.#inputs.fname.select();
  }

  reset() {
    this.#form.reset();
  }

  /** Take back what was said about the last action. */
  clear() {
    this.#status.textContent = "";
    this.#alert.replaceChildren();
    this.#undo.hidden = true;
    for (const field of Object.keys(this.#inputs)) {
      this.#markField(field, []);
    }
  }

  showMessage(text) {
    this.#status.textContent = text;
  }

  offerUndo(person) {
    this.#deleted = person;
    this.#undo.hidden = false;
    this.#undo.setAttribute("aria-label", `Undo: create ${person.fname} ${person.lname} again`);
  }

  /** Show a problem document: its faults at the fields that they name, the rest as a whole. */
  showProblem({ title, detail, code, errors = [] }) {
    const wrong = Object.keys(this.#inputs).filter((field) =>
      this.#markField(field, errors.filter((error) => this.#fieldOf(error) === field)));
    const elsewhere = errors.filter((error) => !this.#fieldOf(error)).map((error) => error.detail);
    const heading = code === "bad-request" ? "Please correct the marked fields." : title;
    const texts = wrong.length > 0 ? [heading, ...elsewhere] : [title, detail, ...elsewhere];
    this.#alert.replaceChildren(...texts.filter(Boolean).map((text) => element("p", text)));
    this.#inputs[wrong[0]]?.focus();
  }

  showPeople(people) {
    this.#caption.textContent = describeCount(people.length);
    this.#table.tBodies[0].replaceChildren(...people.map((person) => this.#row(person)));
    this.changed = undefined;
  }

  #person() {
    const read = (input) => input.value.trim().normalize("NFC");
    return { fname: read(this.#inputs.fname), lname: read(this.#inputs.lname) };
  }

  #fieldOf({ pointer, name }) {
    const field = pointer?.replace(/^#\//, "") ?? name;
    return Object.hasOwn(this.#inputs, field) ? field : undefined;
  }

  #markField(field, errors) {
    const message = document.getElementById(`${field}-error`);
    message.textContent = faults(errors).join(" ");
    message.hidden = errors.length === 0;
    if (errors.length > 0) {
      this.#inputs[field].setAttribute("aria-invalid", "true");
    } else {
      this.#inputs[field].removeAttribute("aria-invalid");
    }
    return errors.length > 0;
  }

  #row(person) {
    const edit = element("button", "Edit");
    edit.type = "button";
    edit.setAttribute("aria-label", `Edit ${person.fname} ${person.lname}`);
    edit.addEventListener("click", () => this.#choose(person));

    const [day, clock] = person.timestamp.split(" ");
    const time = element("time", element("span", day), " ", element("span", clock));
    time.dateTime = `${day}T${clock}Z`;

    const row = element("tr");
    const last = element("th", person.lname);
    last.scope = "row";
    row.append(element("td", person.fname), last, element("td", time), element("td", edit));
    row.classList.toggle("changed", person.lname === this.changed);
    row.addEventListener("dblclick", () => this.#choose(person));
    return row;
  }
}

function element(tag, ...content) {
  const created = document.createElement(tag);
  created.append(...content);
  return created;
}

/** The faults of one field in words. A pattern is for programs: it is told as a rule, and only on its own. */
function faults(errors) {
  const plain = errors.map((error) => error.detail).filter((detail) => !detail.includes("pattern"));
  return errors.length > 0 && plain.length === 0 ? [NAME_RULE] : plain;
}

function describeCount(count) {
  if (count === 0) {
    return "Nobody is here yet. Create the first person.";
  }
  return `${count} ${count === 1 ? "person" : "people"} by last name; times in UTC`;
}
