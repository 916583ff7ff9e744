/**
 * The desk: one field takes every scan, one after the other.
 *
 * A card begins a member's turn. With a member at the desk, a book of theirs is taken back, one that is free or kept
 * for them is lent to them, and one that is out with somebody else comes back. Without a member, a book comes back.
 */
import { MOST_RENEWALS } from "./actions.js";
import { api, newKey } from "./api.js";
import { $, button, el, refill } from "./dom.js";
import { takeBack } from "./returns.js";
import { understand } from "./scans.js";
import { by, count, day, due, explain } from "./words.js";

const MOST_LOANS = 5;
const SHOWN = 12;
/** A scanner may read the same code twice in one go; nobody lends a book and takes it back that fast. */
const BOUNCE_MS = 1500;

const field = $("code");
let patron = null;
let queue = Promise.resolve();
let last = { text: "", at: -Infinity };

$("scan").addEventListener("submit", (event) => {
  event.preventDefault();
  const now = { text: field.value.trim(), at: event.timeStamp };
  field.value = "";
  if (now.text && now.text === last.text && now.at - last.at < BOUNCE_MS) {
    note(now.text, "read twice in one go, counted once", "twice");
  } else if (now.text) {
    take(now.text);
  }
  last = now;
});

// Wherever the focus is, a scan goes into the field.
addEventListener("keydown", (event) => {
  if ($("desk").hidden || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  if (event.key === "Escape") {
    endTurn();
  } else if (event.key.length === 1 && event.key !== " " && !event.target.matches("input, textarea, select")) {
    field.focus();
  }
});

export function showDesk() {
  drawPatron();
  field.focus();
}

export function leaveDesk() {
  patron = null;
  refill($("outcome"));
  refill($("choices"));
  refill($("scans"));
}

/** Take a scan; it waits for those before it, and is shown while it does. */
function take(text) {
  const row = note(text, "…", "pending");
  next(() => perform(() => follow(understand(text)), row));
}

/** Write a scan on the list, and forget the oldest. */
function note(text, state, kind) {
  const row = el("li", { class: kind }, el("span", { class: "scanned" }, text), el("span", { class: "scan-state" }, state));
  $("scans").prepend(row);
  while ($("scans").children.length > SHOWN) {
    $("scans").lastChild.remove();
  }
  return row;
}

/** Do something after all that was scanned before. */
function next(act) {
  queue = queue.then(act);
  return queue;
}

/** End the member's turn, once what was scanned in it is done. */
function endTurn() {
  field.focus();
  return next(() => choose(null));
}

/** Do what a scan means, and show in large what came of it. */
async function perform(act, row) {
  refill($("choices"));
  $("desk").setAttribute("aria-busy", "true");
  let said;
  try {
    said = await act();
  } catch (error) {
    said = no(error.status === 400 ? "That cannot be read. Scan it once more." : explain(error));
  }
  $("desk").removeAttribute("aria-busy");
  say(said);
  if (row) {
    row.className = said.kind;
    row.querySelector(".scan-state").textContent = said.text;
  }
}

function say({ kind, text, more }) {
  const sign = { lent: "↗", back: "↙", member: "☺", ask: "?", no: "!" }[kind];
  refill(
    $("outcome"),
    el("div", { class: `said ${kind}` }, el("span", { class: "sign", "aria-hidden": "true" }, sign),
      el("div", {}, el("p", { class: "said-text" }, text), more && el("p", { class: "said-more" }, more))),
  );
}

const no = (text, more) => ({ kind: "no", text, more });

async function follow(scan) {
  switch (scan.kind) {
    case "wrong":
      return no(scan.why);
    case "isbn":
      return book(await findBook(scan));
    case "label":
      return book(await orNull(api.get(`books/${scan.id}`)));
    case "card":
      return member(await orNull(api.get(`users/${scan.id}`)));
    case "email":
      return member(await findMember(scan.email));
    default:
      return look(scan.text);
  }
}

async function findBook({ isbn13, isbn }) {
  const ask = (query) => api.get("books", { query }).then(({ data }) => data.books);
  const found = await Promise.all([ask({ isbn13 }), isbn ? ask({ isbn }) : []]);
  return found.flat()[0] ?? null;
}

async function findMember(email) {
  const { data } = await api.get("users", { query: { q: email, per_page: 100 } });
  return data.users.find((user) => user.email === email) ?? null;
}

async function orNull(asked) {
  try {
    return (await asked).data;
  } catch (error) {
    if (error.status === 404 || error.status === 400) {
      return null; // there is none, and for a number such as 0 there cannot be one
    }
    throw error;
  }
}

/** Offer the members and books that have those words. */
async function look(text) {
  const query = { q: text, per_page: 6 };
  const [members, books] = await Promise.all([api.get("users", { query }), api.get("books", { query })]);
  const choices = [
    ...members.data.users.map((user) => choice(`${user.username}, ${user.email}`, () => member(user))),
    ...books.data.books.map((one) => choice(`${one.title}, ${by(one.authors)}`, () => book(one))),
  ];
  refill($("choices"), choices);
  if (choices.length === 0) {
    return no(`Nobody and nothing is called “${text}”.`);
  }
  const total = members.data.total + books.data.total;
  const more = total > choices.length && `These are ${choices.length} of ${total}; another word leaves fewer.`;
  return { kind: "ask", text: `Which one is “${text}”?`, more };
}

function choice(text, act) {
  return pressed(text, act, { kind: "choice" });
}

/** Make a button that does something after all that was scanned before; the next scan is for the field again. */
function pressed(text, act, options) {
  const press = () => {
    field.focus();
    return next(() => perform(act));
  };
  return button(text, press, options);
}

async function member(user) {
  if (user === null) {
    return no("There is no such member.");
  }
  if (user.is_disabled) {
    return no(`${user.username} is shut out.`);
  }
  await choose(user);
  const kept = patron.holds.filter((hold) => hold.kept_until).length;
  const late = patron.loans.filter((loan) => Date.parse(loan.due_at) < Date.now()).length;
  const notes = [kept && `${count(kept, "book")} to fetch`, late && `${count(late, "book")} late`].filter(Boolean);
  return { kind: "member", text: user.username, more: notes.join(", ") || "Now the books." };
}

async function book(found) {
  if (found === null) {
    return no("The library has no such book.", "Is it one of ours?");
  }
  const [loans, holds] = await Promise.all([
    api.get("loans", { query: { book_id: found.id, returned_at__isnull: true, include: "user", per_page: 100 } }),
    api.get("holds", { query: { book_id: found.id, include: "user", per_page: 100 } }),
  ]);
  const out = loans.data.loans;
  const own = patron && out.find((loan) => loan.user_id === patron.user.id);
  const kept = patron && holds.data.holds.find((hold) => hold.user_id === patron.user.id && hold.kept_until);
  if (own) {
    return giveBack(own, found);
  }
  if (patron && (kept || found.available > 0)) {
    return lend(found, patron.user);
  }
  if (out.length === 1) {
    return giveBack(out[0], found);
  }
  if (out.length > 1) {
    const who = (loan) => choice(`${loan.user.username}, ${due(loan.due_at)}`, () => giveBack(loan, found));
    refill($("choices"), out.map(who));
    return { kind: "ask", text: `Who brings back “${found.title}”?` };
  }
  const keptFor = holds.data.holds.find((hold) => hold.kept_until);
  if (keptFor) {
    return no(`“${found.title}” is kept for ${keptFor.user.username}.`, `Until ${day(keptFor.kept_until)}.`);
  }
  return no(`“${found.title}” is not out.`, patron ? "" : "To lend it, scan the member’s card first.");
}

async function lend(found, user) {
  const { data } = await api.send("POST", "loans", { book_id: found.id, user_id: user.id }, { key: newKey() });
  await choose(user);
  return { kind: "lent", text: `“${found.title}” goes to ${user.username}.`, more: `Back by ${day(data.due_at)}.` };
}

async function giveBack(loan, found) {
  const more = await takeBack(loan);
  if (patron) {
    await choose(patron.user);
  }
  return { kind: "back", text: `“${found.title}” is back from ${loan.user.username}.`, more };
}

async function renew(loan, user) {
  const { data } = await api.send("POST", `loans/${loan.id}/renew`);
  if (patron) {
    await choose(patron.user);
  }
  const text = `“${loan.book.title}” stays with ${user.username}.`;
  return { kind: "lent", text, more: `Back by ${day(data.due_at)}.` };
}

/** Let it be a member's turn, or nobody's. */
async function choose(user) {
  if (user === null) {
    patron = null;
  } else {
    const query = { user_id: user.id, include: "book", per_page: 100 };
    const [loans, holds] = await Promise.all([
      api.get("loans", { query: { ...query, returned_at__isnull: true, sort: "due_at" } }),
      api.get("holds", { query }),
    ]);
    patron = { user, loans: loans.data.loans, holds: holds.data.holds };
  }
  drawPatron();
}

function drawPatron() {
  if (patron === null) {
    refill(
      $("patron"),
      el("h2", {}, "Nobody’s turn"),
      el("p", { class: "hint" }, "Scan a card to lend. Books that come back need no card."),
    );
    return;
  }
  const { user, loans, holds } = patron;
  const done = button("Done", endTurn, { label: `Done with ${user.username}` });
  const kept = holds.filter((hold) => hold.kept_until);
  refill(
    $("patron"),
    el("div", { class: "row between" }, el("h2", {}, user.username), done),
    el("p", { class: "hint" }, `${user.email} · card ${user.id} · Escape ends the turn`),
    kept.length > 0 && el("h3", {}, "To fetch, behind the desk"),
    kept.length > 0 && el("ul", { class: "plain" }, kept.map(({ book: { title } }) => el("li", {}, title))),
    el("h3", {}, `Borrowed: ${loans.length} of ${MOST_LOANS}`),
    loans.length > 0 && el("ul", { class: "plain" }, loans.map((loan) => drawLoan(loan, user))),
  );
}

function drawLoan(loan, user) {
  const { title } = loan.book;
  const late = Date.parse(loan.due_at) < Date.now();
  const again = pressed("Renew", () => renew(loan, user), { kind: "link", label: `Renew: ${title}` });
  return el(
    "li",
    { class: "patron-loan" },
    el("span", {}, title, " ", el("span", { class: late ? "pill late" : "pill mine" }, due(loan.due_at))),
    loan.renewals < MOST_RENEWALS && again,
  );
}
