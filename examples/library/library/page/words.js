/** What people read: dates, numbers, languages and errors in their words. */
import { Problem, Unreachable } from "./api.js";

const DAY_MS = 86_400_000;
const LOCALE = "en-GB";
const THIS_YEAR = new Intl.DateTimeFormat(LOCALE, { weekday: "short", day: "numeric", month: "short" });
const ANY_YEAR = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", year: "numeric" });
const LANGUAGES = new Intl.DisplayNames(LOCALE, { type: "language", fallback: "code" });
const ORDINALS = new Intl.PluralRules(LOCALE, { type: "ordinal" });
const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };

/** Those that browsers have no name for. */
const OLDER = {
  ang: "Old English", enm: "Middle English", frm: "Middle French", fro: "Old French", gmh: "Middle High German",
  grc: "Ancient Greek", jrb: "Judeo-Arabic", lzh: "Classical Chinese", non: "Old Norse",
};

/** Those that a catalogue is most often narrowed to. */
export const COMMON_LANGUAGES = [
  "grc", "ar", "bn", "zh", "lzh", "cs", "da", "nl", "en", "fi", "fr", "de", "it", "ja", "la", "no", "fa", "pl", "pt",
  "ru", "sa", "es", "sv",
];

export function day(time) {
  const date = new Date(time);
  return (date.getFullYear() === new Date().getFullYear() ? THIS_YEAR : ANY_YEAR).format(date);
}

/** Tell how many whole days are left until then, by the calendar; fewer than none when it is past. */
export function daysUntil(time) {
  const midnight = (date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((midnight(new Date(time)) - midnight(new Date())) / DAY_MS);
}

export function due(time) {
  const days = daysUntil(time);
  if (days < 0 || Date.parse(time) < Date.now()) {
    return days < 0 ? `${count(-days, "day")} late` : "late since today";
  }
  return days === 0 ? "due today" : days === 1 ? "due tomorrow" : `due in ${days} days`;
}

export function count(number, noun) {
  return `${number.toLocaleString(LOCALE)} ${noun}${number === 1 ? "" : "s"}`;
}

export function ordinal(number) {
  return `${number}${ENDINGS[ORDINALS.select(number)]}`;
}

export function year(number) {
  return number < 0 ? `${-number} BC` : String(number);
}

export function language(tag) {
  return OLDER[tag] ?? LANGUAGES.of(tag);
}

export function by(authors) {
  return authors.length > 3 ? `${authors.slice(0, 3).join(", ")} and others` : authors.join(", ");
}

export function shelf({ copies, available }) {
  if (copies === 0) {
    return "Not in the house";
  }
  return available === 0 ? "All copies are out" : `${available} of ${copies} on the shelf`;
}

function wait(seconds) {
  if (!(seconds > 0)) {
    return "in a moment";
  }
  return seconds < 90 ? `in ${count(Math.ceil(seconds), "second")}` : `in ${count(Math.ceil(seconds / 60), "minute")}`;
}

/** Say what went wrong, and what to do about it. */
export function explain(error) {
  if (error instanceof Unreachable) {
    return "The library cannot be reached. Look at your connection, and try again.";
  }
  if (!(error instanceof Problem)) {
    console.error(error);
    return "Something went wrong on this page. Please load it again.";
  }
  switch (error.status) {
    case 400:
      return "Please correct what is marked.";
    case 401:
      return "Please sign in again.";
    case 403:
      return "That is for librarians only.";
    case 404:
      return "That is not there any more.";
    case 409:
      return error.detail ?? "That does not go with how things are now.";
    case 412:
      return "Somebody else changed this in the meantime.";
    case 413:
      return "That is too long.";
    case 429:
      return `That was too often. Please try again ${wait(error.retryAfterS)}.`;
    case 503:
      return `The library is busy. Please try again ${wait(error.retryAfterS)}.`;
    default: {
      const number = error.id ? ` The librarian can look it up under ${error.id}.` : "";
      return `Something went wrong in the library’s computer. Please try again.${number}`;
    }
  }
}
