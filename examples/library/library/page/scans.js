/**
 * What a scan means. A scanner types like a keyboard: digits, then Enter.
 *
 * `{kind: "isbn", isbn13, isbn}`, `{kind: "label", id}` of a book without a barcode, `{kind: "card", id}` of a member,
 * `{kind: "email", email}`, `{kind: "words", text}`, or `{kind: "wrong", why}`.
 */
export function understand(scanned) {
  const text = scanned.trim().normalize("NFC").replace(/^isbn(-1[03])?:?\s*/i, "");
  const plain = text.replace(/[\s\u2010-\u2015-]/g, "").toUpperCase();
  if (/^97[89]\d{10}(\d{2}|\d{5})?$/.test(plain)) {
    // Behind the ISBN there may be the two or five digits of the price or the issue.
    return thirteen(plain.slice(0, 13));
  }
  if (/^\d{9}[\dX]$/.test(plain)) {
    return ten(plain);
  }
  if (/^\d{12,18}$/.test(plain)) {
    return { kind: "wrong", why: "That is no book’s barcode, which begins with 978 or 979. Look on the back." };
  }
  if (/^B\d{1,9}$/.test(plain)) {
    return { kind: "label", id: Number(plain.slice(1)) };
  }
  if (/^\d{1,9}$/.test(plain)) {
    return { kind: "card", id: Number(plain) };
  }
  return text.includes("@") ? { kind: "email", email: text.toLowerCase() } : { kind: "words", text };
}

function thirteen(isbn13) {
  if (checkDigit13(isbn13) !== isbn13[12]) {
    return { kind: "wrong", why: "A digit is wrong. Scan it once more." };
  }
  const nine = isbn13.slice(3, 12);
  return { kind: "isbn", isbn13, isbn: isbn13.startsWith("978") ? nine + checkDigit10(nine) : null };
}

function ten(isbn) {
  if (checkDigit10(isbn) !== isbn[9]) {
    return { kind: "wrong", why: "A digit is wrong. Scan it once more." };
  }
  const twelve = `978${isbn.slice(0, 9)}`;
  return { kind: "isbn", isbn13: twelve + checkDigit13(twelve), isbn };
}

function checkDigit13(digits) {
  const sum = [...digits.slice(0, 12)].reduce((sum, digit, place) => sum + Number(digit) * (place % 2 ? 3 : 1), 0);
  return String((10 - (sum % 10)) % 10);
}

function checkDigit10(digits) {
  const sum = [...digits.slice(0, 9)].reduce((sum, digit, place) => sum + Number(digit) * (10 - place), 0);
  return "0123456789X"[(11 - (sum % 11)) % 11];
}
