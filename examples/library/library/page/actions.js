/** What the person who looks at a book can do with it now. */
import { button, el } from "./dom.js";
import { shelf } from "./shelf.js";
import { day, due, ordinal, shelf as onShelf } from "./words.js";

export const MOST_RENEWALS = 2;

/** Say how a book stands for that person. */
export function standing(book) {
  const loan = shelf.loanOf(book.id);
  const hold = shelf.holdOf(book.id);
  if (loan) {
    return pill("mine", `Yours, ${due(loan.due_at)}`);
  }
  if (hold) {
    return hold.kept_until
      ? pill("kept", `Kept for you until ${day(hold.kept_until)}`)
      : pill("waiting", `You are ${ordinal(hold.position)} in line`);
  }
  return pill(book.available > 0 ? "free" : "out", onShelf(book));
}

/** Make the buttons; each says by its label which book it is about. */
export function actions(book) {
  const loan = shelf.loanOf(book.id);
  const hold = shelf.holdOf(book.id);
  const make = (text, act, kind) =>
    button(text, act, { kind, label: `${text}: ${book.title}`, "data-focus": `${text}-${book.id}` });
  const borrow = () => make("Borrow", () => shelf.borrow(book), "primary");
  if (loan) {
    const giveBack = make("Return", () => shelf.giveBack(loan, book));
    return loan.renewals < MOST_RENEWALS ? [giveBack, make("Renew", () => shelf.renew(loan, book))] : [giveBack];
  }
  if (hold) {
    const leave = make("Wait no longer", () => shelf.leave(hold, book));
    return hold.kept_until ? [borrow(), leave] : [leave];
  }
  if (book.available > 0) {
    return [borrow()];
  }
  return book.copies > 0 ? [make("Wait for it", () => shelf.wait(book))] : [];
}

function pill(kind, text) {
  return el("p", { class: `pill ${kind}` }, text);
}
