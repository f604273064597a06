// Panel: the recipes of a race, each with a curve over its seeds.

import { make, choice, tick, fill } from "./dom.js";
import { word, duration, figure, large } from "./words.js";
import { draw, band, color, plain, OTHERS } from "./chart.js";
import { TIMES } from "./loss.js";

/** @typedef {import("./feed.js").Feed} Feed */
/** @typedef {{step: number, seconds: number, tokens: number, bits: number}} Point */

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;

/** The standard deviation of a sample. @param {number[]} values */
function deviation(values) {
  const middle = mean(values);
  return Math.sqrt(
    values.reduce((sum, v) => sum + (v - middle) ** 2, 0) / Math.max(1, values.length - 1),
  );
}

/**
 * Seconds spent in training steps up to each step: the sum of their durations.
 * @param {Feed} run
 * @returns {Promise<(step: number) => number>}
 */
async function clock(run) {
  const { first, last, step_seconds } = await run.series(["step_seconds"], { points: 2000 });
  let sum = 0;
  const sums = last.map((end, i) => {
    sum += (step_seconds.mean[i] ?? 0) * (end - (first[i] ?? end) + 1);
    return sum;
  });
  return (step) => {
    const at = last.findIndex((end) => end >= step);
    if (at < 0) return sum;
    // Within a record all steps count as equally long.
    return (sums[at] ?? 0) - (step_seconds.mean[at] ?? 0) * ((last[at] ?? step) - step);
  };
}

/** @param {HTMLElement} root @param {{name: string, runs: Feed[]}[]} recipes */
export function race(root, recipes) {
  const view = { x: "time", logY: false };
  const chart = make("div", { class: "chart high", id: "race-chart" });
  const table = make("table", { id: "race-table" });
  fill(
    root,
    make("p", { class: "note" }, word("raceNote")),
    make(
      "div",
      { class: "bar" },
      choice(
        word("x"),
        [
          ["time", word("time")],
          ["tokens", word("tokens")],
        ],
        view.x,
        (x) => {
          view.x = x;
          paint();
        },
      ),
      tick(word("logY"), view.logY, (on) => {
        view.logY = on;
        paint();
      }),
      make("small", { class: "mouse" }, word("zoomNote")),
    ),
    chart,
    table,
  );
  /** @type {Map<Feed, {serial: number, points: Point[]}>} */
  const kept = new Map();

  /** The evaluations between the steps. @param {Feed} run */
  async function points(run) {
    const old = kept.get(run);
    if (old?.serial === run.seen) return old.points;
    const { seen } = run;
    const seconds = await clock(run);
    const each = run.start?.tokens_per_step ?? 1;
    // The first of a step is on the fixed subset, as those before it. At step 0 all are alike.
    const found = run
      .all("eval")
      .filter((e, i, all) => e.step > 0 && e.step !== all[i - 1]?.step)
      .filter((e) => Number.isFinite(e.val_bits_per_byte))
      .map((e) => ({
        step: e.step,
        seconds: seconds(e.step),
        tokens: e.step * each,
        bits: e.val_bits_per_byte,
      }));
    kept.set(run, { serial: seen, points: found });
    return found;
  }

  /** The points of several runs, as far as all of them are. @param {Point[][]} runs */
  function together(runs) {
    const length = runs.length ? Math.min(...runs.map((run) => run.length)) : 0;
    return Array.from({ length }, (_, i) => runs.flatMap((run) => run[i] ?? []));
  }

  async function paint() {
    const lines = await Promise.all(
      recipes.map(async ({ name, runs }) => {
        const begun = runs.filter((run) => run.start);
        return { name, begun, rows: together(await Promise.all(begun.map(points))) };
      }),
    );
    const most = Math.max(0, ...lines.flatMap((l) => (l.rows.at(-1) ?? []).map((p) => p.seconds)));
    const [unit, length] = TIMES.find(([, , to]) => most < to) ?? TIMES[1];
    const traces = lines.flatMap(({ name, rows }, i) => {
      const hue = [color("blue"), ...OTHERS][i % (OTHERS.length + 1)] ?? "";
      const x = rows.map((row) =>
        mean(row.map((p) => (view.x === "time" ? p.seconds / length : p.tokens))),
      );
      const bits = rows.map((row) => row.map((p) => p.bits));
      const least = bits.map((row) => Math.min(...row));
      const highest = bits.map((row) => Math.max(...row));
      return [
        { ...band(x, least, highest, word("span"), `${hue}33`), showlegend: false },
        {
          x,
          y: bits.map(mean),
          name: plain(name),
          mode: "lines+markers",
          showlegend: true,
          line: { width: 2, color: hue },
          marker: { size: 5 },
        },
      ];
    });
    const results = lines.map(({ name, begun, rows }) => {
      const ends = begun.flatMap((run) => run.last("end") ?? []);
      const done = begun.length > 0 && ends.length === begun.length;
      const last = rows.at(-1) ?? [];
      const bits = done ? ends.map((e) => e.val_bits_per_byte) : last.map((p) => p.bits);
      return {
        name,
        seeds: begun.length,
        bits,
        mean: bits.length ? mean(bits) : Infinity,
        seconds: mean(done ? ends.map((e) => e.train_seconds) : last.map((p) => p.seconds)),
        tokens: mean(done ? ends.map((e) => e.tokens) : last.map((p) => p.tokens)),
      };
    });
    results.sort((a, b) => a.mean - b.mean);
    const titles = ["recipe", "bits", "deviation", "seeds", "trained", "tokens"];
    fill(
      table,
      make("tr", {}, ...titles.map((t) => make("th", {}, word(t)))),
      ...results.map((r) =>
        make(
          "tr",
          {},
          make("td", {}, r.name),
          make("td", {}, figure(r.mean)),
          make("td", {}, r.bits.length > 1 ? figure(deviation(r.bits)) : "–"),
          make("td", {}, String(r.seeds)),
          make("td", {}, duration(r.seconds)),
          make("td", {}, Number.isFinite(r.tokens) ? large(r.tokens, "") : "–"),
        ),
      ),
    );
    const told = results.map((r) => `${r.name} ${figure(r.mean)}`).join(", ");
    await draw(chart, `${word("race")}, ${word("bits")}: ${told}`, traces, {
      xaxis: { title: { text: word(view.x === "time" ? unit : "tokens") }, rangemode: "tozero" },
      yaxis: { title: { text: word("bits") }, type: view.logY ? "log" : "linear" },
      // A range that the reader chose stays until the axes change.
      uirevision: `${view.x} ${view.logY}`,
    });
  }
  return paint;
}
