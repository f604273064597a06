// What a lesson shows: one function for each, which draws what the server has computed.

import { make, fill, button } from "./dom.js";
import { word, filled, figure, plainly, numbered } from "./words.js";
import { draw, color } from "./chart.js";
import { mountain } from "./mountain.js";
import { verdict } from "./copied.js";

/**
 * @typedef {{root: HTMLElement, told: any, all: any[],
 *   turn: (value: number | string) => void}} Shown
 *   `told` is the result, `all` what came before it, `turn` changes the knob
 */

/** @param {string} id @param {string} [height] */
const area = (id, height = "low") => make("div", { class: `chart ${height}`, id });

/** @param {(Node | string)[]} cells @param {string} [tag] */
const row = (cells, tag = "td") => make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));

/** A table that may be wider than a phone. @param {string} id @param {...HTMLElement} rows */
const table = (id, ...rows) => make("div", { class: "numbers" }, make("table", { id }, ...rows));

/** @param {string} id @param {[string | number, string][]} all numbers and what they are */
const cards = (id, all) =>
  make(
    "div",
    { class: "cards", id },
    ...all.map(([number, what]) =>
      make("div", {}, make("b", {}, String(number)), make("small", {}, what)),
    ),
  );

/** A number in a formula: negative ones in brackets. @param {number} x */
const term = (x) => (x < 0 ? `(${signed(x)})` : signed(x));

/** A number with a real minus. @param {number} x */
const signed = (x) => {
  const known = Math.abs(x) < 1e-12 ? 0 : x;
  const small = known !== 0 && Math.abs(known) < 1e-3;
  return (small ? plainly(known) : figure(known)).replace("-", "−");
};

/** A token, visible even if it is white space. @param {string} token */
const visible = (token) => token.replace(/\n/g, "⏎").replace(/ /g, "␣");

/** Texts that stand beside a column. @param {string} title @param {HTMLElement} chart */
const part = (title, chart) => make("div", {}, make("h3", {}, title), chart);

/** @param {string} title */
const axis = (title) => ({ title: { text: title } });

/** @param {any} points @param {number[]} weights @param {string} id */
function line(points, weights, id) {
  const [x, y] = points;
  const far = Math.max(...x) * 1.15;
  const colors = [color("soft"), color("orange")].slice(-weights.length);
  const lines = weights.map((w, i) => ({
    x: [0, far],
    y: [0, w * far],
    mode: "lines",
    name: `w = ${signed(w)}`,
    line: { color: colors[i] },
  }));
  const where = /** @type {HTMLElement} */ (document.getElementById(id));
  return draw(
    where,
    word("lessonPoints"),
    [
      { x, y, mode: "markers", marker: { size: 9, color: color("blue") }, showlegend: false },
      ...lines,
    ],
    {
      xaxis: axis("x"),
      yaxis: { ...axis("y"), range: [-3, 13] },
      hovermode: "closest",
    },
  );
}

/**
 * @param {string} id @param {any} curve @param {Record<string, any>[]} more
 * @param {number[]} top
 */
function bowl(id, curve, more, top = []) {
  const [x, y] = curve;
  const most = Math.max(...y, ...top);
  return draw(
    /** @type {HTMLElement} */ (document.getElementById(id)),
    word("lessonCurve"),
    [{ x, y, mode: "lines", line: { color: color("blue") }, showlegend: false }, ...more],
    {
      xaxis: axis("w"),
      yaxis: { ...axis(word("lessonCost")), range: [-0.08 * most, 1.05 * most] },
      hovermode: "closest",
    },
  );
}

/** @param {Shown} shown */
function next({ root, told, turn }) {
  const text = told.tokens.join("");
  const most = told.guesses[0].probability;
  fill(
    root,
    make(
      "p",
      { class: "text tokens" },
      ...told.tokens.map((/** @type {string} */ token) =>
        make("span", {}, token === "\n" ? "⏎\n" : token),
      ),
    ),
    make(
      "div",
      { class: "top", id: "lesson-guesses" },
      ...told.guesses.flatMap((/** @type {any} */ guess) => [
        button(visible(guess.token), () => turn(text.trimStart() + guess.token), {
          "data-token": guess.token,
        }),
        make("div", { class: "share", style: `width:${(100 * guess.probability) / most}%` }),
        make("span", {}, `${(100 * guess.probability).toFixed(1)}%`),
      ]),
    ),
    make(
      "p",
      { class: "note" },
      filled("lesson1Seen", String(told.vocabulary), String(told.steps)),
    ),
  );
}

