/** Look for faults in the page as it stands: the audits that are named, or all; each fault is told in words. */
(names) => {
  const all = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility());
  const short = (one) => one.outerHTML.slice(0, 120);

  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const channels = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) =>
    color
      .slice(0, 3)
      .map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
      .reduce((sum, c, place) => sum + c * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = channels(getComputedStyle(one).backgroundColor);
      if (color[3] === 255) {
        return color;
      }
    }
    return [255, 255, 255];
  };
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);

  const audits = {
    /** Nothing is wider than the window. */
    width() {
      const width = document.documentElement.clientWidth;
      const shown = all("body *").filter((one) => !one.closest(".unseen, .skip, .cover, svg"));
      const wide = shown.filter((one) => one.getBoundingClientRect().right > width + 0.5).map(short);
      return document.documentElement.scrollWidth > width ? ["the page", ...wide] : wide;
    },

    /** Texts have the contrast that WCAG 2.2 asks for in 1.4.3. */
    textContrast() {
      const written = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      return all("body *")
        .filter((one) => (one.matches("input, select, textarea") || written(one)) && !one.closest("option, title"))
        .map((one) => [one, getComputedStyle(one)])
        .map(([one, style]) => [one, ratio(channels(one.closest("svg") ? style.fill : style.color), behind(one))])
        .filter(([, found]) => found < 4.5)
        .map(([one, found]) => `${found.toFixed(2)}: ${short(one)}`);
    },

    /** And the frames of fields, by which one knows them, that of 1.4.11. */
    frameContrast() {
      return all("input:not([type=checkbox], [type=radio]), select, textarea")
        .map((one) => [one, ratio(channels(getComputedStyle(one).borderTopColor), behind(one.parentElement))])
        .filter(([, found]) => found < 3)
        .map(([one, found]) => `${found.toFixed(2)}: ${short(one)}`);
    },

    /** What stands alone is 44 pixels high and wide. A link within a text is as high as its line. */
    size() {
      return all("button, select, textarea, summary, label.check, nav a, input:not([type=checkbox], [type=radio])")
        .map((one) => [one, one.getBoundingClientRect()])
        .filter(([, box]) => box.height < 43.9 || box.width < 43.9)
        .map(([one, box]) => `${box.width} x ${box.height}: ${short(one)}`);
    },

    /** Everything that one can do something with has a name, and so have pictures, or they are left out. */
    names() {
      const label = (one) => one.getAttribute("aria-label")?.trim();
      const fields = [...document.querySelectorAll("input, select, textarea")];
      return [
        ...fields.filter((one) => !label(one) && ![...one.labels].some((text) => text.textContent.trim())),
        ...[...document.querySelectorAll("button, a")].filter((one) => !label(one) && !one.textContent.trim()),
        ...document.querySelectorAll("img:not([alt]), svg:not([aria-hidden], [aria-label])"),
        ...document.querySelectorAll(":is(dialog, section):not([aria-labelledby]), table:not(:has(thead))"),
      ].map(short);
    },

    /** Whatever points to an element finds it, and it is the only one of that name. */
    references() {
      const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
      const twice = ids.filter((id, place) => ids.indexOf(id) !== place);
      const lost = ["aria-labelledby", "aria-describedby", "for"].flatMap((name) =>
        [...document.querySelectorAll(`[${name}]`)].filter((one) =>
          one.getAttribute(name).split(" ").some((id) => !ids.includes(id)),
        ),
      );
      return [...twice, ...lost.map(short)];
    },

    /** There is one heading of the first level, and the others go down one level at a time. */
    headings() {
      const levels = all("main :is(h1, h2, h3, h4)").map((one) => Number(one.tagName[1]));
      const jumps = levels.some((level, place) => level > (levels[place - 1] ?? 0) + 1);
      return jumps || levels.filter((level) => level === 1).length !== 1 ? [levels.join(" ")] : [];
    },
  };
  return (names ?? Object.keys(audits)).flatMap((name) => audits[name]().map((fault) => `${name}: ${fault}`));
}
