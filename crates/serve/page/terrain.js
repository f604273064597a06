// Panel: the cost of a language model on a plane through its weights, with the run's own path and
// walkers that can't leave it; or along the line to another model.

import { make, fill, choice, film } from "./dom.js";
import { word, filled, figure, numbered } from "./words.js";
import { draw, change, color } from "./chart.js";
import { Relief, places, turning } from "./surface.js";

/** How far paths are above the surface, as a share of its height. */
const LIFT = 0.012;
/** Costs at the ticks of the height. */
const TICKS = [0.1, 0.2, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 20, 50, 100, 1000];
/** The look of each optimizer's walkers: not by color alone. @type {Record<string, string[]>} */
const LOOKS = {
  sgd: ["#ff7a1a", "solid", "circle", "●"],
  momentum: ["#ff9ed8", "dash", "square", "■"],
  adam: ["#bfe3ff", "dot", "diamond", "◆"],
  muon: ["#000000", "longdashdot", "cross", "✚"],
};
/** @type {Record<string, string>} */
const NAMES = { sgd: "SGD", momentum: "momentum", adam: "Adam", muon: "Muon" };

/** @param {string} rule */
const named = (rule) => word(NAMES[rule] ?? rule);

/** @param {number} cost */
const height = (cost) => Math.log10(cost);

/** What is shown, and what of it is exact. @param {any} land */
function captions(land) {
  const all = [];
  // Three points always lie on a plane.
  if (land.axes === "pca" && land.path.length === 3) all.push(word("terrainThree"));
  else if (land.axes === "pca") {
    const share = `${(100 * land.share_of_motion).toFixed(1)}%`;
    all.push(filled("terrainPca", land.path.length, share));
  } else all.push(word(land.axes === "random" ? "terrainRandom" : "terrainLine"));
  all.push(filled("terrainExact", land.tokens.toLocaleString("en")));
  if (land.axes !== "line") {
    const beside = land.path
      .filter((/** @type {any} */ p) => p.cost !== null && p.slice !== null)
      .map((/** @type {any} */ p) => Math.abs(p.cost - p.slice));
    all.push(filled("terrainShadow", figure(Math.max(0, ...beside))));
  }
  if (land.walkers.length) all.push(word("terrainWalkers"));
  if (land.walkers.some((/** @type {any} */ w) => w.optimizer === "muon"))
    all.push(word("terrainMuon"));
  return all;
}

/**
 * @param {HTMLElement} root @param {import("./feed.js").Feed} feed
 * @param {any} land what is stored in the run, or null
 */
