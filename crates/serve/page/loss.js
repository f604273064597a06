// Panel: the loss.

import { make, choice, tick, button, fill } from "./dom.js";
import { word, figure } from "./words.js";
import {
  draw,
  band,
  color,
  guide,
  logarithmic,
  onZoom,
  plain,
  shown,
  OTHERS,
  PALE,
} from "./chart.js";
import { rungs, gauge } from "./ladder.js";
import { best } from "./copied.js";

/** @typedef {import("./feed.js").Feed} Feed */
/** @typedef {import("./feed.js").Series} Series */
/**
 * @typedef {{x: string, logX: boolean, logY: boolean, past: boolean,
 *   range: [number, number] | null}} View
 */

/** Maximum points per line: more than a screen has columns. */
const POINTS = 1500;

/** Height of a label, with the space that the axis needs, in pixels. */
const LABEL = 26;

/** Width of a label, estimated in pixels. @param {string} text */
const breadth = (text) =>
  12 + [...text].reduce((sum, c) => sum + (/\p{Script=Han}/u.test(c) ? 12 : 7), 0);

/** Time units of an axis: name, length in seconds, and the duration up to which each is used. */
export const TIMES = /** @type {const} */ ([
  ["seconds", 1, 180],
  ["minutes", 60, 3 * 3600],
  ["hours", 3600, Infinity],
]);

