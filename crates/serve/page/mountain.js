// Panel 6: the exact cost surface of a line with two weights, and a crowd that walks down it.

import { make, fill, choice, film } from "./dom.js";
import { word, figure } from "./words.js";
import { draw, change, colour } from "./chart.js";
import { ask } from "./feed.js";

/** @param {HTMLElement} root @param {import("./feed.js").Feed} feed */
export function mountain(root, feed) {
  const bar = make("div", { class: "bar" });
  const told = make("p", { class: "note" });
  const [picture, flat, data] = ["mountain-3d", "mountain-flat", "mountain-data"].map((id) => make("div", { class: "chart high", id }));
  const frames = film(word("mountain"), word("play"), step);
  frames.every(120);
  fill(root, make("p", { class: "note" }, word("mountainNote")), bar, frames.element, told,
    make("div", { class: "two" }, picture, flat), make("h3", {}, word("data")), data);
  /** @type {any} */
  let land = null;
  let which = 0;
  let ready = false;

  /** Cost of a pair of weights: exact, since the surface is a parabola. @param {number} w @param {number} b */
  function cost(w, b) {
    const [dw, db] = [w - land.best.w, b - land.best.b];
    return land.best.cost + land.curve[0] * dw * dw + land.curve[1] * dw * db + land.curve[2] * db * db;
  }
  /** @param {number} w @param {number} b */
  const inside = (w, b) => w >= land.w[0] && w <= land.w.at(-1) && b >= land.b[0] && b <= land.b.at(-1);

  /** The crowd at a frame, and its trails. @param {number} at */
  function crowd(at) {
    const here = { x: /** @type {(number|null)[]} */ ([]), y: /** @type {(number|null)[]} */ ([]), z: /** @type {(number|null)[]} */ ([]) };
    const trail = { x: /** @type {(number|null)[]} */ ([]), y: /** @type {(number|null)[]} */ ([]) };
    let [gone, sum] = [0, 0];
    for (const walker of land.descents[which].walkers) {
      const to = Math.min(at, walker.w.length - 1);
      const [w, b] = [walker.w[to], walker.b[to]];
      const known = w !== null && b !== null;
      if (known) sum += cost(w, b); else sum = Infinity;
      if (known && inside(w, b)) { here.x.push(w); here.y.push(b); here.z.push(Math.log10(cost(w, b))); } else gone += 1;
      for (let i = Math.max(0, to - 40); i <= to; i++) { trail.x.push(walker.w[i]); trail.y.push(walker.b[i]); }
      trail.x.push(null); trail.y.push(null);
    }
    return { here, trail, gone, mean: sum / land.descents[which].walkers.length };
  }
  /** Lines of the first walkers over the data. @param {number} at */
  function fits(at) {
    const [low, high] = [Math.min(...land.data.x), Math.max(...land.data.x)];
    const line = { x: /** @type {(number|null)[]} */ ([]), y: /** @type {(number|null)[]} */ ([]) };
    for (const walker of land.descents[which].walkers.slice(0, 20)) {
      const to = Math.min(at, walker.w.length - 1);
      if (walker.w[to] === null || walker.b[to] === null) continue;
      line.x.push(low, high, null);
      line.y.push(walker.w[to] * low + walker.b[to], walker.w[to] * high + walker.b[to], null);
    }
    return line;
  }
  /** @param {number} at */
  function say(at) {
    const { gone, mean } = crowd(at);
    told.textContent = `${word("lowest")} ${figure(mean)} · ${word("gone")} ${gone}`;
    frames.say(`${word("step")} ${at}`);
  }
  /** @param {number} at */
  function step(at) {
    if (!ready) return;
    const { here, trail } = crowd(at);
    const lines = fits(at);
    change(picture, { x: [here.x], y: [here.y], z: [here.z] }, [1]);
    change(flat, { x: [trail.x, here.x], y: [trail.y, here.y] }, [1, 2]);
    change(data, { x: [lines.x], y: [lines.y] }, [1]);
    say(at);
  }
  async function paint() {
    if (!land) {
      land = await ask(`/api/runs/${feed.id}/landscape`);
      if (!land) return;
      fill(bar, choice(word("rule"), land.descents.map((/** @type {any} */ d, /** @type {number} */ i) => [String(i), `${d.name} · ${word("rate")} ${figure(d.rate)}`]), "0", (value) => { which = Number(value); frames.go(0); paint(); }));
      frames.count(land.descents[0].walkers[0].w.length);
      frames.go(0);
    }
    const at = frames.at();
    const { here, trail } = crowd(at);
    const lines = fits(at);
    const height = land.b.map((/** @type {number} */ b) => land.w.map((/** @type {number} */ w) => Math.log10(cost(w, b))));
    const axis = (/** @type {string} */ text) => ({ title: { text }, color: colour("ink"), gridcolor: colour("line") });
    await draw(picture, [
      { type: "surface", x: land.w, y: land.b, z: height, colorscale: "Viridis", showscale: false, opacity: 0.85, contours: { z: { show: true, usecolormap: true } }, hovertemplate: "w %{x:.3f}<br>b %{y:.3f}<br>10^%{z:.2f}<extra></extra>" },
      { type: "scatter3d", mode: "markers", ...here, marker: { size: 2.6, color: "#ff7a1a" }, hoverinfo: "skip" },
    ], { margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, uirevision: "turned", scene: { xaxis: axis("w"), yaxis: axis("b"), zaxis: { ...axis(`log10 ${word("cost")}`) }, camera: { eye: { x: 1.5, y: -1.4, z: 0.9 } } } });
    await draw(flat, [
      { type: "contour", x: land.w, y: land.b, z: height, colorscale: "Viridis", showscale: false, ncontours: 24, hoverinfo: "skip" },
      { x: trail.x, y: trail.y, mode: "lines", line: { width: 0.7, color: "rgba(255,255,255,.65)" }, hoverinfo: "skip" },
      { x: here.x, y: here.y, mode: "markers", marker: { size: 4, color: "#ff7a1a" }, hoverinfo: "skip" },
      { x: [land.best.w], y: [land.best.b], mode: "markers", marker: { symbol: "x", size: 9, color: "#ffffff" }, name: word("best") },
    ], { showlegend: false, hovermode: "closest", xaxis: { title: { text: "w" }, range: [land.w[0], land.w.at(-1)] }, yaxis: { title: { text: "b" }, range: [land.b[0], land.b.at(-1)] } });
    const [low, high] = [Math.min(...land.data.y), Math.max(...land.data.y)];
    await draw(data, [
      { ...land.data, mode: "markers", marker: { size: 4, color: colour("soft") }, name: word("events") },
      { ...lines, mode: "lines", line: { width: 1, color: "rgba(255,122,26,.6)" }, hoverinfo: "skip" },
    ], { showlegend: false, hovermode: "closest", xaxis: { title: { text: land.column } }, yaxis: { title: { text: land.target }, range: [low - (high - low) * 0.1, high + (high - low) * 0.1] } });
    ready = true;
    say(at);
  }
  return paint;
}
