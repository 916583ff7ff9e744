/** What the member who is signed in has borrowed and waits for, and what can be done about it. */
import { api, newKey } from "./api.js";
import { signedIn } from "./entry.js";
import { complain, tell } from "./messages.js";
import { day, ordinal } from "./words.js";

/** Its event `change` has as `detail` the book that it is about, or null for any; that of `gone` has been taken out. */
class Shelf extends EventTarget {
  loans = [];
  holds = [];

  constructor() {
    super();
    api.addEventListener("user", () => this.load().catch(complain));
  }

  loanOf(bookId) {
    return this.loans.find((loan) => loan.book_id === bookId);
  }

  holdOf(bookId) {
    return this.holds.find((hold) => hold.book_id === bookId);
  }

  /** Read it all again. */
  async load(bookId = null) {
    const { user } = api;
    if (user === null) {
      this.loans = this.holds = [];
    } else {
      // Librarians see those of all: what is shown here is their own.
      const mine = { user_id: user.id, include: "book", per_page: 100 };
      const [loans, holds] = await Promise.all([
        api.get("loans", { query: { ...mine, returned_at__isnull: true, sort: "due_at" } }),
        api.get("holds", { query: mine }),
      ]);
      if (user !== api.user) {
        return;
      }
      this.loans = loans.data.loans;
      this.holds = holds.data.holds;
    }
    this.dispatchEvent(new CustomEvent("change", { detail: bookId }));
  }

  borrow(book) {
    return this.#do(book, `Sign in to borrow “${book.title}”.`, async () => {
      const { data } = await api.send("POST", "loans", { book_id: book.id }, { key: newKey() });
      return `“${book.title}” is yours until ${day(data.due_at)}.`;
    });
  }

  giveBack(loan, book) {
    return this.#do(book, "", async () => {
      await api.send("POST", `loans/${loan.id}/return`);
      return `“${book.title}” is back. Thank you.`;
    });
  }

  renew(loan, book) {
    return this.#do(book, "", async () => {
      const { data } = await api.send("POST", `loans/${loan.id}/renew`);
      return `Keep “${book.title}” until ${day(data.due_at)}.`;
    });
  }

  wait(book) {
    return this.#do(book, `Sign in to wait for “${book.title}”.`, async () => {
      const { data } = await api.send("POST", "holds", { book_id: book.id }, { key: newKey() });
      return `You are ${ordinal(data.position)} in line for “${book.title}”.`;
    });
  }

  leave(hold, book) {
    return this.#do(book, "", async () => {
      await api.send("DELETE", `holds/${hold.id}`);
      return `You wait no longer for “${book.title}”.`;
    });
  }

  /** Do something, tell how it went, and look at how things are now, which may be another reason why it failed. */
  async #do(book, reason, act) {
    if (!(await signedIn(reason))) {
      return;
    }
    let failed = null;
    const said = await act().catch((error) => void (failed = error));
    await this.load(book.id).catch((error) => (failed ??= error));
    if (failed) {
      complain(failed);
    } else {
      tell(said);
    }
  }
}

export const shelf = new Shelf();
