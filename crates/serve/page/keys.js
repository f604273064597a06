// Keyboard shortcuts, and the dialog that lists them.

import { make, fill, button } from "./dom.js";
import { word } from "./words.js";

const LIVE = /** @type {const} */ ([
  ["P", "keyPlay"],
  ["← →", "keyMove"],
  ["+ − ← → 0", "keyZoom"],
]);
const PLAYGROUND = /** @type {const} */ ([
  ["Ctrl + ⏎", "keyWrite"],
  ["Esc", "keyStop"],
  ["← →", "keyToken"],
]);
const LESSON = /** @type {const} */ ([
  ["1 … 9", "keyLesson"],
  ["P", "keyPlay"],
]);
/** The keys of the panels in order. */
const PANELS = "123456789ABCDEFG";
const BOTH = /** @type {const} */ ([
  ["L", "keyLanguage"],
  ["T", "keyTheme"],
  ["?", "keyHelp"],
]);

const list = /** @type {HTMLDialogElement} */ (
  make("dialog", { id: "keys", "aria-labelledby": "keys-title" })
);
document.body.append(list);

/** The shortcuts of the open page. */
function own() {
  const { classList } = document.body;
  if (classList.contains("lesson")) return LESSON;
  return classList.contains("play") ? PLAYGROUND : LIVE;
}

/** Shows or hides the list of shortcuts. */
export function help() {
  if (list.open) {
    list.close();
    return;
  }
  const row = (/** @type {string} */ key, /** @type {string} */ what) =>
    make("tr", {}, make("td", {}, make("kbd", {}, key)), make("td", {}, what));
  const titles = [...document.querySelectorAll("main > section > h2")];
  fill(
    list,
    make("h2", { id: "keys-title" }, word("keys")),
    make(
      "table",
      {},
      ...titles.map((title, at) =>
        row(PANELS[at] ?? "", `${word("keyPanel")}${title.textContent ?? ""}`),
      ),
      ...[...own(), ...BOTH].map(([key, what]) => row(key, word(what))),
    ),
    button(word("close"), () => list.close()),
  );
  list.showModal();
}

/** The panel with the largest visible height. @param {Element[]} panels */
function foremost(panels) {
  const share = (/** @type {Element} */ panel) => {
    const { top, bottom } = panel.getBoundingClientRect();
    return Math.min(bottom, innerHeight) - Math.max(top, 0);
  };
  return panels.reduce(
    (best, panel) => (share(panel) > share(best) ? panel : best),
    /** @type {Element} */ (panels[0]),
  );
}

addEventListener("keydown", (event) => {
  const typing =
    event.target instanceof HTMLElement &&
    event.target.matches("input:not([type=range], [type=checkbox]), select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const panels = [...document.querySelectorAll("main > section")];
  const go = panels[PANELS.indexOf(event.key.toUpperCase())];
  if (go instanceof HTMLElement) {
    go.scrollIntoView();
    go.focus({ preventScroll: true });
    return;
  }
  const press = (/** @type {Element | null | undefined} */ element) => {
    if (element instanceof HTMLElement) element.click();
  };
  switch (event.key.toLowerCase()) {
    case "?":
      help();
      break;
    case "l":
      press(document.getElementById("language"));
      break;
    case "t":
      press(document.getElementById("theme"));
      break;
    case "p":
      if (panels.length)
        press(
          (document.activeElement?.closest("section") ?? foremost(panels)).querySelector(
            "[data-play]",
          ),
        );
      break;
    default:
      return;
  }
  event.preventDefault();
});
