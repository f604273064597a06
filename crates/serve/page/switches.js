// The header's buttons that both pages have: language, theme, shortcuts.

import { button } from "./dom.js";
import { word, speak, language } from "./words.js";
import { help } from "./keys.js";

/** @param {string} theme */
function dress(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
}

/** Sets language and theme as they were, or as the browser wants them. */
export function begin() {
  speak(language());
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  dress(localStorage.getItem("theme") ?? (dark ? "dark" : "light"));
}

/** The buttons. @param {() => void} build draws the page again */
export function switches(build) {
  const change = (/** @type {() => void} */ by) => () => {
    by();
    build();
  };
  const other = () => dress(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  return [
    button(
      word("language"),
      change(() => speak(language() === "zh" ? "en" : "zh")),
      { id: "language" },
    ),
    button("◐", change(other), { id: "theme", "aria-label": word("theme"), title: word("theme") }),
    button("?", help, { "aria-label": word("keys"), title: word("keys") }),
  ];
}
