// Panel: the model's predictions, token by token.

import { make, fill, film, choice } from "./dom.js";
import { word, figure, numbered } from "./words.js";
import { tint, visible } from "./tokens.js";

/** @param {HTMLElement} root @param {import("./feed.js").Feed} feed */
export function lens(root, feed) {
  let passage = 0;
  let chosen = 20;
  const text = make("div", {
    class: "text lens",
    id: "lens-text",
    role: "listbox",
    "aria-label": word("lens"),
  });
  const top = make("div", { class: "top", id: "lens-top", "aria-live": "polite" });
  const frames = film(word("lens"), word("play"), show);
  const which = make("div", { class: "bar" });
  fill(root, make("p", { class: "note" }, word("lensNote")), which, frames.element, text, top);
  text.addEventListener("click", (event) => pick(event.target));
  text.addEventListener("keydown", (event) => {
    const move = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (move) {
      chosen = Math.max(0, chosen + move);
      event.preventDefault();
      show(frames.at());
      /** @type {HTMLElement | null} */ (text.querySelector(".chosen"))?.focus();
    }
  });
  /** @param {EventTarget | null} target */
  function pick(target) {
    const at = target instanceof HTMLElement ? target.dataset.at : undefined;
    if (at !== undefined) {
      chosen = Number(at);
      show(frames.at());
    }
  }
  /** @param {number} at */
  async function show(at) {
    const event = feed.all("lens")[at];
    if (!event) {
      text.textContent = word("none");
      return;
    }
    const { passages } = await feed.whole(event);
    if (frames.at() !== at) return;
    frames.say(`${numbered(event.step)}`);
    if (!which.hasChildNodes() && passages.length > 1) {
      fill(
        which,
        choice(
          word("passage"),
          passages.map((/** @type {any} */ _, /** @type {number} */ i) => [
            String(i),
            String(i + 1),
          ]),
          String(passage),
          (value) => {
            passage = Number(value);
            show(frames.at());
          },
        ),
      );
    }
    paint(passages[passage]);
  }
  /** @param {any} p */
  function paint(p) {
    chosen = Math.min(chosen, p.nats.length - 1);
    const spans = p.tokens.slice(1).map((/** @type {string} */ token, /** @type {number} */ i) => {
      const shown = token.replace(/\t/g, "⇥\t").replace(/\n/g, "⏎\n");
      return make(
        "span",
        {
          "data-at": i,
          class: i === chosen ? "chosen" : "",
          role: "option",
          tabindex: i === chosen ? 0 : -1,
          "aria-selected": String(i === chosen),
          style: tint(p.nats[i]),
          title: `${figure(p.nats[i])} ${word("unit")}`,
        },
        shown,
      );
    });
    fill(text, p.tokens[0].replace(/\t/g, "⇥\t").replace(/\n/g, "⏎\n"), ...spans);
    const truth = p.tokens[chosen + 1];
    const rows = p.top[chosen].flatMap((/** @type {[string, number]} */ [token, share]) => [
      make("div", { class: token === truth ? "token truth" : "token" }, visible(token)),
      make("div", { class: "share", style: `width:${(share * 100).toFixed(1)}%` }),
      make("div", {}, `${(share * 100).toFixed(1)}%`),
    ]);
    fill(
      top,
      make("div", { class: "token truth" }, visible(truth)),
      make(
        "div",
        {},
        `${word("truth")} · ${word("surprised")} ${figure(p.nats[chosen])} ${word("unit")} · ` +
          `${word("probability")} ${figure(100 * Math.exp(-(p.nats[chosen] ?? NaN)))} %`,
      ),
      make("div", {}),
      ...rows,
    );
  }
  return () => {
    frames.count(feed.all("lens").length);
    show(frames.at());
  };
}
