// A look inside a model: where its attention heads look in a passage, what it would say after each
// layer, and its tokens on a map.

import { make, fill, choice, svg } from "./dom.js";
import { word, figure, filled } from "./words.js";
import { mark, percent, pieces, selectable, visible } from "./tokens.js";

/** The color of attention, seen on light and on dark. */
const BLUE = [80, 130, 220];
/** Pixels of a head's picture. */
const PICTURE = 64;
/** Maximum characters of a token in a table or on the map. */
const WIDTH = 16;

/**
 * @typedef {{layer: number, head: number, kind: string, scores: Record<string, number | null>,
 *   attention: number[][]}} Head
 * @typedef {{tokens: string[], x: number[], y: number[], share: number | null,
 *   near: [string, number][][]}} TokenMap
 * @typedef {{tokens: string[], heads: Head[], embeddings: TokenMap,
 *   layers: {nats: (number | null)[], mean_nats: number | null,
 *     top: [string, number][][]}[]}} Inside
 */

/** A token in a table or on the map. @param {string} token */
function short(token) {
  const all = [...(visible(token) || `⟨${word("endToken")}⟩`)];
  return all.length > WIDTH ? `${all.slice(0, WIDTH - 1).join("")}…` : all.join("");
}

/** @param {Head} head */
const named = (head) => filled("headName", head.layer, head.head);

/** The head that looks most for answers. @param {Inside} inside */
export function answering({ heads }) {
  const scored = heads.filter((head) => typeof head.scores.answer === "number");
  const score = (/** @type {Head} */ head) => head.scores.answer ?? 0;
  return scored.sort((a, b) => score(b) - score(a))[0];
}

/** A head's attention as a picture: a row for each token. @param {Head} head */
function picture(head) {
  const size = head.attention.length;
  const canvas = /** @type {HTMLCanvasElement} */ (
    make("canvas", { width: size, height: size, "aria-hidden": "true" })
  );
  const pen = canvas.getContext("2d");
  if (!pen) return canvas;
  const pixels = pen.createImageData(size, size);
  head.attention.forEach((row, t) =>
    row.forEach((share, u) => pixels.data.set([...BLUE, share], 4 * (t * size + u))),
  );
  pen.putImageData(pixels, 0, 0);
  canvas.style.width = `${PICTURE}px`;
  return canvas;
}

/**
 * The map turned, and mirrored if need be, to fit another of the same tokens.
 * @param {TokenMap} map @param {TokenMap} to
 */
function turned(map, to) {
  const fit = (/** @type {number} */ sign) => {
    let [along, across] = [0, 0];
    map.x.forEach((x, i) => {
      const y = sign * (map.y[i] ?? 0);
      const [a, b] = [to.x[i] ?? 0, to.y[i] ?? 0];
      along += x * a + y * b;
      across += x * b - y * a;
    });
    const size = Math.hypot(along, across) || 1;
    return { sign, size, cos: along / size, sin: across / size };
  };
  const [same, mirrored] = [fit(1), fit(-1)];
  const { sign, cos, sin } = mirrored.size > same.size ? mirrored : same;
  const y = map.y.map((own) => sign * own);
  return {
    x: map.x.map((x, i) => cos * x - sin * (y[i] ?? 0)),
    y: map.x.map((x, i) => sin * x + cos * (y[i] ?? 0)),
  };
}

/** What was seen inside a model, drawn; a reader's choices stay from one look to the next. */
export class Look {
  constructor() {
    /** @type {Inside | null} */
    this.now = null;
    this.token = 20;
    this.pointed = 0;
    /** @type {string | null} */
    this.chosen = null;
    this.text = make("div", {
      class: "text lens",
      id: "inside-text",
      role: "listbox",
      "aria-label": word("passage"),
    });
    this.told = make("p", { id: "inside-told", "aria-live": "polite" });
    this.heads = make("div", { class: "heads", id: "inside-heads" });
    this.layers = make("table", { id: "inside-layers" });
    this.mapNote = make("p", { class: "note" });
    this.map = svg("svg", {
      viewBox: "-1.15 -1.15 2.3 2.3",
      id: "inside-map",
      role: "img",
      "aria-label": word("mapTitle"),
    });
    this.near = make("div", { id: "inside-near", "aria-live": "polite" });
    selectable(this.text, (at) => this.point(at));
    this.text.addEventListener("pointerover", (event) => this.over(event, (at) => this.point(at)));
    this.map.addEventListener("pointerover", (event) => this.over(event, (at) => this.nearest(at)));
    this.map.addEventListener("click", (event) => this.over(event, (at) => this.nearest(at)));
    this.element = make(
      "div",
      {},
      make(
        "div",
        { class: "two" },
        make("div", {}, this.text, this.told, make("h3", {}, word("layersTitle")), this.layers),
        make("div", {}, make("h3", {}, word("heads")), this.heads),
      ),
      make("p", { class: "note" }, word("layersNote")),
      make("h3", {}, word("mapTitle")),
      this.mapNote,
      make("div", { class: "two" }, this.map, this.near),
    );
  }

  /** @param {Event} event @param {(at: number) => void} act */
  over(event, act) {
    const found = event.target instanceof Element ? event.target.closest("[data-at]") : null;
    const at = found?.getAttribute("data-at");
    if (at) act(Number(at));
  }

