/** A copy that comes back. */
import { api } from "./api.js";
import { day } from "./words.js";

/** End a loan, and say where the copy belongs: on the shelf, or behind the desk for who waits. */
export async function takeBack(loan) {
  const keptFor = async () => {
    const query = { book_id: loan.book_id, kept_until__isnull: false, include: "user", per_page: 100 };
    return (await api.get("holds", { query })).data.holds;
  };
  const before = new Set((await keptFor()).map((hold) => hold.id));
  await api.send("POST", `loans/${loan.id}/return`);
  const hold = (await keptFor()).find((hold) => !before.has(hold.id));
  if (hold === undefined) {
    return "It goes on the shelf.";
  }
  return `Keep it behind the desk for ${hold.user.username}, until ${day(hold.kept_until)}.`;
}
