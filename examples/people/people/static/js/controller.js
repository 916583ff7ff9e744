/** What the page does: it turns what the user does into requests, and what the model tells into views. */
export class Controller {
  #model;
  #view;
  #people = [];

  constructor(model, view) {
    this.#model = model;
    this.#view = view;

    view.onAction((action, person) => this.#act(action, person));
    view.onChoose((person) => this.#choose(person));
    view.onUndo((person) => this.#send("create", person));

    model.addEventListener("read", ({ detail: people }) => this.#show(people));
    model.addEventListener("created", ({ detail: person }) => this.#done(`Created ${name(person)}.`, person));
    model.addEventListener("updated", ({ detail: person }) => this.#done(`Updated ${name(person)}.`, person));
    model.addEventListener("deleted", ({ detail: person }) => {
      this.#done(`Deleted ${name(person)}.`);
      this.#view.offerUndo(person);
    });
    model.addEventListener("failed", ({ detail: problem }) => this.#fail(problem));
  }

  start() {
    this.#view.busy = true;
    this.#model.read();
  }

  #act(action, person) {
    if (action === "reset") {
      this.#view.clear();
      this.#view.reset();
    } else if (person.lname === "" && action !== "create") {
      // Without a last name the URL would be that of all people.
      this.#view.clear();
      const detail = `Enter the last name of the person to ${action}.`;
      this.#view.showProblem({ title: "Who is meant?", errors: [{ detail, pointer: "#/lname" }] });
    } else {
      const known = this.#people.find(({ lname }) => lname === person.lname);
      this.#send(action, action === "delete" ? (known ?? person) : person);
    }
  }

  #choose(person) {
    this.#view.clear();
    this.#view.fill(person);
  }

  #send(action, person) {
    this.#view.clear();
    this.#view.busy = true;
    this.#model[action](person);
  }

  #done(message, person) {
    this.#view.showMessage(message);
    this.#view.reset();
    this.#view.changed = person?.lname;
    this.#model.read();
  }

  #show(people) {
    this.#people = people;
    this.#view.showPeople(people);
    this.#view.busy = false;
  }

  #fail(problem) {
    this.#view.busy = false;
    this.#view.showProblem(problem);
  }
}

function name({ fname, lname }) {
  return `${fname} ${lname}`.trim();
}