/** @param {Shown} shown */
async function cost({ root, told }) {
  const { here, curve, line: misses } = told;
  fill(
    root,
    make("h3", {}, word("lesson2Line")),
    table(
      "lesson-misses",
      row([word("lesson2Off"), ...misses.map((/** @type {any} */ m) => figure(m.error))], "th"),
      row([word("lessonCost"), ...misses.map((/** @type {any} */ m) => figure(m.cost))]),
      row([word("lessonPull"), ...misses.map((/** @type {any} */ m) => figure(m.slope))]),
    ),
    make("h3", {}, word("lesson2Token")),
    make(
      "p",
      { class: "formula" },
      told.probabilities.map((/** @type {number} */ p) => figure(p)).join(" · "),
    ),
    table(
      "lesson-costs",
      row(
        [`p = ${figure(here.probability)}`, word("lesson2Squared"), word("lesson2Entropy")],
        "th",
      ),
      row([word("lessonCost"), figure(here.squared), figure(here.cross_entropy)]),
      row([
        word("lessonPull"),
        plainly(Math.abs(here.squared_slope)),
        plainly(Math.abs(here.cross_entropy_slope)),
      ]),
    ),
    make(
      "div",
      { class: "two" },
      part(word("lesson2Costs"), area("lesson-cost")),
      part(word("lesson2Pulls"), area("lesson-pull")),
    ),
  );
  const x = curve.map((/** @type {any} */ at) => at.probability);
  for (const [id, title, squared, entropy] of /** @type {const} */ ([
    ["lesson-cost", "lesson2Costs", "squared", "cross_entropy"],
    ["lesson-pull", "lesson2Pulls", "squared_slope", "cross_entropy_slope"],
  ])) {
    const traces = /** @type {const} */ ([
      ["lesson2Squared", squared, "orange"],
      ["lesson2Entropy", entropy, "blue"],
    ]).flatMap(([name, key, paint]) => [
      {
        x,
        y: curve.map((/** @type {any} */ at) => Math.abs(at[key])),
        mode: "lines",
        name: word(name),
        line: { color: color(paint) },
      },
      {
        x: [here.probability],
        y: [Math.abs(here[key])],
        mode: "markers",
        marker: { size: 11, color: color(paint) },
        showlegend: false,
      },
    ]);
    await draw(/** @type {HTMLElement} */ (document.getElementById(id)), word(title), traces, {
      xaxis: { ...axis("p"), range: [0, 1] },
      hovermode: "closest",
    });
  }
}

/** @param {Shown} shown */
async function slope({ root, told }) {
  const { here, walked, curve, points } = told;
  fill(
    root,
    cards("lesson-here", [
      [signed(here.weight), "w"],
      [signed(here.cost), word("lessonCost")],
      [signed(here.slope), word("lessonSlope")],
    ]),
    make(
      "div",
      { class: "two" },
      part(word("lessonCurve"), area("lesson-curve")),
      part(word("lessonPoints"), area("lesson-points")),
    ),
    table(
      "lesson-walked",
      row([word("lesson3Run"), word("lesson3Rise"), word("lesson3Ratio")], "th"),
      ...walked.map((/** @type {any} */ w) =>
        row([figure(w.run), signed(w.rise), signed(w.ratio)]),
      ),
      row([word("lesson3Exact"), "", make("b", {}, signed(here.slope))]),
    ),
  );
  const [left, right] = [here.weight - 1, here.weight + 1];
  await bowl("lesson-curve", curve, [
    {
      x: [left, right],
      y: [here.cost - here.slope, here.cost + here.slope],
      mode: "lines",
      name: word("lessonSlope"),
      line: { color: color("orange"), width: 3 },
    },
    {
      x: [here.weight],
      y: [here.cost],
      mode: "markers",
      marker: { size: 12, color: color("orange") },
      showlegend: false,
    },
  ]);
  await line(points, [here.weight], "lesson-points");
}

