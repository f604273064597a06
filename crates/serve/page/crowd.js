// Panel: runs from different random starts. What their ends predict alike, and the cost on the
// straight line between each two, before and after matching heads and neurons.

import { make, fill } from "./dom.js";
import { word, filled, figure } from "./words.js";
import { draw, color } from "./chart.js";

/** Lines that are drawn, at most; width and height of one. */
const MOST = 15;
const SIZE = [240, 190];

/** @param {number} nats */
const two = (nats) => nats.toFixed(2);

/** What was found, as a sentence. @param {any} found */
function verdict(found) {
  /** @type {number[]} */
  const costs = found.runs.map((/** @type {any} */ run) => run.cost);
  const [before, after] = [found.barrier_before, found.barrier_after];
  if (found.finding === "one_valley") return filled("crowdOne", String(costs.length), two(before));
  if (found.finding === "one_valley_matched")
    return filled("crowdMatched", String(costs.length), two(before), two(after));
  const range = [two(Math.min(...costs)), two(Math.max(...costs))];
  const heights = filled(found.alike ? "crowdAlike" : "crowdUnlike", ...range);
  const key = found.finding === "pass" ? "crowdPass" : "crowdRidge";
  return filled(key, heights, two(Math.min(before, after)), two(before), two(after));
}

/** Cost and folder of each run. @param {any} found */
function ends(found) {
  const head = ["", "run", "seed", "step", "nats"];
  return make(
    "table",
    { id: "crowd-runs" },
    make("tr", {}, ...head.map((key) => make("th", {}, key && word(key)))),
    ...found.runs.map((/** @type {any} */ run, /** @type {number} */ i) =>
      make(
        "tr",
        {},
        ...[i + 1, run.folder, run.seed, run.step, figure(run.cost)].map((cell) =>
          make("td", {}, String(cell)),
        ),
      ),
    ),
    make(
      "tr",
      {},
      make("td", {}),
      make("td", { colspan: 3 }, word("crowdMean")),
      make("td", {}, figure(found.ensemble)),
    ),
  );
}

/** How often each two find the same token most likely. @param {any} found */
function agreement(found) {
  /** @type {number[]} */
  const numbers = found.runs.map((/** @type {any} */ _, /** @type {number} */ i) => i);
  /** @param {number} i @param {number} j */
  const share = (i, j) =>
    found.pairs.find((/** @type {any} */ p) => p.a === Math.min(i, j) && p.b === Math.max(i, j))
      ?.agreement;
  /** @param {number} i @param {number} j */
  const cell = (i, j) => {
    const known = share(i, j);
    if (known === undefined) return make("td", {}, "–");
    const style = `background:rgba(80,130,220,${(0.6 * known).toFixed(2)})`;
    return make("td", { style }, `${(100 * known).toFixed(1)}%`);
  };
  return make(
    "table",
    { id: "crowd-agreement" },
    make("tr", {}, make("th", {}), ...numbers.map((j) => make("th", {}, String(j + 1)))),
    ...numbers.map((i) =>
      make("tr", {}, make("th", {}, String(i + 1)), ...numbers.map((j) => cell(i, j))),
    ),
  );
}

/** @param {HTMLElement} root @param {any} found */
export function crowd(root, found) {
  const chart = make("div", { class: "chart", id: "crowd-lines" });
  const [shown, all] = [found.pairs.slice(0, MOST), found.pairs.length];
  const part = (/** @type {string} */ title, /** @type {HTMLElement} */ table) =>
    make("div", {}, make("h3", {}, word(title)), make("div", { class: "scroll" }, table));
  fill(
    root,
    make("p", { class: "note" }, word("crowdNote")),
    make("p", { id: "crowd-verdict" }, make("b", {}, verdict(found))),
    make("h3", {}, word("crowdLines")),
    all > MOST
      ? make("p", { class: "note" }, filled("crowdSome", String(MOST), String(all)))
      : null,
    chart,
    make(
      "div",
      { class: "two" },
      part("crowdEnds", ends(found)),
      part("crowdAgreement", agreement(found)),
    ),
  );
  return () => {
    const [width, height] = /** @type {[number, number]} */ (SIZE);
    const columns = Math.max(1, Math.min(shown.length, Math.floor(root.clientWidth / width)));
    const rows = Math.ceil(shown.length / columns);
    chart.style.height = `${rows * height + 95}px`;
    /** @type {Record<string, any>} */
    const layout = {
      grid: { rows, columns, pattern: "independent", ygap: 0.35 },
      margin: { l: 55, r: 15, t: 65, b: 30 },
      legend: { orientation: "h", yref: "container", y: 1, yanchor: "top" },
    };
    /** @type {Record<string, any>[]} */
    const traces = [];
    layout.annotations = shown.map((/** @type {any} */ pair, /** @type {number} */ i) => {
      const axis = i ? String(i + 1) : "";
      const lines = /** @type {const} */ ([
        ["before", "crowdBefore", "orange"],
        ["after", "crowdAfter", "blue"],
      ]);
      for (const [name, key, hue] of lines)
        traces.push({
          x: pair.line.x,
          y: pair.line[name],
          xaxis: `x${axis}`,
          yaxis: `y${axis}`,
          name: word(key),
          legendgroup: name,
          showlegend: i === 0,
          mode: "lines",
          line: { color: color(hue), width: 2, dash: name === "before" ? "dot" : "solid" },
        });
      layout[`xaxis${axis}`] = { tickvals: [0, 1], ticktext: [pair.a + 1, pair.b + 1] };
      // One scale for all.
      layout[`yaxis${axis}`] = i ? { matches: "y" } : { title: { text: word("nats") } };
      return {
        text: filled("crowdPairTitle", two(pair.barrier_before), two(pair.barrier_after)),
        xref: `x${axis} domain`,
        yref: `y${axis} domain`,
        x: 0.5,
        y: 1.02,
        yanchor: "bottom",
        showarrow: false,
        font: { size: 11 },
      };
    });
    return draw(chart, `${word("crowdLines")}: ${verdict(found)}`, traces, layout);
  };
}
