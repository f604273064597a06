// Panel: where the attention heads look in a passage, what the model would say after each layer,
// and its tokens on a map; all of them through training.

import { make, fill, film, choice } from "./dom.js";
import { word, figure, numbered } from "./words.js";
import { draw, color, plain } from "./chart.js";
import { mark, percent, pieces, selectable, visible } from "./tokens.js";

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

/** A text with its `{}` replaced in order. @param {string} key @param {...(string | number)} all */
export const filled = (key, ...all) =>
  all.reduce((/** @type {string} */ text, one) => text.replace("{}", String(one)), word(key));

/** A token in a table or on the map. @param {string} token */
function short(token) {
  const all = [...visible(token)];
  return all.length > WIDTH ? `${all.slice(0, WIDTH - 1).join("")}…` : all.join("");
}

/** @param {Head} head */
const named = (head) => filled("headName", head.layer, head.head);

/** The head that looks most for answers. @param {Inside} inside */
export function answering({ heads }) {
  const scored = heads.filter((head) => head.scores.answer !== null);
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
  pen.fillStyle = color("blue");
  head.attention.forEach((row, t) =>
    row.forEach((share, u) => {
      pen.globalAlpha = share / 255;
      if (share) pen.fillRect(u, t, 1, 1);
    }),
  );
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

/** @param {HTMLElement} root @param {import("./feed.js").Feed} feed */
export function inside(root, feed) {
  /** @type {Inside | null} */
  let now = null;
  let token = 20;
  let pointed = 0;
  /** @type {string | null} */
  let chosen = null;
  const text = make("div", {
    class: "text lens",
    id: "inside-text",
    role: "listbox",
    "aria-label": word("passage"),
  });
  const told = make("p", { id: "inside-told", "aria-live": "polite" });
  const heads = make("div", { class: "heads", id: "inside-heads" });
  const layers = make("table", { id: "inside-layers" });
  const chart = make("div", { class: "chart high", id: "inside-map" });
  const mapNote = make("p", { class: "note" });
  const near = make("div", { class: "bar", id: "inside-near" });
  const body = make("div", {});
  const frames = film(word("inside"), word("play"), show);
  selectable(text, point);
  text.addEventListener("pointerover", (event) => {
    const at = event.target instanceof Element ? event.target.closest("[data-at]") : null;
    if (at instanceof HTMLElement && event.pointerType === "mouse") point(Number(at.dataset.at));
  });
  fill(
    body,
    make("p", { class: "note" }, word("insideNote")),
    frames.element,
    make(
      "div",
      { class: "two" },
      make("div", {}, text, told, make("h3", {}, word("layersTitle")), layers),
      make("div", {}, make("h3", {}, word("heads")), heads),
    ),
    make("p", { class: "note" }, word("layersNote")),
    make("h3", {}, word("mapTitle")),
    mapNote,
    chart,
    near,
  );

  /** @param {number} at */
  async function show(at) {
    const events = feed.all("inside");
    const [event, last] = [events[at], events.at(-1)];
    if (!event || !last) return;
    const [one, newest] = await Promise.all([feed.whole(event), feed.whole(last)]);
    if (frames.at() !== at) return;
    frames.say(numbered(event.step));
    now = /** @type {Inside} */ (one);
    passage(now.tokens);
    list(now.heads);
    point(Math.min(token, now.tokens.length - 1));
    await place(now.embeddings, newest.embeddings);
  }

  /** @param {string[]} tokens */
  function passage(tokens) {
    const same = text.childElementCount === tokens.length;
    if (same && [...text.children].every((span, i) => span.ariaLabel === tokens[i])) return;
    fill(
      text,
      ...tokens.map((own, at) =>
        make(
          "span",
          { "data-at": at, role: "option", tabindex: -1, "aria-label": own },
          ...pieces(own),
        ),
      ),
    );
  }

  /** @param {Head[]} all */
  function list(all) {
    if (!all.some((head) => named(head) === chosen)) chosen = all[0] ? named(all[0]) : null;
    const one = (/** @type {Head} */ head) =>
      make(
        "button",
        {
          type: "button",
          "aria-pressed": String(named(head) === chosen),
          "aria-label": `${named(head)}, ${word(`kind_${head.kind}`)}`,
          title: named(head),
          onclick: () => {
            chosen = named(head);
            list(all);
            point(token);
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
    fill(heads, ...kinds.map(group));
  }

  /** Shows where the chosen head looks from a token. @param {number} at */
  function point(at) {
    if (!now) return;
    token = at;
    mark(text, at);
    const looks = now.heads.find((head) => named(head) === chosen);
    const row = looks?.attention[at] ?? [];
    for (const [u, span] of [...text.children].entries()) {
      const share = (row[u] ?? 0) / 255;
      if (!(span instanceof HTMLElement)) continue;
      span.style.background = share ? `rgba(80,130,220,${(0.08 + 0.8 * share).toFixed(2)})` : "";
      span.title = u <= at ? `${word("attends")} ${percent(share)}` : "";
    }
    const scores = Object.entries(looks?.scores ?? {}).flatMap(([name, share]) =>
      share === null ? [] : [`${percent(share)} ${word(`score_${name}`)}`],
    );
    if (looks)
      fill(
        told,
        make("b", {}, `${named(looks)} · ${word(`kind_${looks.kind}`)}`),
        `: ${scores.join("; ")}`,
      );
    said(now);
  }

  /** What each layer would say after the chosen token. @param {Inside} of */
  function said(of) {
    const next = of.tokens[token + 1];
    const row = (/** @type {string} */ tag, /** @type {(Node | string)[]} */ cells) =>
      make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));
    const line = (/** @type {Inside["layers"][0]} */ layer, /** @type {number} */ at) => {
      const top = (layer.top[token] ?? []).flatMap(([likely, share]) => [
        make("b", { class: likely === next ? "truth token" : "token" }, short(likely)),
        ` ${percent(share)}  `,
      ]);
      const costs = [layer.nats[token], layer.mean_nats].map(figure);
      return row("td", [String(at), make("span", {}, ...top), ...costs]);
    };
    const head = row("th", ["layer", "likeliest", "costHere", "costMean"].map(word));
    fill(layers, head, ...of.layers.map(line));
  }

  /** @param {[string, number][]} nearest */
  const listed = (nearest) =>
    nearest.map(([other, cosine]) => `${short(other)} ${cosine.toFixed(2)}`).join("   ");

  /** @param {TokenMap} map @param {TokenMap} newest */
  async function place(map, newest) {
    mapNote.textContent = filled("mapNote", percent(map.share ?? NaN));
    const names = map.tokens.map((name) => plain(short(name)));
    const trace = {
      ...turned(map, newest),
      text: names,
      mode: "text",
      type: "scatter",
      hovertext: map.near.map((nearest, i) => `${names[i]}: ${plain(listed(nearest))}`),
      hoverinfo: "text",
      textfont: { size: 13, color: color("ink") },
    };
    const axis = { range: [-1.1, 1.1], showticklabels: false };
    await draw(chart, word("mapTitle"), [trace], {
      hovermode: "closest",
      showlegend: false,
      margin: { l: 10, r: 10, t: 10, b: 10 },
      xaxis: axis,
      yaxis: axis,
    });
    const options = /** @type {[string, string][]} */ (
      map.tokens.map((name, i) => [String(i), short(name)])
    );
    pointed = Math.min(pointed, map.tokens.length - 1);
    const shown = make("span", { role: "status" }, listed(map.near[pointed] ?? []));
    const which = choice(word("nearest"), options, String(pointed), (value) => {
      pointed = Number(value);
      shown.textContent = listed(map.near[pointed] ?? []);
    });
    fill(near, which, shown);
  }

  return async () => {
    const events = feed.all("inside");
    if (events.length) {
      if (!body.isConnected) fill(root, body);
      frames.count(events.length);
      await show(frames.at());
      return;
    }
    const old = feed.all("lens").length > 0;
    const why = old ? `${word("insideNone")}: downhill inside ${feed.start?.run}` : word("none");
    fill(root, make("p", { class: "note" }, why));
  };
}
