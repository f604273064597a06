// Panel: how surprising a text of one's own is, token by token.

import { make, fill, button, choice } from "./dom.js";
import { word, figure, numbered } from "./words.js";
import { lines } from "./feed.js";
import { Reader, mark, selectable, span } from "./tokens.js";

/** @param {HTMLElement} root @param {import("./play.js").Play} play */
export function surprise(root, play) {
  const own = play.own;
  const box = /** @type {HTMLTextAreaElement} */ (
    make("textarea", {
      id: "own-text",
      rows: 4,
      maxlength: play.offer.most.bytes,
      "aria-label": word("ownText"),
      placeholder: word("ownHere"),
      oninput: () => {
        own.text = box.value;
      },
    })
  );
  box.value = own.text;
  const told = make("div", { class: "standing", role: "status" });
  const cards = make("div", { class: "cards", id: "own-cards" });
  const text = make("div", {
    class: "text lens writing",
    id: "own-tokens",
    role: "listbox",
    "aria-label": word("ownText"),
  });
  selectable(text, choose);
  const { checkpoints, best } = play.offer.models;
  own.step ??= best ?? null;
  const which = choice(
    word("checkpoint"),
    checkpoints.map(({ step }) => [String(step), numbered(step.toLocaleString("en"))]),
    String(own.step),
    (step) => {
      own.step = Number(step);
      if (own.score) measure(own.skip);
    },
  );
  fill(
    root,
    make("p", { class: "note" }, word("ownNote")),
    box,
    make(
      "div",
      { class: "bar" },
      button(word("measure"), () => measure(false), { id: "own-go", class: "main" }),
      checkpoints.length > 1 ? which : null,
      told,
    ),
    cards,
    text,
  );
  paint();

  /** @param {boolean} skip */
  async function measure(skip) {
    told.textContent = word("onReading");
    own.skip = skip;
    try {
      const ask = { step: own.step, text: own.text, skip_unknown: skip };
      for await (const line of lines(`/api/play/${play.id}/score`, ask)) {
        if (line === "loading") told.textContent = word("onLoading");
        if (line.score) {
          own.score = line.score;
          told.textContent = "";
          if (play.chosen === null) play.place = null;
          paint();
        }
        if (line.error) fill(told, ...complaint(line.error));
      }
    } catch (error) {
      fill(told, make("span", { class: "error" }, /** @type {Error} */ (error).message));
    }
  }

  /** @param {{message: string, unknown: string[]}} error */
  function complaint(error) {
    if (!error.unknown.length) return [make("span", { class: "error" }, error.message)];
    const message = `${word("unknown")} ${error.unknown.join(" ")}`;
    return [
      make("span", { class: "error" }, message),
      button(word("skipUnknown"), () => measure(true), { class: "skip-unknown" }),
    ];
  }

  function paint() {
    const score = own.score;
    cards.hidden = !score;
    text.hidden = !score;
    if (!score) return;
    const reader = new Reader();
    fill(
      text,
      ...score.tokens.map((_, at) => {
        const bytes = score.bytes[at] ?? "";
        const nats = at === 0 ? null : (score.nats[at - 1] ?? null);
        return span({ bytes, nats }, at, reader.read(bytes));
      }),
    );
    mark(text, null);
    const total = score.nats.reduce((sum, nats) => sum + nats, 0);
    const card = (/** @type {string} */ name, /** @type {string} */ value) =>
      make("div", {}, make("small", {}, name), make("b", {}, value));
    const mean = total / score.nats.length;
    fill(
      cards,
      card(word("bits"), figure(score.bits_per_byte)),
      card(word("nats"), figure(mean)),
      card(word("bitsPerToken"), figure(mean / Math.LN2)),
      card(word("tokens"), String(score.tokens.length)),
    );
  }

  /** @param {number} at */
  function choose(at) {
    const score = own.score;
    if (!score || at === 0) return;
    // The model reads a text in windows that don't overlap.
    const from = Math.floor((at - 1) / score.context) * score.context;
    const reader = new Reader();
    const before = score.bytes.slice(from, at).map((hex) => reader.read(hex));
    play.select(null, 0, {
      step: own.step,
      tokens: score.tokens.slice(from, at),
      first: at - from,
      also: score.tokens[at] ?? null,
      text: before.join(""),
      choose: null,
    });
    mark(text, at);
    play.reveal();
  }
  play.unmark = () => mark(text, null);
}
