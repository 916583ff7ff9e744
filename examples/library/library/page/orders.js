/** Orders: members ask for books, librarians see to it. */
import { api, newKey } from "./api.js";
import { $, button, closable, el, empty, refill, whileBusy } from "./dom.js";
import { lines, number, plainIsbn } from "./editor.js";
import { handle } from "./forms.js";
import { attempt, tell } from "./messages.js";
import { day } from "./words.js";

const PER_PAGE = 20;
const STATES = {
  open: "nobody has looked at it yet", approved: "agreed to", ordered: "on its way", received: "in the house",
  cancelled: "cancelled",
};
/** What comes next: what the librarian presses, and what the API calls it. */
const NEXT = { open: ["Approve", "approve"], approved: ["Order", "order"], ordered: ["Receive", "receive"] };

const dialog = $("order");
/** The last order that was sent, and its key: sending the very same once more makes no second order. */
let last = {};
const names = new Map();

closable(dialog);
$("ask").addEventListener("click", () => dialog.showModal());
handle($("order-form"), async ({ kind, title, authors, isbn13, quantity, unit_price }) => {
  const isbn = plainIsbn(isbn13);
  const book = { title, authors: lines(authors), ...(isbn && { isbn13: isbn }) };
  const order = { kind, lines: [{ ...book, quantity: number(quantity), unit_price: cents(unit_price) }] };
  const text = JSON.stringify(order);
  if (last.text !== text) {
    last = { text, key: newKey() };
  }
  const { data } = await api.send("POST", "orders", order, { key: last.key });
  last = {};
  dialog.close();
  $("order-form").reset();
  tell(`The library has got it: order ${data.id}, ${data.total} in all.`);
  await attempt(showMyOrders);
});

export async function showMyOrders() {
  const { data } = await api.get("orders", { query: { user_id: api.user.id, per_page: PER_PAGE } });
  const items = data.orders.map((order) => draw(order, order.status === "open" ? [cancel(order, showMyOrders)] : []));
  refill($("my-orders"), items.length ? el("ul", { class: "items" }, items) : empty("You have asked for nothing."));
}

let page = 1;
$("order-status").addEventListener("change", () => attempt(showOrders));
$("orders-more").addEventListener("click", () => whileBusy($("orders-more"), () => attempt(() => read(page + 1))));

/** Show the orders of all members, from the beginning. */
export function showOrders() {
  return read(1);
}

async function read(number) {
  const status = $("order-status").value;
  const { data } = await api.get("orders", { query: { status, page: number, per_page: PER_PAGE } });
  const who = await Promise.all(data.orders.map(({ user_id }) => nameOf(user_id)));
  if (status !== $("order-status").value) {
    return; // somebody wants to see others by now
  }
  const items = data.orders.map((order, place) => draw(order, steps(order), who[place]));
  page = number;
  $("orders-more").hidden = data.page >= data.pages;
  if (number > 1) {
    $("order-list").firstChild.append(...items);
  } else {
    refill($("order-list"), items.length ? el("ul", { class: "items" }, items) : empty("There are none."));
  }
}

function steps(order) {
  if (!(order.status in NEXT)) {
    return [];
  }
  const [text, step] = NEXT[order.status];
  const label = `${text}: order ${order.id}`;
  return [button(text, () => take(order, step, showOrders), { kind: "primary", label }), cancel(order, showOrders)];
}

function cancel(order, after) {
  return button("Cancel", () => take(order, "cancel", after), { label: `Cancel: order ${order.id}` });
}

async function take(order, step, after) {
  await attempt(async () => {
    const { data } = await api.send("POST", `orders/${order.id}/${step}`);
    tell(`Order ${data.id}: ${STATES[data.status]}.`);
  });
  await attempt(after); // after a failure too: somebody else may have been faster
}

/** Draw an order; with `who` it stands in the list of all, below the first heading of the view. */
function draw(order, buttons, who) {
  const what = order.lines.map(({ title, book_id, authors, quantity }) =>
    el("li", {}, `${quantity} × ${title ?? `book ${book_id}`}${authors ? `, ${authors.join(", ")}` : ""}`));
  const facts = [order.kind === "buy" ? "to buy" : "for sale", `${order.total} in all`, day(order.created_at), who];
  return el(
    "li",
    { class: "item" },
    el(
      "div",
      { class: "item-text" },
      el(who ? "h2" : "h3", {}, `Order ${order.id}`),
      el("ul", { class: "lines" }, what),
      el("p", { class: "facts" }, facts.filter(Boolean).join(" · ")),
      el("p", { class: `pill ${order.status}` }, STATES[order.status]),
    ),
    el("div", { class: "buttons" }, buttons),
  );
}

async function nameOf(id) {
  if (!names.has(id)) {
    names.set(id, api.get(`users/${id}`).then(({ data }) => data.username, () => `member ${id}`));
  }
  return names.get(id);
}

/** `12`, `12.5` and `12,50` are all amounts; the API wants two digits behind a point. */
function cents(text) {
  const [, whole, part = ""] = /^(\d+)(?:[.,](\d{1,2}))?$/.exec(text) ?? [];
  return whole === undefined ? text : `${whole.replace(/^0+(?=\d)/, "")}.${part.padEnd(2, "0")}`;
}