/** @param {HTMLElement} root @param {Feed} feed @param {() => Feed[]} others */
export function loss(root, feed, others) {
  /** @type {View} */
  const view = { x: "step", logX: false, logY: true, past: false, range: null };
  const chart = make("div", {
    class: "chart high",
    id: "loss-chart",
    tabindex: 0,
    "aria-keyshortcuts": "+ - ArrowLeft ArrowRight 0",
    onkeydown: key,
  });
  const stage = make("div", { id: "loss-stage" });
  const bar = make("div", { class: "bar" });
  const past = button(
    word("past"),
    () => {
      view.past = !view.past;
      view.range = null;
      paint();
    },
    { "aria-pressed": "false", id: "loss-past" },
  );
  const reset = () => {
    view.range = null;
    view.past = false;
    paint();
  };
  fill(
    bar,
    choice(
      word("x"),
      [
        ["step", word("step")],
        ["tokens", word(feed.regression ? "rows" : "tokens")],
        ["time", word("time")],
      ],
      "step",
      (x) => {
        view.x = x;
        reset();
      },
    ),
    tick(word("logX"), view.logX, (on) => {
      view.logX = on;
      view.range = null;
      paint();
    }),
    tick(word("logY"), view.logY, (on) => {
      view.logY = on;
      paint();
    }),
    past,
    button(word("all"), reset),
    make("small", { class: "mouse" }, word("zoomNote")),
  );
  fill(
    root,
    make(
      "p",
      { class: "note" },
      word(feed.regression ? "lossNoteFit" : "lossNote"),
      feed.floor === null ? null : ` ${word("lossNoteFloor")}`,
      feed.start?.short_context ? ` ${word("lossNoteShort")}` : null,
    ),
    stage,
    bar,
    chart,
  );
  let listening = false;
  let drawing = false;
  let again = false;

  /** Zooms and pans with the keyboard. @param {KeyboardEvent} event */
  function key(event) {
    const range = view.range ?? shown(chart);
    if (!range || event.ctrlKey || event.metaKey || event.altKey) return;
    const [a, b] = range.map(Number);
    if (a === undefined || b === undefined) return;
    const width = b - a;
    /** @type {Record<string, [number, number] | null>} */
    const moves = {
      "+": [a + width / 4, b - width / 4],
      "=": [a + width / 4, b - width / 4],
      "-": [a - width / 2, b + width / 2],
      ArrowLeft: [a - width / 4, b - width / 4],
      ArrowRight: [a + width / 4, b + width / 4],
      0: null,
    };
    const to = moves[event.key];
    if (to === undefined) return;
    event.preventDefault();
    view.past = false;
    view.range = to;
    paint();
  }

  /** Seconds since the run started. @param {Feed} run @param {number} time */
  const since = (run, time) => time - (run.all("start")[0]?.time ?? time);
  const unit = () =>
    TIMES.find(([, , most]) => since(feed, feed.news.last?.time ?? 0) < most) ?? TIMES[1];
  /** The x coordinate of a step. @param {Feed} run @param {number} step @param {number} time */
  function place(run, step, time) {
    if (view.x === "tokens") return step * (run.start?.tokens_per_step ?? 1);
    if (view.x === "time") return since(run, time) / unit()[1];
    return step;
  }
  /** The steps in view. @param {Series} whole @returns {{from?: number, to?: number}} */
  function steps(whole) {
    if (view.past) return { from: afterFall(whole) };
    if (!view.range) return {};
    const [a, b] = view.logX
      ? /** @type {[number, number]} */ ([10 ** view.range[0], 10 ** view.range[1]])
      : view.range;
    if (view.x === "tokens") {
      const per = feed.start?.tokens_per_step ?? 1;
      return { from: a / per, to: b / per };
    }
    if (view.x === "step") return { from: a, to: b };
    const x = whole.last.map((s, i) => place(feed, s, whole.time[i] ?? 0));
    const inside = whole.last.filter((_, i) => (x[i] ?? 0) >= a && (x[i] ?? 0) <= b);
    return { from: inside[0] ?? 0, to: inside.at(-1) ?? 0 };
  }
  /** The step at which two thirds of the total drop is done. @param {Series} whole */
  function afterFall(whole) {
    const smooth = whole.smooth.mean;
    const known = smooth.filter((/** @type {number | null} */ v) => v !== null);
    const low = Math.min(...known);
    const at = smooth.findIndex(
      (/** @type {number | null} */ v) => v !== null && v < low + (known[0] - low) / 3,
    );
    return whole.last[Math.min(at, Math.floor(whole.last.length / 2))] ?? 0;
  }
  async function paint() {
    again = drawing;
    if (drawing) return;
    drawing = true;
    try {
      await paintNow();
    } finally {
      drawing = false;
    }
    if (again) await paint();
  }
  /** @param {Feed} run @param {{from?: number, to?: number}} within */
  const evals = (run, within) =>
    run
      .all("eval")
      .filter((e) => e.step >= (within.from ?? 0) && e.step <= (within.to ?? Infinity));
  /**
   * The lines of this run.
   * @param {Series} data @param {{from?: number, to?: number}} within
   * @returns {import("./chart.js").Trace[]}
   */
  function ours(data, within) {
    const x = data.last.map((s, i) => place(feed, s, data.time[i] ?? 0));
    const measured = evals(feed, within);
    const [strong, pale] = [
      { width: 2.2, color: color("blue") },
      { width: 1, color: PALE },
    ];
    const train = { x, y: data.loss.mean, name: word("train"), mode: "lines" };
    // Each step of a fit uses all points, so there is no noise to smooth.
    const lines = feed.regression
      ? [{ ...train, line: strong }]
      : [
          band(x, data.loss.least, data.loss.most, word("span")),
          { ...train, line: pale },
          { x, y: data.smooth.mean, name: word("smooth"), mode: "lines", line: strong },
        ];
    const low = best(feed);
    const star = low && measured.includes(low) ? [low] : [];
    return [
      ...lines,
      ...star.map((e) => ({
        x: [place(feed, e.step, e.time)],
        y: [e.val_nats_per_token],
        name: word(feed.news.rote === null ? "bestStep" : "bestRote"),
        mode: "markers",
        marker: { symbol: "star", size: 13, color: color("orange") },
      })),
      {
        x: measured.map((e) => place(feed, e.step, e.time)),
        y: measured.map((e) => e.val_nats_per_token ?? e.mse),
        name: word("validation"),
        mode: "lines+markers",
        line: { width: 1.5, color: color("orange") },
      },
    ];
  }
  /**
   * The lines of a compared run.
   * @param {Feed} other @param {number} number @param {{from?: number, to?: number}} within
   * @returns {Promise<import("./chart.js").Trace[]>}
   */
  async function theirs(other, number, within) {
    const data = await other.series(["smooth"], { ...within, points: POINTS });
    const hue = OTHERS[number % OTHERS.length];
    const name = plain(other.start?.run ?? `#${other.id}`);
    const measured = evals(other, within);
    return [
      {
        x: data.last.map((s, i) => place(other, s, data.time[i] ?? 0)),
        y: data.smooth.mean,
        name,
        mode: "lines",
        line: { width: 2, color: hue },
      },
      {
        x: measured.map((e) => place(other, e.step, e.time)),
        y: measured.map((e) => e.val_nats_per_token ?? e.mse),
        name: `${name} · ${word("validation")}`,
        mode: "markers",
        marker: { color: hue },
      },
    ];
  }
  async function paintNow() {
    gauge(stage, feed);
    past.setAttribute("aria-pressed", String(view.past));
    const whole = await feed.series(["loss", "smooth"], { points: POINTS });
    const within = steps(whole);
    const near = within.from !== undefined;
    const data = near
      ? await feed.series(["loss", "smooth"], { ...within, points: POINTS })
      : whole;
    const traces = ours(data, within);
    let number = 0;
    for (const other of others()) traces.push(...(await theirs(other, number++, within)));
    const known = (/** @type {(number | null)[]} */ values) =>
      /** @type {number[]} */ (values.filter((v) => v !== null));
    const [least, most] = [Math.min(...known(data.loss.least)), Math.max(...known(data.loss.most))];
    const ladder = rungs(feed).filter(([, nats]) => !near || (nats > least && nats < most));
    const height = (/** @type {number} */ nats) => (view.logY ? Math.log10(nats) : nats);
    const drawn = traces.flatMap((trace) => trace.y.map(Number));
    const all = [...drawn, ...ladder.map(([, nats]) => nats)].filter((v) => v > 0).map(height);
    const [low, high] = all.reduce(
      ([l, h], v) => [Math.min(l, v), Math.max(h, v)],
      [Infinity, -Infinity],
    );
    const close = ((high - low) * LABEL) / (chart.clientHeight || 1);
    // A label too close to those above it goes to their left.
    /** @type {{at: number, right: number}[]} */
    const placed = [];
    const lines = ladder.map(([name, nats]) => {
      const line = guide(word(name), nats, view.logY);
      const at = height(nats);
      const beside = placed.filter((other) => other.at - at < close);
      line.note.xshift = -beside.reduce((right, other) => Math.max(right, other.right), 0);
      placed.push({ at, right: breadth(word(name)) - line.note.xshift });
      return line;
    });
    const smooth = known(data.smooth.mean);
    const fell = `${figure(smooth[0])} → ${figure(smooth.at(-1))}`;
    const covered = `${data.first[0] ?? 0} – ${data.last.at(-1) ?? 0}`;
    const told = `${word("loss")}, ${word("smooth")}: ${fell}; ${word("step")} ${covered}`;
    await draw(chart, told, traces, {
      xaxis: {
        title: {
          text: word(
            view.x === "time"
              ? unit()[0]
              : view.x === "tokens" && feed.regression
                ? "rows"
                : view.x,
          ),
        },
        type: view.logX ? "log" : "linear",
        ...(view.range ? { range: view.range } : { autorange: true }),
      },
      yaxis: {
        title: { text: word(feed.regression ? "mse" : "nats") },
        autorange: true,
        ...(view.logY && feed.regression
          ? logarithmic(data.loss.mean)
          : { type: view.logY ? "log" : "linear" }),
      },
      shapes: lines.map((l) => l.shape),
      annotations: lines.map((l) => l.note),
    });
    if (!listening) {
      listening = true;
      onZoom(chart, (range) => {
        view.range = range;
        view.past = false;
        paint();
      });
    }
  }
  return paint;
}
