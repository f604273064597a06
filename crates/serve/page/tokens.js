// How tokens are shown: as text that is readable although a token may be a part of a character, and
// in a color for how surprising they were.

import { make } from "./dom.js";
import { word } from "./words.js";

/** Surprise at which the color is darkest, in nats. */
const DARKEST = 6;

/** The color of a surprise. @param {number | null | undefined} nats @param {number} [strength] */
export function tint(nats, strength = 0.75) {
  const share = Math.min(1, (nats ?? DARKEST) / DARKEST);
  return `background:rgba(230,110,30,${(share * strength).toFixed(2)})`;
}

/** A text whose white space and control characters can be seen. @param {string} text */
export function visible(text) {
  return text
    .replace(/\n/g, "⏎")
    .replace(/\t/g, "⇥")
    .replace(/ /g, "␣")
    .replace(/\p{Cc}/gu, (c) => String.fromCodePoint(0x2400 + Math.min(0x21, c.charCodeAt(0))));
}

/** @param {string} hex */
function bytes(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));
}

/** A token alone; a part of a character as its bytes. @param {string} hex */
export function alone(hex) {
  try {
    return visible(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes(hex)));
  } catch {
    return `⟨${hex.toUpperCase().match(/../g)?.join(" ")}⟩`;
  }
}

/** Reads tokens in order: the characters that are complete with each. */
export class Reader {
  constructor() {
    this.decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  }

  /** @param {string} hex */
  read(hex) {
    return this.decoder.decode(bytes(hex), { stream: true });
  }
}

/** Text in which line breaks and tabs can be seen. @param {string} text @returns {Node[]} */
export function pieces(text) {
  return text.split(/([\n\t]|\p{Cc})/u).flatMap((part) => {
    if (part === "") return [];
    const sign = /^\p{Cc}$/u.test(part) ? visible(part) : null;
    const own = sign === null || part === "\n" || part === "\t" ? part : "";
    return [...(sign === null ? [] : [make("i", {}, sign)]), document.createTextNode(own)];
  });
}

/**
 * A token in its text. One that is only a part of a character is a thin mark before it.
 * @param {{bytes: string, nats: number | null}} token
 * @param {number} at
 * @param {string} text what is complete with it
 * @param {number} [strength] of the color
 */
export function span(token, at, text, strength) {
  const surprise = token.nats === null ? "" : ` · ${(token.nats / Math.LN2).toFixed(2)}`;
  const bits =
    token.nats === null ? "" : ` ${word("bitsUnit")} · ${percent(Math.exp(-token.nats))}`;
  return make(
    "span",
    {
      "data-at": at,
      class: text === "" ? "part" : "",
      role: "option",
      tabindex: -1,
      "aria-selected": "false",
      style: token.nats === null ? null : tint(token.nats, strength),
      title: `${alone(token.bytes)}${surprise}${bits}`,
    },
    ...pieces(text),
  );
}

/** A probability with three digits at most. @param {number} share */
export function percent(share) {
  const hundred = share * 100;
  if (hundred > 0 && hundred < 0.05) return "<0.1%";
  return `${hundred.toFixed(hundred < 99.95 && hundred > 0 ? 1 : 0)}%`;
}

/**
 * Lets tokens be chosen in a text, by mouse and by the arrow keys.
 * @param {HTMLElement} text
 * @param {(at: number) => void} choose
 */
export function selectable(text, choose) {
  text.addEventListener("click", (event) => {
    const found = event.target instanceof Element ? event.target.closest("[data-at]") : null;
    if (found instanceof HTMLElement) choose(Number(found.dataset.at));
  });
  text.addEventListener("keydown", (event) => {
    const move = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const now = text.querySelector(".chosen");
    if (!move || !(now instanceof HTMLElement)) return;
    event.preventDefault();
    const to = text.querySelector(`[data-at="${Number(now.dataset.at) + move}"]`);
    if (to instanceof HTMLElement) {
      choose(Number(to.dataset.at));
      to.focus();
    }
  });
}

/** Marks the chosen token of a text; the first can be reached by Tab if none is.
 * @param {HTMLElement} text @param {number | null} at */
export function mark(text, at) {
  for (const old of text.querySelectorAll(".chosen, [tabindex='0']")) {
    old.classList.remove("chosen");
    old.setAttribute("aria-selected", "false");
    old.setAttribute("tabindex", "-1");
  }
  const now = text.querySelector(`[data-at="${at ?? 0}"]`);
  now?.setAttribute("tabindex", "0");
  if (at === null) return;
  now?.classList.add("chosen");
  now?.setAttribute("aria-selected", "true");
}
