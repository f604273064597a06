// Panel: what the model learned and what it copied. The gap between training and validation loss,
// planted strings, and the result of `downhill originality`: samples whose copied pieces show where
// they stand in the training text.

import { make, fill, choice } from "./dom.js";
import { word, figure, filled, numbered } from "./words.js";
import { draw, color } from "./chart.js";
import { ask } from "./feed.js";

/** @typedef {import("./feed.js").Feed} Feed */

/** The n-grams that the verdict names. */
const NAMED = "8";

/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(1)}%`;

/**
 * Evaluations of the same part of the text: the last one may be of more.
 * @param {Feed} feed
 */
export function comparable(feed) {
  const all = feed.all("eval").filter((e) => typeof e.val_nats_per_token === "number");
  return all.filter((e) => e.tokens === all[0]?.tokens);
}

/** The evaluation with the lowest validation loss. @param {Feed} feed */
export function best(feed) {
  const all = comparable(feed);
  const least = Math.min(...all.map((e) => e.val_nats_per_token));
  return all.find((e) => e.val_nats_per_token === least);
}

/** @param {(string | null)[]} cells @param {string} [tag] */
const row = (cells, tag = "td") => make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));

/** What was measured, as a sentence. @param {any} found */
export function verdict(found) {
  const old = (/** @type {any} */ of) => percent(1 - of.new_ngrams[NAMED]);
  if (found.finding === "by_heart")
    return filled(
      "verdictHeart",
      percent(found.train_prefix_extraction),
      percent(found.human.prefix_extraction),
    );
  const key = found.finding === "copies" ? "verdictCopies" : "verdictNew";
  return filled(key, old(found.model), old(found.human));
}

/** The figures of the model beside those of held-out and training text. @param {any} found */
function table(found) {
  const { model, human } = found;
  const grams = Object.keys(model.new_ngrams).map((n) =>
    row([
      filled("newGrams", n),
      percent(model.new_ngrams[n]),
      percent(human.new_ngrams[n] ?? 0),
      null,
    ]),
  );
  const longest = ["median", "p90", "largest"].map((name) =>
    row([
      word(`match_${name}`),
      String(model.longest_match[name]),
      String(human.longest_match[name]),
      null,
    ]),
  );
  const heart = [
    "prefix_extraction",
    "prefix_extraction_sampled",
    "near_copies",
    "near_copies_sampled",
  ].map((name) =>
    row([
      word(name),
      percent(model[name]),
      percent(human[name]),
      percent(found[`train_${name}`] ?? 0),
    ]),
  );
  const head = row(["", word("ofModel"), word("heldOutText"), word("trainingText")], "th");
  return make("table", { id: "copied-table" }, head, ...grams, ...longest, ...heart);
}

/** @param {HTMLElement} root @param {Feed} feed */
export function copied(root, feed) {
  /** @type {any} */
  let found = null;
  let shown = 0;
  const said = make("p", { id: "copied-gap-note" });
  const chart = make("div", { class: "chart low", id: "copied-gap" });
  const planted = make("div", { id: "copied-planted" });
  const result = make("div", { id: "copied-result" });
  fill(root, make("p", { class: "note" }, word("copiedNote")), said, chart, planted, result);

  async function gap() {
    const all = comparable(feed);
    const low = best(feed);
    const data = await feed.series(["smooth"], { points: 800 });
    /** @type {[number, number][]} */
    const points = [];
    for (const e of all) {
      const at = data.last.findLastIndex((step) => step <= e.step);
      const train = data.smooth.mean[at];
      if (typeof train === "number") points.push([e.step, e.val_nats_per_token - train]);
    }
    const here = points.find(([step]) => step === low?.step);
    const drawn = points.length > 1;
    chart.hidden = !drawn;
    said.hidden = !drawn || !low;
    if (!drawn || !low) return;
    const rote = feed.news.rote === null ? "gapBest" : "gapRote";
    said.textContent = filled(rote, numbered(low.step));
    /** @type {Record<string, any>[]} */
    const traces = [
      {
        x: points.map(([step]) => step),
        y: points.map(([, nats]) => nats),
        name: word("gap"),
        // A mark is a node of the page: many are none.
        mode: points.length > 50 ? "lines" : "lines+markers",
        line: { color: color("blue") },
      },
    ];
    if (here)
      traces.push({
        x: [here[0]],
        y: [here[1]],
        name: word("bestStep"),
        mode: "markers",
        marker: { symbol: "star", size: 14, color: color("orange") },
      });
    await draw(chart, `${word("gap")}: ${said.textContent}`, traces, {
      xaxis: { title: { text: word("step") } },
      yaxis: { title: { text: word("nats") } },
    });
  }

  function strings() {
    const last = feed.last("canaries");
    if (!last) {
      fill(planted);
      return;
    }
    /** @type {number[]} */
    const times = last.repetitions;
    fill(
      planted,
      make("h3", {}, `${word("planted")} · ${numbered(last.step)}`),
      make(
        "table",
        {},
        row([word("plantedTimes"), word("byHeart"), filled("plantedRank", last.never)], "th"),
        ...times.map((n, i) =>
          row([String(n), percent(last.recall[i] ?? 0), figure(last.rank[i])]),
        ),
      ),
    );
  }

  function samples() {
    const text = make("div", { class: "text copies", id: "copied-text" });
    const source = make("div", { class: "text", id: "copied-source", "aria-live": "polite" });
    /** @param {any} copy @param {HTMLElement} piece */
    function look(copy, piece) {
      text.querySelector(".chosen")?.classList.remove("chosen");
      piece.classList.add("chosen");
      const place =
        copy.document === undefined
          ? filled("atToken", copy.token)
          : filled("atDocument", copy.document, copy.offset);
      fill(
        source,
        make("p", {}, make("small", {}, `${filled("matchTokens", copy.tokens)} · ${place}`)),
        copy.before,
        make("u", {}, copy.text),
        copy.after,
      );
    }
    /** @param {number} at */
    function show(at) {
      shown = at;
      const { pieces, copies } = found.texts[at];
      source.textContent = word("copiedPick");
      fill(
        text,
        ...pieces.map((/** @type {any} */ p) => {
          if (p.copy === undefined) return p.text;
          const piece = make(
            "u",
            {
              role: "button",
              tabindex: 0,
              onclick: () => look(copies[p.copy], piece),
              onkeydown: (/** @type {KeyboardEvent} */ event) => {
                if (event.key !== "Enter") return;
                event.preventDefault();
                look(copies[p.copy], piece);
              },
            },
            p.text,
          );
          return piece;
        }),
      );
    }
    /** @type {[string, string][]} */
    const names = found.texts.map((/** @type {any} */ _, /** @type {number} */ i) => [
      String(i),
      String(i + 1),
    ]);
    const which = choice(word("copiedSample"), names, String(shown), (at) => show(Number(at)));
    show(Math.min(shown, found.texts.length - 1));
    return [
      make("div", { class: "bar" }, which),
      make("p", { class: "note" }, filled("copiedMarked", found.marked_beyond)),
      make("div", { class: "two" }, text, source),
    ];
  }

  async function measured() {
    if (found) return;
    found = await ask(`/api/runs/${feed.id}/originality`).catch(() => null);
    if (!found) {
      const run = feed.start?.run ?? "RUN";
      fill(
        result,
        make("p", { class: "note" }, `${word("copiedNone")}: downhill originality ${run}`),
      );
      return;
    }
    fill(
      result,
      make("h3", {}, word("copiedSamples")),
      make("p", { id: "copied-verdict" }, make("b", {}, verdict(found))),
      ...(found.texts.length ? samples() : []),
      table(found),
    );
  }

  return async () => {
    strings();
    await measured();
    await gap();
  };
}