export function terrain(root, feed, land) {
  if (!land) {
    const run = feed.start?.run ?? "RUN";
    const told = `${word("terrainNone")}: downhill landscape ${run}`;
    fill(root, make("p", { class: "note", id: "terrain-none" }, told));
    return () => {};
  }
  const area = (/** @type {string} */ id) => make("div", { class: "chart high", id });
  const [picture, flat] = [area("terrain-3d"), area("terrain-flat")];
  const line = land.axes === "line";
  /** @type {string[]} */
  const rules = [...new Set(land.walkers.map((/** @type {any} */ w) => w.optimizer))];
  let shown = "all";
  let ready = false;
  const frames = film(word("terrain"), word("play"), step);
  frames.every(120);
  const table = make("table", { id: "terrain-table" });
  const names = rules.map((rule) => /** @type {[string, string]} */ ([rule, named(rule)]));
  const which = choice(word("rule"), [["all", word("allRules")], ...names], shown, (rule) => {
    shown = rule;
    paint();
  });
  const part = (/** @type {string} */ title, /** @type {HTMLElement} */ chart) =>
    make("div", {}, make("h3", {}, word(title)), chart);
  fill(
    root,
    make("p", { class: "note" }, word("terrainNote")),
    rules.length ? make("div", { class: "bar" }, which) : null,
    rules.length ? frames.element : null,
    line
      ? part("terrainCurve", flat)
      : make("div", { class: "two" }, part("terrainHeight", picture), part("terrainAbove", flat)),
    rules.length ? table : null,
    make("ul", { id: "terrain-told" }, ...captions(land).map((text) => make("li", {}, text))),
  );

  const costs = land.cost.flat().filter((/** @type {number|null} */ c) => c !== null);
  const [low, high] = [Math.min(...costs), Math.max(...costs)];
  const relief = new Relief(
    land.x,
    land.y,
    land.cost.map((/** @type {(number|null)[]} */ row) =>
      row.map((c) => (c === null ? null : height(c))),
    ),
    LIFT * (height(high) - height(low)),
  );

  /** The walkers of an optimizer at a frame: where they are, and their paths. */
  function crowd(/** @type {string} */ rule, /** @type {number} */ at) {
    const [here, trail] = [places(), places()];
    if (shown !== "all" && shown !== rule) return { here, trail };
    for (const walker of land.walkers) {
      if (walker.optimizer !== rule) continue;
      const to = Math.min(at, walker.x.length - 1);
      const place = (/** @type {number} */ n) => [walker.x[n], walker.y[n]];
      for (let i = 0; i <= to; i++) {
        if (i > 0) relief.between(trail, place(i - 1), place(i));
        relief.add(trail, walker.x[i], walker.y[i]);
      }
      relief.add(trail, null, null);
      relief.add(here, walker.x[to], walker.y[to]);
    }
    return { here, trail };
  }

  /** The race of the optimizers: mean costs of their walkers. @param {number} at */
  function standings(at) {
    const mean = (/** @type {string} */ rule, /** @type {number} */ after) => {
      const some = land.walkers.filter((/** @type {any} */ w) => w.optimizer === rule);
      const sum = some.reduce(
        (/** @type {number} */ all, /** @type {any} */ w) =>
          all + w.cost[Math.min(after, w.cost.length - 1)],
        0,
      );
      return sum / some.length;
    };
    const rate = (/** @type {string} */ rule) =>
      land.walkers.find((/** @type {any} */ w) => w.optimizer === rule).rate;
    const row = (/** @type {(string|Node)[]} */ cells, tag = "td") =>
      make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));
    const symbol = (/** @type {string} */ rule) => {
      const chip = make("span", { class: "chip" }, LOOKS[rule]?.[3] ?? "●");
      chip.style.color = LOOKS[rule]?.[0] ?? "#ffffff";
      return make("span", {}, chip, ` ${named(rule)}`);
    };
    const heads = [
      word("rule"),
      word("rate"),
      filled("meanAt", numbered(0)),
      filled("meanAt", numbered(at)),
    ];
    fill(
      table,
      row(heads, "th"),
      ...rules.map((rule) =>
        row([symbol(rule), figure(rate(rule)), figure(mean(rule, 0)), figure(mean(rule, at))]),
      ),
    );
    frames.say(numbered(at));
  }

  /** The traces of walkers that a step changes, after those of surface and run. */
  const FIRST = 3;
  /** @param {number} at */
  function step(at) {
    if (!ready) return;
    const all = rules.flatMap((rule) => {
      const { here, trail } = crowd(rule, at);
      return [trail, here];
    });
    const numbers = all.map((_, i) => FIRST + i);
    if (numbers.length) {
      const [x, y] = [all.map((p) => p.x), all.map((p) => p.y)];
      change(picture, { x, y, z: all.map((p) => p.z) }, numbers);
      change(flat, { x, y }, numbers);
    }
    standings(at);
  }

  /** The run's own path, and its checkpoints. */
  function own() {
    const trail = places();
    const points = places();
    /** @type {any} */
    let before = null;
    for (const p of land.path) {
      if (before) relief.between(trail, [before.x, before.y], [p.x, p.y]);
      relief.add(trail, p.x, p.y);
      relief.add(points, p.x, p.y);
      before = p;
    }
    const text = land.path.map((/** @type {any} */ p) =>
      filled("terrainPoint", numbered(p.step), figure(p.cost ?? NaN), figure(p.slice ?? NaN)),
    );
    return { trail, points, text };
  }

  /** Both pictures' traces of paths. @param {string} type @param {number} at */
  function traces(type, at) {
    const solid = type === "scatter3d";
    const { trail, points, text } = own();
    const lines = { type, mode: "lines", connectgaps: false, hoverinfo: "skip", showlegend: false };
    const marks = { type, mode: "markers" };
    return [
      { ...lines, ...trail, line: { width: solid ? 5 : 3, color: "#ffffff" } },
      {
        ...marks,
        ...points,
        name: word("terrainPath"),
        text,
        hovertemplate: "%{text}<extra></extra>",
        marker: { size: solid ? 4 : 8, color: "#ffffff", line: { width: 1, color: "#000000" } },
      },
      ...rules.flatMap((rule) => {
        const walked = crowd(rule, at);
        const [ink, dash, symbol] = LOOKS[rule] ?? ["#ffffff", "solid", "circle"];
        return [
          { ...lines, ...walked.trail, line: { width: solid ? 3 : 2, color: ink, dash } },
          {
            ...marks,
            ...walked.here,
            name: named(rule),
            hoverinfo: "name",
            marker: {
              size: solid ? 4 : 8,
              color: ink,
              symbol,
              line: { width: 1, color: rule === "muon" ? "#ffffff" : "#000000" },
            },
          },
        ];
      }),
    ];
  }

  async function curve() {
    await draw(
      flat,
      word("terrainCurve"),
      [
        {
          x: land.x,
          y: land.cost[0],
          name: word("terrainCurve"),
          mode: "lines",
          line: { color: color("blue") },
        },
        {
          x: land.path.map((/** @type {any} */ p) => p.x),
          y: land.path.map((/** @type {any} */ p) => p.cost),
          name: word("terrainEnds"),
          mode: "markers",
          marker: { size: 9, color: color("orange") },
        },
      ],
      { yaxis: { title: { text: word("nats") } }, showlegend: true },
    );
  }

  async function paint() {
    if (line) {
      await curve();
      return;
    }
    frames.count(Math.max(0, ...land.walkers.map((/** @type {any} */ w) => w.x.length)));
    const at = frames.at();
    const ticks = TICKS.filter((cost) => cost >= low && cost <= high);
    await draw(
      picture,
      `${word("terrain")}: ${word("terrainHeight")}`,
      [relief.trace("%{x:.3f}, %{y:.3f}<br>10^%{z:.2f}"), ...traces("scatter3d", at)],
      turning(picture, ["x", "y"], { tickvals: ticks.map(height), ticktext: ticks.map(String) }),
    );
    await draw(
      flat,
      `${word("terrain")}: ${word("terrainAbove")}`,
      [relief.contours(), ...traces("scatter", at)],
      {
        hovermode: "closest",
        showlegend: false,
        xaxis: { range: [land.x[0], land.x.at(-1)] },
        yaxis: { range: [land.y[0], land.y.at(-1)] },
      },
    );
    ready = true;
    standings(at);
  }
  return paint;
}
