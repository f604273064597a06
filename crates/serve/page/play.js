// The playground: write with a model, see the distribution behind each token, take another branch,
// compare checkpoints, and measure how surprising a text is.

import { make, fill, choice } from "./dom.js";
import { word } from "./words.js";
import { ask } from "./feed.js";
import { begin, switches } from "./switches.js";
import { Column, write } from "./write.js";
import { next } from "./next.js";
import { surprise } from "./surprise.js";
import { inspect } from "./inspect.js";

/**
 * @typedef {{name: string, prompt: string, tokens: number, settings: Record<string, any>,
 *   most: {tokens: number, bytes: number},
 *   models: {run: boolean, best?: number, checkpoints: {step: number, loss: number | null}[],
 *     shape: {family: string, context: number, vocabulary: number}}}} Offer
 * @typedef {{tokens: number[], bytes: string[], nats: number[], bits_per_byte: number,
 *   context: number}} Score
 * @typedef {import("./next.js").Place} Place
 */

const OFF = { min_p: 0, repetition_penalty: 1, frequency_penalty: 0, presence_penalty: 0 };

const head = /** @type {HTMLElement} */ (document.getElementById("head"));
const main = /** @type {HTMLElement} */ (document.getElementById("panels"));
const skip = /** @type {HTMLElement} */ (document.querySelector(".skip"));

/** What the page holds, whatever language it is drawn in. */
export class Play {
  /** @param {number} id @param {Offer} offer @param {number | null} step */
  constructor(id, offer, step) {
    this.id = id;
    this.offer = offer;
    this.prompt = offer.prompt;
    this.length = offer.tokens;
    /** @type {Record<string, any>} */
    this.settings = { ...offer.settings, ...OFF };
    this.columns = [new Column(step ?? offer.models.best ?? null)];
    this.open = { penalties: false };
    /** @type {{text: string, step: number | null, skip: boolean, score: Score | null}} */
    this.own = { text: "", step: step, skip: false, score: null };
    this.passage = "";
    /** @type {{inside: import("./look.js").Inside, at: number} | null} */
    this.seen = null;
    /** @type {{column: Column, at: number} | null} */
    this.chosen = null;
    /** @type {Place | null} */
    this.place = null;
    /** @type {AbortController | null} */
    this.task = null;
    // Set by the panels.
    this.look = () => {};
    this.busy = () => {};
    this.unmark = () => {};
    /** @param {boolean} _skip */
    this.generate = (_skip) => {};
  }

  /** Begins to write; what was being written stops. */
  start() {
    this.task?.abort();
    this.task = new AbortController();
    this.busy();
    return this.task.signal;
  }

  /** @param {AbortSignal} signal */
  end(signal) {
    if (this.task?.signal !== signal) return;
    this.task = null;
    this.busy();
  }

  stop() {
    this.task?.abort();
  }

  /** Shows the distribution at a place of a column, or at another one.
   * @param {Column | null} column @param {number} at @param {Place | null} [other] */
  select(column, at, other = null) {
    this.chosen?.column.mark(null);
    this.unmark();
    this.chosen = column && { column, at };
    column?.mark(at);
    this.place = column?.choose(at) ?? other;
    this.look();
  }

  /** On a narrow page, the distribution may be out of sight. */
  reveal() {
    if (!matchMedia("(max-width: 60rem)").matches) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const behavior = calm ? "auto" : "smooth";
    document.getElementById("next")?.scrollIntoView({ block: "nearest", behavior });
  }
}

/** @type {{runs: {id: number, name: string}[]}} */
const server = await ask("/api/runs");
/** @type {Play | null} */
let play = null;
let problem = "";

function heading() {
  skip.textContent = word("skip");
  const names = /** @type {[string, string][]} */ (server.runs.map((r) => [String(r.id), r.name]));
  const shape = play?.offer.models.shape;
  const told = shape
    ? [
        shape.family,
        `${word("context")} ${shape.context}`,
        `${shape.vocabulary.toLocaleString("en")} ${word("tokens")}`,
      ]
    : [];
  fill(
    head,
    make("h1", {}, "downhill"),
    names.length > 1
      ? choice(word("runs"), names, String(play?.id ?? asked().id), (id) => {
          location.hash = id;
        })
      : make("b", { class: "name" }, names[0]?.[1] ?? ""),
    make("span", { class: "state" }, told.join(" · ")),
    play?.offer.models.run
      ? make("a", { class: "to", href: `/#${play.id}` }, word("livePage"))
      : null,
    ...switches(build),
  );
  document.title = `${word("playground")} · ${play?.offer.name ?? "downhill"}`;
}

function build() {
  heading();
  fill(main);
  if (!play) {
    fill(main, make("section", { class: "wide" }, problem));
    return;
  }
  const known = play;
  for (const [name, fills] of /** @type {const} */ ([
    ["write", write],
    ["next", next],
    ["surprise", surprise],
    ["inside", inspect],
  ])) {
    const body = make("div", {});
    const title = make("h2", { id: `${name}-title` }, word(name === "write" ? "writeTitle" : name));
    const labels = { id: name, tabindex: -1, "aria-labelledby": title.id };
    main.append(make("section", labels, title, body));
    fills(body, known);
  }
}

/** The run and the step in the page's address. */
function asked() {
  const [id, step] = location.hash.slice(1).split("-");
  return { id: Number(id || (server.runs[0]?.id ?? 0)), step: step ? Number(step) : null };
}

async function show() {
  play?.stop();
  const { id, step } = asked();
  try {
    const offer = await ask(`/api/play/${id}`);
    const there = offer.models.checkpoints.some((/** @type {any} */ c) => c.step === step);
    play = new Play(id, offer, there ? step : null);
  } catch (error) {
    play = null;
    problem = /** @type {Error} */ (error).message;
  }
  build();
}

begin();
addEventListener("hashchange", show);
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && play && !play.task)
    play.generate(false);
  if (event.key === "Escape") play?.stop();
});
skip.addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
await show();
document.documentElement.dataset.ready = "yes";
