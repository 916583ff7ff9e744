/** Numbers, as bars; behind each drawing is a table that says the same. */
import { api } from "./api.js";
import { $, el, refill, svg } from "./dom.js";
import { count } from "./words.js";

const DAYS = 30;
const MOST = 10;
const WIDTH = 600;
const HEIGHT = 200;
/** So many days from one that has its name below it to the next. */
const NAMED = 10;
const FOOT = 30;
const SIDE = 36;
const SHORT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

export async function showNumbers() {
  const [days, books] = await Promise.all([
    api.get("statistics/loans-per-day", { query: { days: DAYS } }),
    api.get("statistics/most-borrowed", { query: { limit: MOST } }),
  ]);
  drawDays(days.data);
  drawBooks(books.data);
}

function drawDays(days) {
  const total = days.reduce((sum, { loans }) => sum + loans, 0);
  const most = Math.max(1, ...days.map(({ loans }) => loans));
  const step = (WIDTH - SIDE) / days.length;
  const scale = (loans) => (loans / most) * (HEIGHT - FOOT - 10);
  const bars = days.map(({ day, loans }, place) => {
    const height = scale(loans);
    const box = { x: SIDE + place * step + 2, y: HEIGHT - FOOT - height, width: step - 4, height, rx: 2, class: "bar" };
    return svg("rect", box, svg("title", {}, `${name(day)}: ${count(loans, "loan")}`));
  });
  const lines = [...new Set([0, Math.round(most / 2), most])].map((loans) => {
    const y = HEIGHT - FOOT - scale(loans);
    const line = svg("line", { x1: SIDE, x2: WIDTH, y1: y, y2: y, class: "grid" });
    return svg("g", {}, line, svg("text", { x: SIDE - 6, y: y + 5, class: "tick end" }, loans));
  });
  const last = days.length - 1;
  const names = days.map(({ day }, place) => {
    const at = { x: SIDE + (place + 0.5) * step, y: HEIGHT - 6, class: place === last ? "tick end" : "tick middle" };
    return (last - place) % NAMED === 0 && svg("text", at, name(day));
  });
  const viewBox = `0 0 ${WIDTH} ${HEIGHT}`;
  const label = `Bars: ${count(total, "loan")} in ${DAYS} days, at most ${most} on one day.`;
  refill(
    $("loans-per-day"),
    caption("Loans per day", `${count(total, "loan")} in ${DAYS} days`),
    svg("svg", { viewBox, role: "img", "aria-label": label, class: "chart" }, lines, bars, names),
    table(["Day", "Loans"], days.map(({ day, loans }) => [name(day), loans])),
  );
}

function drawBooks(books) {
  const most = Math.max(1, ...books.map(({ loans }) => loans));
  const rows = books.map(({ book_id, title, loans }) => {
    const box = { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true", class: "rank-bar" };
    const bar = svg("svg", box, svg("rect", { width: (loans / most) * 100, height: 10, rx: 1, class: "bar" }));
    const number = el("span", { class: "rank-number" }, count(loans, "loan"));
    return el("li", {}, el("a", { href: `#/books/${book_id}` }, title), bar, number);
  });
  refill(
    $("most-borrowed"),
    caption("Most borrowed", "In the last year"),
    rows.length ? el("ol", { class: "ranks" }, rows) : el("p", { class: "empty" }, "Nothing was borrowed yet."),
    table(["Book", "Loans"], books.map(({ title, loans }) => [title, loans])),
  );
}

function caption(heading, hint) {
  return el("figcaption", {}, el("h2", {}, heading), el("p", { class: "hint" }, hint));
}

function table(headings, rows) {
  const head = el("tr", {}, headings.map((text) => el("th", { scope: "col" }, text)));
  const body = rows.map(([name, number]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, number)));
  const made = el("table", { class: "narrow" }, el("thead", {}, head), el("tbody", {}, body));
  return el("details", {}, el("summary", {}, "As a table"), made);
}

function name(day) {
  return SHORT.format(new Date(`${day}T00:00:00Z`));
}
