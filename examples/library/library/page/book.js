/** One book, in a dialog: what is known of it, and what can be done with it. */
import { actions, standing } from "./actions.js";
import { api } from "./api.js";
import { cover } from "./covers.js";
import { $, button, closable, el, refill } from "./dom.js";
import { edit } from "./editor.js";
import { attempt, hush, tell } from "./messages.js";
import { shelf } from "./shelf.js";
import { count, language, shelf as onShelf, year } from "./words.js";

const dialog = $("book");
let shown = null;

closable(dialog);
dialog.addEventListener("close", hush);
shelf.addEventListener("change", ({ detail: bookId }) => {
  if (dialog.open && (bookId === null || bookId === shown.id)) {
    attempt(() => open(shown.id));
  }
});
shelf.addEventListener("gone", ({ detail: book }) => {
  dialog.addEventListener("close", () => tell(`“${book.title}” is out of the catalogue.`), { once: true });
  dialog.close();
});

/** Show a book; `onClosed` is called when it is closed again. */
export async function open(id, onClosed) {
  const { data: book } = await api.get(`books/${id}`);
  shown = book;
  $("book-title").textContent = book.title;
  refill($("book-body"), draw(book));
  if (!dialog.open) {
    hush();
    dialog.showModal();
    $("book-title").focus();
    const closed = () => {
      goBack(id);
      onClosed();
    };
    dialog.addEventListener("close", closed, { once: true });
  }
}

export function close() {
  dialog.close();
}

/** Where the focus got lost, since what had it was drawn anew, give it to the link of the book, or to the heading. */
function goBack(id) {
  const focused = document.activeElement;
  if (focused !== document.body && !dialog.contains(focused)) {
    return; // the browser has given it back, and whoever has a keyboard may have gone on
  }
  const view = document.querySelector(".view:not([hidden])");
  (view.querySelector(`a[href="#/books/${id}"]`) ?? view.querySelector("h1")).focus({ preventScroll: true });
}

function draw(book) {
  const { average_rating: rating, ratings_count: ratings } = book;
  const facts = [
    ["Written by", book.authors.join(", ")],
    ["First published", book.year === null ? null : year(book.year)],
    ["Language", book.language && language(book.language)],
    ["ISBN", book.isbn13 ?? book.isbn],
    ["Readers give it", rating === null ? null : `${rating} of 5 (${count(ratings, "rating")})`],
    ["Copies", onShelf(book)],
    ["Library label", api.isStaff ? `B${book.id}` : null],
  ];
  const row = ([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  const rows = facts.filter(([, value]) => value).map(row);
  const change = button("Edit", () => attempt(() => edit(book.id)), { label: `Edit: ${book.title}` });
  return el(
    "div",
    { class: "one-book" },
    cover(book),
    el(
      "div",
      {},
      standing(book),
      el("dl", { class: "facts-list" }, rows),
      el("div", { class: "buttons" }, actions(book), api.isStaff && change),
    ),
  );
}