  /** @param {Inside} seen @param {TokenMap} newest the map that this one is turned to fit */
  show(seen, newest) {
    this.now = seen;
    this.passage(seen.tokens);
    this.sort(seen.heads);
    this.point(Math.min(this.token, seen.tokens.length - 1));
    this.place(seen.embeddings, newest);
  }

  /** @param {string[]} tokens */
  passage(tokens) {
    const spans = [...this.text.children];
    if (spans.length === tokens.length && spans.every((span, i) => span.ariaLabel === tokens[i]))
      return;
    fill(
      this.text,
      ...tokens.map((token, at) =>
        make(
          "span",
          { "data-at": at, role: "option", tabindex: -1, "aria-label": token },
          ...pieces(token),
        ),
      ),
    );
  }

  /** @param {Head[]} all */
  sort(all) {
    if (!all.some((head) => named(head) === this.chosen))
      this.chosen = all[0] ? named(all[0]) : null;
    const one = (/** @type {Head} */ head) =>
      make(
        "button",
        {
          type: "button",
          "aria-pressed": String(named(head) === this.chosen),
          "aria-label": `${named(head)}, ${word(`kind_${head.kind}`)}`,
          title: named(head),
          onclick: () => {
            this.chosen = named(head);
            this.sort(all);
            this.point(this.token);
          },
        },
        picture(head),
        make("small", {}, `${head.layer}.${head.head}`),
      );
    const kinds = [...new Set(all.map((head) => head.kind))];
    const group = (/** @type {string} */ kind) =>
      make(
        "div",
        {},
        make("small", {}, word(`kind_${kind}`)),
        make("div", { class: "row" }, ...all.filter((head) => head.kind === kind).map(one)),
      );
    fill(this.heads, ...kinds.map(group));
  }

  /** Shows where the chosen head looks from a token. @param {number} at */
  point(at) {
    if (!this.now) return;
    this.token = at;
    mark(this.text, at);
    const head = this.now.heads.find((other) => named(other) === this.chosen);
    const row = head?.attention[at] ?? [];
    for (const [u, span] of [...this.text.children].entries()) {
      const share = (row[u] ?? 0) / 255;
      if (!(span instanceof HTMLElement)) continue;
      span.style.background = share ? `rgba(${BLUE},${(0.08 + 0.8 * share).toFixed(2)})` : "";
      span.title = u <= at ? `${word("attends")} ${percent(share)}` : "";
    }
    const scores = Object.entries(head?.scores ?? {}).flatMap(([name, share]) =>
      typeof share !== "number" ? [] : [`${percent(share)} ${word(`score_${name}`)}`],
    );
    if (head)
      fill(
        this.told,
        make("b", {}, `${named(head)} · ${word(`kind_${head.kind}`)}`),
        `: ${scores.join("; ")}`,
      );
    this.say(this.now);
  }

  /** What each layer would say after the chosen token. @param {Inside} seen */
  say(seen) {
    const next = seen.tokens[this.token + 1];
    const row = (/** @type {string} */ tag, /** @type {(Node | string)[]} */ cells) =>
      make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));
    const line = (/** @type {Inside["layers"][0]} */ layer, /** @type {number} */ at) => {
      const top = (layer.top[this.token] ?? []).flatMap(([token, share]) => [
        make("b", { class: token === next ? "truth token" : "token" }, short(token)),
        ` ${percent(share)}  `,
      ]);
      const costs = [layer.nats[this.token], layer.mean_nats].map(figure);
      return row("td", [String(at), make("span", {}, ...top), ...costs]);
    };
    const head = row("th", ["layer", "likeliest", "costHere", "costMean"].map(word));
    fill(this.layers, head, ...seen.layers.map(line));
  }

  /** @param {TokenMap} map @param {TokenMap} newest */
  place(map, newest) {
    this.mapNote.textContent = filled("mapNote", percent(map.share ?? 0));
    const { x, y } = turned(map, newest);
    this.map.replaceChildren(
      ...map.tokens.map((token, at) =>
        svg("text", { "data-at": at, x: x[at] ?? 0, y: -(y[at] ?? 0) }, short(token)),
      ),
    );
    this.nearest(Math.min(this.pointed, map.tokens.length - 1));
  }

  /** Lists the nearest of a token, and marks them on the map. @param {number} at */
  nearest(at) {
    const map = this.now?.embeddings;
    if (!map) return;
    this.pointed = at;
    const near = map.near[at] ?? [];
    const names = near.map(([token]) => token);
    for (const [i, text] of [...this.map.children].entries()) {
      const kind = i === at ? "chosen" : names.includes(map.tokens[i] ?? "") ? "near" : "";
      text.setAttribute("class", kind);
    }
    const options = map.tokens.map((token, i) => [String(i), short(token)]);
    const which = choice(
      word("nearest"),
      /** @type {[string, string][]} */ (options),
      String(at),
      (chosen) => this.nearest(Number(chosen)),
    );
    const rows = near.map(([token, cosine]) =>
      make("tr", {}, make("td", {}, short(token)), make("td", {}, cosine.toFixed(2))),
    );
    fill(this.near, make("div", { class: "bar" }, which), make("table", {}, ...rows));
  }
}
