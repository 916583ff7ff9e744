/** The bars of a member's card, for the scanner at the desk: Code 39 (ISO/IEC 16388), of digits only. */
import { svg } from "./dom.js";

// Bars and spaces in turn, narrow or wide, beginning with a bar.
const SYMBOLS = {
  0: "nnnwwnwnn", 1: "wnnwnnnnw", 2: "nnwwnnnnw", 3: "wnwwnnnnn", 4: "nnnwwnnnw", 5: "wnnwwnnnn", 6: "nnwwwnnnn",
  7: "nnnwnnwnw", 8: "wnnwnnwnn", 9: "nnwwnnwnn", "*": "nwnnwnwnn",
};
const WIDE = 2.5;
const HEIGHT = 24;
const QUIET = 10;

export function code39(digits) {
  let x = QUIET;
  const bars = [];
  for (const symbol of `*${digits}*`) {
    for (const [place, kind] of [...SYMBOLS[symbol]].entries()) {
      const width = kind === "w" ? WIDE : 1;
      if (place % 2 === 0) {
        bars.push(svg("rect", { x, y: 4, width, height: HEIGHT }));
      }
      x += width;
    }
    x += 1;
  }
  const viewBox = `0 0 ${x - 1 + QUIET} ${HEIGHT + 8}`;
  return svg("svg", { viewBox, class: "barcode", role: "img", "aria-label": `Barcode of card ${digits}` }, bars);
}
