/** Adding and changing books. Nobody's change is lost: who saves on top of another is told what the other did. */
import { api } from "./api.js";
import { $, button, closable, el } from "./dom.js";
import { clearFaults, handle, values } from "./forms.js";
import { tell } from "./messages.js";
import { shelf } from "./shelf.js";
import { explain } from "./words.js";

const NAMES = {
  title: "Title", authors: "Authors", isbn13: "ISBN of 13 digits", isbn: "ISBN of 10 digits", year: "Year",
  language: "Language", copies: "Copies",
};
const STAYS = "It was lent or is waited for, and stays for the record. With 0 copies nobody can borrow it.";
const FIELDS = Object.keys(NAMES);

const dialog = $("editor");
const form = $("book-form");
/** The book as it was when it was read, with its ETag; null for a new one. */
let before = null;
let saved = () => {};

closable(dialog);
$("take-out").addEventListener("click", askTakeOut);
handle(form, async (texts) => {
  const book = parse(texts);
  if (before === null) {
    const { data } = await api.send("POST", "books", present(book));
    done(data, `“${data.title}” is in the catalogue.`);
  } else {
    await save(changes(before.book, book));
  }
});

/** Open the form for a book, or for a new one; `onSaved` is called with the book. */
export async function edit(id = null, onSaved = () => {}) {
  before = id === null ? null : await read(id);
  saved = onSaved;
  $("editor-heading").textContent = id === null ? "Add a book" : "Edit a book";
  $("take-out").hidden = id === null;
  write(before?.book ?? { copies: 1 });
  dialog.showModal();
  form.elements.title.focus();
}

async function save(changed) {
  if (Object.keys(changed).length === 0) {
    done(before.book, "Nothing is different.");
    return;
  }
  try {
    const { data } = await api.send("PATCH", `books/${before.book.id}`, changed, { match: before.etag });
    done(data, `“${data.title}” is changed.`);
  } catch (error) {
    if (error.status !== 412) {
      throw error;
    }
    const now = await read(before.book.id);
    const theirs = changes(before.book, now.book);
    if (Object.keys(theirs).length === 0) {
      // Only what the server counts is different, such as the copies on the shelf.
      before = now;
      await save(changed);
    } else {
      showConflict(now, theirs);
    }
  }
}

function showConflict(now, theirs) {
  const rows = Object.keys(theirs).map((name) => {
    const [was, is] = [before.book, now.book].map((book) => text(book[name]) || "nothing");
    return el("li", {}, `${NAMES[name]}: was ${was}, is now ${is}`);
  });
  const mine = changes(before.book, parse(values(form)));
  const goOnWith = (book) => () => {
    before = now;
    write(book);
    form.elements.title.focus();
  };
  ask("Somebody else changed this book in the meantime:", [
    el("ul", {}, rows),
    el(
      "div",
      { class: "buttons" },
      button("Reload the book", goOnWith(now.book), { kind: "primary" }),
      button("Keep my changes as well", goOnWith({ ...now.book, ...mine })),
    ),
  ]);
}

function askTakeOut() {
  const keep = () => {
    $("editor-question").replaceChildren();
    $("take-out").focus();
  };
  const answers = [button("Take it out", takeOut, { kind: "primary" }), button("Keep it", keep)];
  ask(`Take “${before.book.title}” out of the catalogue, for good?`, [el("div", { class: "buttons" }, answers)]);
}

async function takeOut() {
  try {
    await api.send("DELETE", `books/${before.book.id}`, undefined, { match: before.etag });
  } catch (error) {
    ask(error.status === 409 ? STAYS : explain(error));
    return;
  }
  dialog.close();
  shelf.dispatchEvent(new CustomEvent("gone", { detail: before.book }));
}

/** Ask or tell something between the fields and the buttons, where it is read at once. */
function ask(text, more = []) {
  const box = el("div", { class: "conflict", role: "alert" }, el("p", { tabindex: "-1" }, text), more);
  $("editor-question").replaceChildren(box);
  box.querySelector("p").focus();
  box.scrollIntoView({ block: "nearest" });
}

async function read(id) {
  const { data, etag } = await api.get(`books/${id}`);
  return { book: data, etag };
}

function done(book, said) {
  dialog.close();
  tell(said);
  saved(book);
  shelf.dispatchEvent(new CustomEvent("change", { detail: book.id }));
}

function write(book) {
  clearFaults(form);
  $("editor-question").replaceChildren();
  for (const name of FIELDS) {
    form.elements[name].value = text(book[name]);
  }
}

function text(value) {
  return Array.isArray(value) ? value.join("\n") : String(value ?? "");
}

/** Turn the fields into a book. What is no number stays a text: the server tells at the field that it is wrong. */
function parse(texts) {
  const orNull = (text) => (text === "" ? null : text);
  return {
    title: texts.title,
    authors: lines(texts.authors),
    isbn13: orNull(plainIsbn(texts.isbn13)),
    isbn: orNull(plainIsbn(texts.isbn)),
    year: orNull(number(texts.year)),
    language: orNull(texts.language),
    copies: number(texts.copies),
  };
}

function present(book) {
  return Object.fromEntries(Object.entries(book).filter(([, value]) => value !== null));
}

function changes(from, to) {
  const differs = (name) => JSON.stringify(from[name]) !== JSON.stringify(to[name]);
  return Object.fromEntries(FIELDS.filter(differs).map((name) => [name, to[name]]));
}

export function lines(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

export function number(text) {
  return /^-?\d{1,9}$/.test(text) ? Number(text) : text;
}

export function plainIsbn(text) {
  return text.replace(/[\s-]/g, "").toUpperCase();
}
