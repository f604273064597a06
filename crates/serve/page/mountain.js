// Panel: the exact cost surface of a line with two weights, and the walkers that descend it.

import { make, fill, choice, film } from "./dom.js";
import { word, figure, numbered } from "./words.js";
import { draw, change, color, plain } from "./chart.js";
import { Relief, places, turning } from "./surface.js";

/** Number of walkers whose line over the data and path on the surface are shown. */
const FEW = 20;
const WALKERS = "#ff7a1a";
/** How far paths are above the surface, in log₁₀ of the cost. */
const LIFT = 0.06;

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
  /** The surface as drawn: log₁₀ of the cost. @type {Relief} */
  let relief;

  /** All walkers at a frame, and their paths up to it. @param {number} at */
  function crowd(at) {
    const [here, trail, some] = [places(), places(), places()];
    let [gone, sum] = [0, 0];
    const place = (/** @type {any} */ walker, /** @type {number} */ i) => [
      walker.w[i],
      walker.b[i],
    ];
    for (const [number, walker] of land.descents[which].walkers.entries()) {
      const to = Math.min(at, walker.w.length - 1);
      const [w, b] = [walker.w[to], walker.b[to]];
      sum += w !== null && b !== null ? cost(w, b) : Infinity;
      if (!relief.add(here, w, b)) gone += 1;
      for (let i = 0; i <= to; i++) {
        relief.add(trail, walker.w[i], walker.b[i]);
        if (number >= FEW) continue;
        if (i > 0) relief.between(some, place(walker, i - 1), place(walker, i));
        relief.add(some, walker.w[i], walker.b[i]);
      }
      relief.add(trail, null, null);
      relief.add(some, null, null);
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
    const height = land.b.map((/** @type {number} */ b) =>
      land.w.map((/** @type {number} */ w) => Math.log10(cost(w, b))),
    );
    relief = new Relief(land.w, land.b, height, LIFT);
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
    await draw(
      picture,
      `${word("mountain")}: ${word("surface")}`,
      [
        relief.trace("w %{x:.3f}<br>b %{y:.3f}<br>10^%{z:.2f}"),
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
      turning(picture, ["w", "b"]),
    );
    await draw(
      flat,
      `${word("mountain")}: ${word("contours")}`,
      [
        relief.contours(),
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
