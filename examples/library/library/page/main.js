/** The page as a whole: which view is shown, who is signed in, and whether there is a connection. */
import { showAccount } from "./account.js";
import { api } from "./api.js";
import * as bookDialog from "./book.js";
import { reread, search } from "./catalogue.js";
import { showNumbers } from "./charts.js";
import { leaveDesk, showDesk } from "./desk.js";
import { $, button, refill, whileBusy } from "./dom.js";
import { edit } from "./editor.js";
import { signIn } from "./entry.js";
import { attempt, hush, tell } from "./messages.js";
import { showOrders } from "./orders.js";
import { showOverdue } from "./overdue.js";

const VIEWS = {
  "": { id: "catalogue", title: "Catalogue", show: search },
  mine: { id: "mine", title: "My books", show: showAccount, for: "member" },
  desk: { id: "desk", title: "Desk", show: showDesk, for: "staff" },
  overdue: { id: "overdue", title: "Overdue", show: showOverdue, for: "staff" },
  orders: { id: "orders", title: "Orders", show: showOrders, for: "staff" },
  numbers: { id: "numbers", title: "Numbers", show: showNumbers, for: "staff" },
};
/** What shows something of the person who is signed in, or only to librarians. */
const PERSONAL = [
  "card", "my-loans", "my-holds", "my-orders", "patron", "overdue-list", "order-list", "loans-per-day", "most-borrowed",
];
let current = null;
let lastId = null;

function allowed(group) {
  return group === undefined || (group === "staff" ? api.isStaff : api.user !== null);
}

/** Show what the address says: `#/desk` is a view, `#/books/7` a book on top of the view that is there. */
async function route() {
  const [, name = "", id] = location.hash.split("/");
  if (name === "books" && /^\d{1,9}$/.test(id)) {
    if (current === null) {
      await go("");
    }
    const { hash } = location;
    const closed = () => location.hash === hash && history.replaceState(null, "", `#/${current}`);
    await attempt(() => bookDialog.open(Number(id), closed));
    return;
  }
  bookDialog.close();
  const view = VIEWS[name];
  if (view === undefined) {
    location.replace("#/");
  } else if (!allowed(view.for)) {
    if (api.user === null && (await signIn("Sign in to go on.")) && allowed(view.for)) {
      await go(name);
    } else {
      location.replace("#/");
    }
  } else {
    await go(name);
  }
}

async function go(name) {
  const first = current === null;
  const view = VIEWS[name];
  current = name;
  for (const { id } of Object.values(VIEWS)) {
    $(id).hidden = id !== view.id;
  }
  for (const link of document.querySelectorAll("#nav a")) {
    const here = link.getAttribute("href") === `#/${name}`;
    link.toggleAttribute("aria-current", here);
    if (here) {
      link.setAttribute("aria-current", "page");
    }
  }
  document.title = `${view.title} – Library`;
  if (!first) {
    hush();
    scrollTo(0, 0);
    $(`${view.id}-heading`).focus({ preventScroll: true });
  }
  await attempt(view.show);
}

function drawUser() {
  const { user } = api;
  for (const item of document.querySelectorAll("#nav [data-for]")) {
    item.hidden = !allowed(item.dataset.for);
  }
  $("who").hidden = $("sign-out").hidden = user === null;
  $("who").textContent = user?.username ?? "";
  $("sign-in").hidden = user !== null;
  $("add-book").hidden = !api.isStaff;
  if (user === null) {
    leaveDesk();
    if (current !== null && !allowed(VIEWS[current].for)) {
      location.hash = "#/";
    }
  } else if (user.id !== lastId) {
    lastId = user.id;
    forget();
  }
}

/** Leave nothing of the last person for the next. Whose session has only expired finds again what was typed. */
function forget() {
  document.querySelectorAll("dialog form").forEach((form) => form.reset());
  PERSONAL.forEach((id) => refill($(id)));
}

api.addEventListener("user", drawUser);
api.addEventListener("expired", async () => {
  const { hash } = location;
  if (await signIn("You have been signed out. Sign in to go on.")) {
    location.hash = hash;
  }
});
api.addEventListener("away", () => {
  if ($("connection").childElementCount === 0) {
    refill($("connection"), "The library cannot be reached. Trying again … ");
    $("connection").append(button("Try now", () => api.hurry()));
  }
});
api.addEventListener("back", () => $("connection").replaceChildren());

$("sign-in").addEventListener("click", () => signIn());
$("sign-out").addEventListener("click", () => whileBusy($("sign-out"), async () => {
  await api.logout();
  forget();
  $("sign-in").focus();
  tell("You are signed out. Good bye.");
}));
$("add-book").addEventListener("click", () => edit(null, async ({ id }) => {
  await search();
  await reread(id);
}));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the part of the address behind # says which view it is
  $("main").focus();
});
addEventListener("keydown", async (event) => {
  const typing = event.target.matches("input, textarea, select") || document.querySelector("dialog[open]");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    if (current !== "") {
      history.pushState(null, "", "#/");
      await go("");
    }
    $("q").focus();
    $("q").select();
  }
});
addEventListener("hashchange", route);

await attempt(() => api.resume());
await route();
