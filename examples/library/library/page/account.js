/** My books: what is borrowed, waited for and asked for, and the card for the desk. */
import { actions } from "./actions.js";
import { api } from "./api.js";
import { code39 } from "./barcode.js";
import { cover } from "./covers.js";
import { $, el, empty, refill } from "./dom.js";
import { attempt } from "./messages.js";
import { showMyOrders } from "./orders.js";
import { shelf } from "./shelf.js";
import { by, count, day, due, ordinal } from "./words.js";

shelf.addEventListener("change", () => $("mine").hidden || draw());

export async function showAccount() {
  draw();
  await Promise.all([attempt(() => shelf.load()), attempt(showMyOrders)]);
}

function draw() {
  if (api.user === null) {
    return;
  }
  const { id, username } = api.user;
  refill(
    $("card"),
    code39(String(id)),
    el("p", {}, el("strong", {}, username), ` · card ${id}`),
  );
  const loans = shelf.loans.map((loan) => item(loan, loanFacts(loan)));
  const holds = shelf.holds.map((hold) => item(hold, holdFacts(hold)));
  refill($("my-loans"), loans.length ? items(loans) : empty("Nothing is borrowed. ", "Find a book"));
  refill($("my-holds"), holds.length ? items(holds) : empty("You wait for no book."));
}

function items(drawn) {
  return el("ul", { class: "items" }, drawn);
}

/** Draw one of the member's books, with what can be done about it. */
function item({ book }, facts) {
  return el(
    "li",
    { class: "item" },
    cover(book),
    el(
      "div",
      { class: "item-text" },
      el("h3", {}, el("a", { href: `#/books/${book.id}` }, book.title)),
      el("p", { class: "by" }, by(book.authors)),
      facts,
    ),
    el("div", { class: "buttons" }, actions(book)),
  );
}

function loanFacts({ due_at, renewals }) {
  const late = Date.parse(due_at) < Date.now();
  const more = renewals > 0 ? `, renewed ${renewals === 1 ? "once" : "twice"}` : "";
  return el("p", { class: late ? "pill late" : "pill mine" }, `${day(due_at)}: ${due(due_at)}${more}`);
}

function holdFacts({ kept_until, position }) {
  if (kept_until) {
    return el("p", { class: "pill kept" }, `A copy is kept for you until ${day(kept_until)}`);
  }
  const place = `${ordinal(position)} in line, ${count(position - 1, "member")} before you`;
  return el("p", { class: "pill waiting" }, position === 1 ? "You are next" : place);
}