/** @param {Shown} shown */
async function step({ root, told }) {
  const { before, after, rate, curve, points } = told;
  fill(
    root,
    make(
      "p",
      { class: "formula", id: "lesson-formula" },
      `w = ${signed(before.weight)} − ${figure(rate)} × ${term(before.slope)} = `,
      make("b", {}, signed(after.weight)),
    ),
    table(
      "lesson-step",
      row(["", word("lessonBefore"), word("lessonAfter")], "th"),
      row(["w", signed(before.weight), signed(after.weight)]),
      row([word("lessonCost"), signed(before.cost), signed(after.cost)]),
      row([word("lessonSlope"), signed(before.slope), signed(after.slope)]),
    ),
    make(
      "div",
      { class: "two" },
      part(word("lessonCurve"), area("lesson-curve")),
      part(word("lessonPoints"), area("lesson-points")),
    ),
  );
  const places = [before, after];
  await bowl(
    "lesson-curve",
    curve,
    [
      {
        x: places.map((p) => p.weight),
        y: places.map((p) => p.cost),
        mode: "lines+markers",
        line: { color: color("orange"), dash: "dot" },
        marker: { size: 12, color: [color("soft"), color("orange")] },
        showlegend: false,
      },
    ],
    [after.cost],
  );
  await line(points, [before.weight, after.weight], "lesson-points");
}

/** @param {HTMLElement} root @param {any} land @param {number} first the step shown at first */
function mount(root, land, first) {
  const place = make("div", {});
  root.append(place);
  return mountain(place, () => Promise.resolve(land), first)();
}

/** @param {Shown} shown */
async function crowd({ root, told }) {
  fill(
    root,
    cards("lesson-crowd", [
      [`${told.arrived} / ${told.walkers}`, word("lesson5Arrived")],
      [figure(told.mean_cost), word("lesson5Mean")],
      [figure(told.land.best.cost), word("lesson5Lowest")],
    ]),
  );
  await mount(root, told.land, told.steps);
}

/** @param {Shown} shown */
async function rates({ root, told }) {
  const { costs, land } = told;
  const last = costs.at(-1);
  fill(
    root,
    cards("lesson-rates", [
      [figure(costs[0]), word("lesson6First")],
      [last === null ? word("lesson6Gone") : figure(last), word("lesson6Last")],
      [`${told.arrived} / ${told.walkers}`, word("lesson5Arrived")],
    ]),
    part(word("lesson5Mean"), area("lesson-descent")),
  );
  await draw(
    /** @type {HTMLElement} */ (document.getElementById("lesson-descent")),
    word("lesson5Mean"),
    [{ y: costs, mode: "lines+markers", line: { color: color("blue") }, marker: { size: 4 } }],
    {
      xaxis: axis(word("step")),
      yaxis: { ...axis(word("lesson5Mean")), type: "log", exponentformat: "power" },
    },
  );
  // Late enough for paths, and early enough that nobody is out of sight.
  await mount(root, land, 6);
}

/** How each number follows from others. @param {any} told */
function reasons(told) {
  const [x, w1, h, w2, y] = told.links;
  const off = y.value - told.target;
  return {
    x: ["", ""],
    w1: ["", `${term(h.slope)} × x = ${term(h.slope)} × ${term(x.value)}`],
    h: [
      `w1 × x = ${term(w1.value)} × ${term(x.value)}`,
      `${term(y.slope)} × w2 = ${term(y.slope)} × ${term(w2.value)}`,
    ],
    w2: ["", `${term(y.slope)} × h = ${term(y.slope)} × ${term(h.value)}`],
    y: [
      `w2 × h = ${term(w2.value)} × ${term(h.value)}`,
      `2 × (y − ${figure(told.target)}) = 2 × ${term(off)}`,
    ],
    cost: [`(y − ${figure(told.target)})² = ${term(off)}²`, ""],
  };
}

