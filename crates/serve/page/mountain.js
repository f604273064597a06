// Panel: the exact cost surface of a line with two weights, and the walkers that descend it.

import { make, fill, choice, film } from "./dom.js";
import { word, figure, numbered } from "./words.js";
import { draw, change, color, plain } from "./chart.js";

/** @typedef {{x: (number|null)[], y: (number|null)[], z: (number|null)[]}} Places */

/** Number of walkers whose line over the data and path on the surface are shown. */
const FEW = 20;
const WALKERS = "#ff7a1a";
/** How far paths are above the surface, which would hide them otherwise, in log₁₀ of the cost. */
const LIFT = 0.06;

/** @returns {Places} */
const places = () => ({ x: [], y: [], z: [] });

/**
 * @param {HTMLElement} root
 * @param {() => Promise<any>} load reads the landscape
 * @param {number} [shown] the step that is shown at first
 */
export function mountain(root, load, shown = 0) {
  const bar = make("div", { class: "bar" });
  const told = make("p", { class: "note", id: "mountain-told" });
  const area = (/** @type {string} */ id) => make("div", { class: "chart high", id });
  const [picture, flat, data] = [area("mountain-3d"), area("mountain-flat"), area("mountain-data")];
  const frames = film(word("mountain"), word("play"), step);
  frames.every(120);
  const part = (/** @type {string} */ title, /** @type {HTMLElement} */ chart) =>
    make("div", {}, make("h3", {}, word(title)), chart);
  fill(
    root,
    make("p", { class: "note" }, word("mountainNote")),
    bar,
    frames.element,
    told,
    make(
      "div",
      { class: "three" },
      part("surface", picture),
      part("contours", flat),
      part("data", data),
    ),
  );
  /** @type {any} */
  let land = null;
  let which = 0;
  let ready = false;

  /**
   * The cost of a pair of weights: exact, since the surface is quadratic.
   * @param {number} w @param {number} b
   */
  function cost(w, b) {
    const [dw, db] = [w - land.best.w, b - land.best.b];
    return (
      land.best.cost + land.curve[0] * dw * dw + land.curve[1] * dw * db + land.curve[2] * db * db
    );
  }
  /** Heights of the grid's points: log₁₀ of the cost, as drawn. @type {number[][]} */
  let height = [];
  /**
   * The height of the drawn surface, whose facets are flat, and a little more.
   * @param {number} w @param {number} b
   */
  function above(w, b) {
    const place = (/** @type {number[]} */ grid, /** @type {number} */ v) => {
      const [first, last] = [Number(grid[0]), Number(grid.at(-1))];
      const share = ((v - first) / (last - first)) * (grid.length - 1);
      const at = Math.max(0, Math.min(grid.length - 2, Math.floor(share)));
      return { at, rest: share - at };
    };
    const [x, y] = /** @type {const} */ ([place(land.w, w), place(land.b, b)]);
    const corner = (/** @type {number} */ dw, /** @type {number} */ db) =>
      Number(height[y.at + db]?.[x.at + dw]);
    const edge = (/** @type {number} */ db) =>
      corner(0, db) * (1 - x.rest) + corner(1, db) * x.rest;
    return edge(0) * (1 - y.rest) + edge(1) * y.rest + LIFT;
  }
  /** @param {number} w @param {number} b */
  const inside = (w, b) =>
    w >= land.w[0] && w <= land.w.at(-1) && b >= land.b[0] && b <= land.b.at(-1);

  /** All walkers at a frame, and their paths up to it. @param {number} at */
  function crowd(at) {
    const [here, trail, some] = [places(), places(), places()];
    let [gone, sum] = [0, 0];
    const add = (
      /** @type {Places} */ to,
      /** @type {number|null} */ w,
      /** @type {number|null} */ b,
    ) => {
      const known = w !== null && b !== null && inside(w, b);
      to.x.push(known ? w : null);
      to.y.push(known ? b : null);
      to.z.push(known ? above(w, b) : null);
      return known;
    };
    // A straight line between two steps would cut through the surface or float above it.
    const walk = (
      /** @type {any} */ walker,
      /** @type {number} */ from,
      /** @type {number} */ to,
    ) => {
      const [w0, b0, w1, b1] = [walker.w[from], walker.b[from], walker.w[to], walker.b[to]];
      if (w0 === null || b0 === null || w1 === null || b1 === null) return;
      if (!inside(w0, b0) || !inside(w1, b1)) return;
      const cell = land.w[1] - land.w[0];
      const parts = Math.ceil(Math.hypot(w1 - w0, b1 - b0) / cell);
      for (let i = 1; i < parts; i++)
        add(some, w0 + ((w1 - w0) * i) / parts, b0 + ((b1 - b0) * i) / parts);
    };
    for (const [number, walker] of land.descents[which].walkers.entries()) {
      const to = Math.min(at, walker.w.length - 1);
      const [w, b] = [walker.w[to], walker.b[to]];
      sum += w !== null && b !== null ? cost(w, b) : Infinity;
      if (!add(here, w, b)) gone += 1;
      for (let i = 0; i <= to; i++) {
        add(trail, walker.w[i], walker.b[i]);
        if (number >= FEW) continue;
        if (i > 0) walk(walker, i - 1, i);
        add(some, walker.w[i], walker.b[i]);
      }
      add(trail, null, null);
      add(some, null, null);
    }
    return { here, trail, some, gone, mean: sum / land.descents[which].walkers.length };
  }
  /** The lines of the first walkers over the data. @param {number} at */
  function fits(at) {
    const [low, high] = [Math.min(...land.data.x), Math.max(...land.data.x)];
    const { x, y } = places();
    for (const walker of land.descents[which].walkers.slice(0, FEW)) {
      const to = Math.min(at, walker.w.length - 1);
      if (walker.w[to] === null || walker.b[to] === null) continue;
      x.push(low, high, null);
      y.push(walker.w[to] * low + walker.b[to], walker.w[to] * high + walker.b[to], null);
    }
    return { x, y };
  }
  /** @param {number} at @param {{gone: number, mean: number}} now */
  function say(at, { gone, mean }) {
    told.textContent = `${word("lowest")} ${figure(mean)} · ${word("outside")} ${gone}`;
    frames.say(`${numbered(at)}`);
  }
  /** @param {number} at */
  function step(at) {
    if (!ready) return;
    const now = crowd(at);
    const [{ here, trail, some }, lines] = [now, fits(at)];
    change(picture, { x: [some.x, here.x], y: [some.y, here.y], z: [some.z, here.z] }, [1, 2]);
    change(flat, { x: [trail.x, here.x], y: [trail.y, here.y] }, [1, 2]);
    change(data, { x: [lines.x], y: [lines.y] }, [1]);
    say(at, now);
  }
  async function open() {
    land = await load();
    if (!land) return;
    height = land.b.map((/** @type {number} */ b) =>
      land.w.map((/** @type {number} */ w) => Math.log10(cost(w, b))),
    );
    const rules = land.descents.map((/** @type {any} */ d, /** @type {number} */ i) => [
      String(i),
      `${word(d.name)} · ${word("rate")} ${figure(d.rate)}`,
    ]);
    const rule = choice(word("rule"), rules, "0", (value) => {
      which = Number(value);
      frames.go(0);
      paint();
      frames.start();
    });
    fill(bar, rules.length > 1 ? rule : null);
    frames.count(land.descents[0].walkers[0].w.length);
    frames.go(shown);
  }
  async function paint() {
    if (!land) await open();
    if (!land) return;
    const at = frames.at();
    const now = crowd(at);
    const [{ here, trail, some }, lines] = [now, fits(at)];
    const axis = (/** @type {string} */ text) => ({
      title: { text },
      color: color("ink"),
      gridcolor: color("line"),
      zerolinecolor: color("line"),
    });
    // From so far that the labels of all axes are in the picture, however narrow it is.
    const far = 1.25 * Math.max(1, picture.clientHeight / (picture.clientWidth || 1));
    await draw(
      picture,
      `${word("mountain")}: ${word("surface")}`,
      [
        {
          type: "surface",
          x: land.w,
          y: land.b,
          z: height,
          colorscale: "Viridis",
          showscale: false,
          contours: { z: { show: true, usecolormap: true } },
          hovertemplate: "w %{x:.3f}<br>b %{y:.3f}<br>10^%{z:.2f}<extra></extra>",
        },
        {
          type: "scatter3d",
          mode: "lines",
          ...some,
          connectgaps: false,
          line: { width: 1.5, color: "#ffffff" },
          opacity: 0.5,
          hoverinfo: "skip",
        },
        {
          type: "scatter3d",
          mode: "markers",
          ...here,
          marker: { size: 2.6, color: WALKERS },
          hoverinfo: "skip",
        },
      ],
      {
        margin: { l: 0, r: 0, t: 0, b: 0 },
        showlegend: false,
        uirevision: "turned",
        dragmode: "turntable",
        scene: {
          aspectmode: "manual",
          aspectratio: { x: 1.1, y: 1.1, z: 0.75 },
          xaxis: axis("w"),
          yaxis: axis("b"),
          zaxis: axis(""),
          camera: {
            eye: { x: 1.15 * far, y: -1.15 * far, z: 1.25 * far },
            center: { x: 0, y: 0, z: -0.15 },
          },
        },
      },
    );
    await draw(
      flat,
      `${word("mountain")}: ${word("contours")}`,
      [
        {
          type: "contour",
          x: land.w,
          y: land.b,
          z: height,
          colorscale: "Viridis",
          showscale: false,
          ncontours: 24,
          hoverinfo: "skip",
        },
        {
          x: trail.x,
          y: trail.y,
          mode: "lines",
          line: { width: 0.6, color: "rgba(255,255,255,.28)" },
          hoverinfo: "skip",
        },
        {
          x: here.x,
          y: here.y,
          mode: "markers",
          marker: { size: 4, color: WALKERS },
          hoverinfo: "skip",
        },
        {
          x: [land.best.w],
          y: [land.best.b],
          mode: "markers",
          marker: { symbol: "x", size: 9, color: "#ffffff" },
          name: word("best"),
        },
      ],
      {
        showlegend: false,
        hovermode: "closest",
        xaxis: { title: { text: "w" }, range: [land.w[0], land.w.at(-1)] },
        yaxis: { title: { text: "b" }, range: [land.b[0], land.b.at(-1)] },
      },
    );
    const [low, high] = [Math.min(...land.data.y), Math.max(...land.data.y)];
    await draw(
      data,
      word("data"),
      [
        {
          ...land.data,
          mode: "markers",
          marker: { size: 4, color: color("soft") },
          hoverinfo: "x+y",
        },
        {
          ...lines,
          mode: "lines",
          line: { width: 1, color: "rgba(255,122,26,.6)" },
          hoverinfo: "skip",
        },
      ],
      {
        showlegend: false,
        hovermode: "closest",
        xaxis: { title: { text: plain(land.column) } },
        yaxis: {
          title: { text: plain(land.target) },
          range: [low - (high - low) * 0.1, high + (high - low) * 0.1],
        },
      },
    );
    ready = true;
    say(at, now);
  }
  return paint;
}
