const PAGE_SIZE = 1000; // the contract's maximum for `limit`
const TIMEOUT_MS = 15_000;
const JSON_TYPES = "application/json, application/problem+json";

/**
 * The connection to the people API.
 *
 * It returns nothing to its caller. What happened is told by events, with the result as their `detail`:
 * `read` (a list of people), `created`, `updated` and `deleted` (a person), `failed` (a problem document).
 */
export class Model extends EventTarget {
  #url;

  constructor(url) {
    super();
    this.#url = url;
  }

  read() {
    this.#tell("read", async () => {
      const people = [];
      let page;
      do {
        page = await request("GET", `${this.#url}?limit=${PAGE_SIZE}&offset=${people.length}`);
        people.push(...page);
      } while (page.length === PAGE_SIZE);
      return people;
    });
  }

  create({ fname, lname }) {
    this.#tell("created", () => request("POST", this.#url, { fname, lname }));
  }

  update({ fname, lname }) {
    this.#tell("updated", () => request("PUT", this.#person(lname), { fname, lname }));
  }

  delete(person) {
    this.#tell("deleted", async () => {
      await request("DELETE", this.#person(person.lname));
      return person;
    });
  }

  #person(lname) {
    return `${this.#url}/${encodeURIComponent(lname)}`;
  }

  async #tell(event, work) {
    let detail;
    try {
      detail = await work();
    } catch (error) {
      event = "failed";
      detail = error instanceof Refusal ? error.problem : lost(error);
    }
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }
}

/** An answer that is an error; carries the problem document. */
class Refusal extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title);
    this.problem = problem;
  }
}

async function request(method, url, body) {
  const response = await fetch(url, {
    method,
    body: body && JSON.stringify(body),
    headers: { Accept: JSON_TYPES, ...(body && { "Content-Type": "application/json" }) },
    cache: "no-cache",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.ok) {
    return response.status === 204 ? null : response.json();
  }
  const told = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  throw new Refusal(told ? await response.json() : { title: `The server answered with status ${response.status}` });
}

function lost(error) {
  if (error.name === "TimeoutError") {
    return { title: "No answer", detail: "The server took too long to answer. Please try again." };
  }
  return { title: "No connection", detail: "The server cannot be reached. Please try again." };
}