/** @param {Shown} shown */
function backpropagation({ root, told }) {
  const why = /** @type {Record<string, string[]>} */ (reasons(told));
  const number = (/** @type {number | null} */ x, /** @type {string | undefined} */ how) =>
    x === null
      ? ""
      : make("span", {}, make("b", {}, signed(x)), how ? make("small", {}, `= ${how}`) : null);
  fill(
    root,
    table(
      "lesson-chain",
      row(["", word("lesson7Value"), word("lesson7Back"), word("lesson7Walked")], "th"),
      ...told.links.map((/** @type {any} */ l) =>
        row([
          l.name === "cost" ? word("lessonCost") : l.name,
          number(l.value, why[l.name]?.[0]),
          number(l.slope, why[l.name]?.[1]),
          l.walked === null ? "" : signed(Number(l.walked.toPrecision(10))),
        ]),
      ),
    ),
  );
}

/** @param {Shown} shown */
async function words({ root, told, all }) {
  const stages = all.flatMap((one) => (one.stage ? [one.stage] : []));
  const losses = stages.flatMap((stage) => stage.losses);
  if (!document.getElementById("lesson-losses"))
    fill(
      root,
      make("div", { id: "lesson-done" }),
      part(word("lesson8Loss"), area("lesson-losses")),
      make("div", { id: "lesson-stages" }),
    );
  const done = /** @type {HTMLElement} */ (document.getElementById("lesson-done"));
  const list = /** @type {HTMLElement} */ (document.getElementById("lesson-stages"));
  if (told)
    fill(
      done,
      make(
        "p",
        { class: "note" },
        filled(
          "lesson8Done",
          ...[told.parameters, told.vocabulary, told.tokens].map((n) => n.toLocaleString("en")),
        ),
      ),
    );
  for (const stage of stages.slice(list.childElementCount))
    list.append(
      make(
        "div",
        { "data-step": stage.step, "data-loss": stage.loss },
        make(
          "h3",
          {},
          `${numbered(stage.step)} · ${word("lesson8Loss")}: ${Number(stage.loss).toFixed(2)}`,
        ),
        make("p", { class: "text" }, stage.text.trimStart()),
      ),
    );
  await draw(
    /** @type {HTMLElement} */ (document.getElementById("lesson-losses")),
    word("lesson8Loss"),
    [
      {
        x: losses.map(([at]) => at),
        y: losses.map(([, nats]) => nats),
        mode: "lines",
        name: word("train"),
        line: { color: color("blue") },
      },
      {
        x: stages.map((stage) => stage.step),
        y: stages.map((stage) => stage.loss),
        mode: "markers",
        name: word("validation"),
        marker: { size: 9, color: color("orange") },
      },
    ],
    {
      xaxis: axis(word("step")),
      yaxis: { ...axis(word("nats")), rangemode: "tozero" },
    },
  );
}

/** @param {Shown} shown */
function copied({ root, told }) {
  const { originality: found, losses } = told;
  const share = (/** @type {any} */ of) => `${(100 * (1 - of.new_ngrams["8"])).toFixed(0)}%`;
  const nats = (/** @type {number | null} */ x) => (x === null ? "–" : x.toFixed(2));
  fill(
    root,
    cards("lesson-copied", [
      [share(found.model), word("lesson9Copied")],
      [share(found.human), word("lesson9Human")],
      [nats(losses[0]), word("lesson9Read")],
      [nats(losses[1]), word("lesson9New")],
    ]),
    make("p", { id: "lesson-verdict" }, make("b", {}, verdict(found))),
    make("h3", {}, word("lesson9Wrote")),
    ...found.texts
      .slice(0, 3)
      .map((/** @type {any} */ text) =>
        make(
          "p",
          { class: "text copies" },
          ...text.pieces.map((/** @type {any} */ piece) =>
            piece.copy === undefined ? piece.text : make("u", {}, piece.text),
          ),
        ),
      ),
  );
}

/** By the name of the result. @type {Record<string, (shown: Shown) => unknown>} */
export const SHOWS = { next, cost, slope, step, crowd, rates, backpropagation, words, copied };
