/** The catalogue: results while one types, page by page. */
import { standing, actions } from "./actions.js";
import { api } from "./api.js";
import { cover } from "./covers.js";
import { $, el, refill, replace, whileBusy } from "./dom.js";
import { attempt, complain } from "./messages.js";
import { shelf } from "./shelf.js";
import { by, COMMON_LANGUAGES, count, language, year } from "./words.js";

const PAUSE_MS = 150;
const PER_PAGE = 24;
const WHOLE = /^-?\d+$/;

const form = $("search");
const list = $("books");
const books = new Map();
let asked = null;
let timer;
let page = 0;

for (const tag of COMMON_LANGUAGES) {
  form.elements.language.append(el("option", { value: tag }, language(tag)));
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
form.addEventListener("input", ({ target }) => {
  clearTimeout(timer);
  timer = setTimeout(search, target.matches("#q, .years input") ? PAUSE_MS : 0);
});
$("more").addEventListener("click", () => whileBusy($("more"), () => attempt(more)));
shelf.addEventListener("change", ({ detail: bookId }) => (bookId ? reread(bookId) : books.forEach(redraw)));
shelf.addEventListener("gone", search);

/** Search anew. The last search wins: the one before it is given up. */
export async function search() {
  clearTimeout(timer);
  asked?.abort();
  asked = new AbortController();
  list.setAttribute("aria-busy", "true");
  try {
    const found = await read(1, asked.signal);
    books.clear();
    refill(list);
    show(found);
    $("found").textContent = found.total ? count(found.total, "book") : "Nothing found. Try fewer words or filters.";
  } catch (error) {
    if (error.name !== "AbortError") {
      complain(error);
      list.removeAttribute("aria-busy");
    }
  }
}

/** Read one book again, and draw it where it is shown. */
export async function reread(bookId) {
  if (books.has(bookId)) {
    await attempt(async () => redraw((await api.get(`books/${bookId}`)).data));
  }
}

async function more() {
  const signal = asked.signal;
  const found = await read(page + 1, signal);
  const first = show(found);
  first?.querySelector("a").focus();
}

async function read(number, signal) {
  const { q, language, sort, available, from, to } = Object.fromEntries(new FormData(form));
  const query = {
    q: q.trim(),
    language,
    sort: sort.split(","),
    available__gte: available && 1,
    year__gte: WHOLE.test(from) ? from : undefined,
    year__lte: WHOLE.test(to) ? to : undefined,
    page: number,
    per_page: PER_PAGE,
  };
  const { data } = await api.get("books", { query, signal });
  signal.throwIfAborted();
  return data;
}

/** Add a page of books to those that are shown; return the element of the first. */
function show(found) {
  page = found.page;
  const items = found.books.map(draw);
  list.append(...items);
  list.removeAttribute("aria-busy");
  $("more").hidden = found.page >= found.pages;
  return items[0];
}

function redraw(book) {
  replace($(`book-${book.id}`), draw(book));
}

function draw(book) {
  books.set(book.id, book);
  const facts = [book.year === null ? null : year(book.year), book.language && language(book.language)];
  return el(
    "li",
    { class: "book", id: `book-${book.id}` },
    cover(book),
    el(
      "div",
      { class: "book-text" },
      el("h2", {}, el("a", { href: `#/books/${book.id}`, "data-focus": `book-${book.id}` }, book.title)),
      el("p", { class: "by" }, by(book.authors)),
      el("p", { class: "facts" }, facts.filter(Boolean).join(" · ")),
      standing(book),
      el("div", { class: "buttons" }, actions(book)),
    ),
  );
}
