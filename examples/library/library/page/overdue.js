/** What should be back by now, the oldest first. */
import { api } from "./api.js";
import { $, button, el, empty, refill, whileBusy } from "./dom.js";
import { attempt, tell } from "./messages.js";
import { takeBack } from "./returns.js";
import { count, day, due } from "./words.js";

const PER_PAGE = 50;
const HEADINGS = ["Book", "Member", "Due"];
let page = 1;

$("overdue-more").addEventListener("click", () => whileBusy($("overdue-more"), () => attempt(() => read(page + 1))));

export function showOverdue() {
  return read(1);
}

async function read(number) {
  const query = { include: ["book", "user"], page: number, per_page: PER_PAGE };
  const { data } = await api.get("loans/overdue", { query });
  page = number;
  $("overdue-count").textContent = data.total === 0 ? "" : `${count(data.total, "book")} should be back by now.`;
  $("overdue-more").hidden = data.page >= data.pages;
  const rows = data.loans.map(row);
  if (number > 1) {
    $("overdue-list").querySelector("tbody").append(...rows);
  } else {
    refill($("overdue-list"), rows.length ? table(rows) : empty("Everything that is due is back."));
  }
}

function table(rows) {
  const act = el("span", { class: "unseen" }, "What to do");
  const headings = [...HEADINGS, act].map((heading) => el("th", { scope: "col" }, heading));
  const caption = el("caption", { class: "unseen" }, "Overdue loans");
  return el("table", {}, caption, el("thead", {}, el("tr", {}, headings)), el("tbody", {}, rows));
}

function row(loan) {
  const { book, user } = loan;
  const subject = encodeURIComponent(`Please bring back “${book.title}”`);
  const letter = `mailto:${encodeURIComponent(user.email)}?subject=${subject}`;
  const label = `Return: ${book.title}, from ${user.username}`;
  const giveBack = button("Return", () => attempt(() => back(loan)), { label });
  const late = el("span", { class: "pill late" }, due(loan.due_at));
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, el("a", { href: `#/books/${book.id}` }, book.title)),
    el("td", { "data-name": "Member" }, el("span", {}, user.username, " ", el("a", { href: letter }, user.email))),
    el("td", { "data-name": "Due" }, el("span", {}, day(loan.due_at), " ", late)),
    el("td", {}, giveBack),
  );
}

async function back(loan) {
  const where = await takeBack(loan);
  tell(`“${loan.book.title}” is back from ${loan.user.username}. ${where}`);
  await showOverdue();
}
