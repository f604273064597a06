// Panel 4: what goes on in each part of the model.

import { make, fill, choice } from "./dom.js";
import { word } from "./words.js";
import { draw, band, colour } from "./chart.js";
import { ask } from "./feed.js";

/** @param {HTMLElement} root @param {import("./feed.js").Feed} feed */
export function machine(root, feed) {
  let what = "update_ratio";
  const heat = make("div", { class: "chart", id: "machine-heat" });
  const lines = make("div", { class: "chart high", id: "machine-lines" });
  const options = /** @type {[string, string][]} */ (["grad_norm", "update_ratio", "weight_rms", "activation_rms"].map((k) => [k, word(k)]));
  fill(root, make("p", { class: "note" }, word("machineNote")), make("div", { class: "bar" }, choice(word("show"), options, what, (value) => { what = value; paint(); })), heat, lines);
  /** @type {number | null} */
  let clip = null;
  ask(`/api/runs/${feed.id}/settings`).then((keys) => {
    const found = keys.find((/** @type {any} */ k) => k.key === "optim.clip");
    clip = found ? Number(found.value) || null : null;
  });
  async function paint() {
    const all = feed.all("layers").filter((e) => e[what]?.some((/** @type {any} */ v) => v !== null));
    const names = all[0]?.names ?? [];
    const z = names.map((/** @type {string} */ _, /** @type {number} */ part) => all.map((e) => (e[what][part] > 0 ? Math.log10(e[what][part]) : null)));
    const guided = what === "update_ratio" ? { zmid: -3, colorscale: "RdBu" } : { colorscale: "Viridis" };
    const powers = [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3];
    await draw(heat, [{ type: "heatmap", x: all.map((e) => e.step), y: names, z, ...guided, colorbar: { tickvals: powers, ticktext: powers.map((p) => `1e${p}`), thickness: 12 }, hovertemplate: "%{y}<br>%{x}: 10^%{z:.2f}<extra></extra>" }],
      { hovermode: "closest", xaxis: { title: { text: word("step") } }, yaxis: { autorange: "reversed", type: "category" } });
    const data = await feed.series(["grad_norm", "lr"], { points: 800 });
    const ratio = feed.all("layers").filter((e) => e.update_ratio?.some((/** @type {any} */ v) => v !== null));
    const parts = ratio[0]?.names ?? [];
    const traces = [
      { ...band(data.last, data.grad_norm.least, data.grad_norm.most, "rgba(80,130,220,.22)", word("span")), showlegend: false },
      { x: data.last, y: data.grad_norm.mean, name: word("grad_norm"), line: { width: 1.2, color: colour("blue") } },
      ...parts.map((/** @type {string} */ name, /** @type {number} */ i) => ({ x: ratio.map((e) => e.step), y: ratio.map((e) => e.update_ratio[i]), name, yaxis: "y2", showlegend: false, line: { width: 1 } })),
      { x: data.last, y: data.lr.mean, name: word("lr"), yaxis: "y3", line: { width: 1.5, color: colour("orange") } },
    ];
    const guide = (/** @type {number} */ y, /** @type {string} */ yref) => ({ type: "line", xref: "paper", x0: 0, x1: 1, yref, y0: y, y1: y, line: { width: 1, dash: "dot", color: colour("green") } });
    const note = (/** @type {string} */ text, /** @type {number} */ y, /** @type {string} */ yref) => ({ xref: "paper", x: 1, xanchor: "right", yref, y: Math.log10(y), yanchor: "bottom", text, showarrow: false, font: { size: 11, color: colour("green") } });
    await draw(lines, traces, {
      xaxis: { title: { text: word("step") }, anchor: "y3" },
      yaxis: { type: "log", domain: [0.7, 1], title: { text: word("grad_norm") }, exponentformat: "e" }, yaxis2: { type: "log", domain: [0.34, 0.64], title: { text: word("update_ratio") }, exponentformat: "e" }, yaxis3: { domain: [0, 0.28], title: { text: word("lr") }, exponentformat: "e" },
      shapes: [...(clip ? [guide(clip, "y")] : []), guide(1e-3, "y2")], annotations: [...(clip ? [note(word("clip"), clip, "y")] : []), note(word("guide"), 1e-3, "y2")],
    });
  }
  return paint;
}
