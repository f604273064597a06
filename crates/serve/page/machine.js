// Panel: metrics of each part of the model.

import { make, fill, choice } from "./dom.js";
import { word, plainly } from "./words.js";
import { draw, band, color, guide, logarithmic } from "./chart.js";
import { ask } from "./feed.js";

/** The metrics that the heat map can show. */
const SHOWN = ["grad_norm", "update_ratio", "weight_rms", "activation_rms"];

/** The note in an empty chart. */
const nothing = () => ({
  xref: "paper",
  yref: "paper",
  x: 0.5,
  y: 0.5,
  showarrow: false,
  text: word("none"),
});

/** @param {HTMLElement} root @param {import("./feed.js").Feed} feed */
export function machine(root, feed) {
  let what = "update_ratio";
  const scale = make("p", { class: "note", id: "machine-scale" });
  const heat = make("div", { class: "chart", id: "machine-heat" });
  const lines = make("div", { class: "chart high", id: "machine-lines" });
  const options = SHOWN.map((k) => /** @type {[string, string]} */ ([k, word(k)]));
  fill(
    root,
    make("p", { class: "note" }, word("machineNote")),
    make(
      "div",
      { class: "bar" },
      choice(word("show"), options, what, (value) => {
        what = value;
        paint();
      }),
    ),
    scale,
    heat,
    lines,
  );
  /** @type {number | null} */
  let clip = null;
  ask(`/api/runs/${feed.id}/settings`).then(
    (keys) => {
      const found = keys.find((/** @type {any} */ k) => k.key === "optim.clip");
      clip = found ? Number(found.value) || null : null;
    },
    () => {
      clip = null;
    },
  );

  /** Events with values of this metric. @param {string} kind */
  const knowing = (kind) =>
    feed.all("layers").filter((e) => e[kind]?.some((/** @type {any} */ v) => v !== null));

  function map() {
    const all = knowing(what);
    /** @type {string[]} */
    const names = all.at(-1)?.names ?? [];
    const value = (/** @type {any} */ e, /** @type {number} */ part) =>
      e[what][part] > 0 ? Number(e[what][part]) : null;
    const z = names.map((_, part) =>
      all.map((e) => {
        const known = value(e, part);
        return known === null ? null : Math.log10(known);
      }),
    );
    const heights = /** @type {number[]} */ (z.flat().filter((v) => v !== null));
    const ends = [Math.min(...heights), Math.max(...heights)].map((v) => plainly(10 ** v));
    scale.hidden = heights.length === 0;
    scale.textContent = ends.reduce(
      (text, end) => text.replace("{}", end),
      word(what === "update_ratio" ? "heatRatio" : "heatSize"),
    );
    const guided =
      what === "update_ratio" ? { zmid: -3, colorscale: "RdBu" } : { colorscale: "Viridis" };
    const powers = [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3];
    const trace = {
      type: "heatmap",
      x: all.map((e) => e.step),
      y: names,
      z,
      ...guided,
      colorbar: {
        tickvals: powers,
        ticktext: powers.map((p) => plainly(10 ** p)),
        thickness: 12,
      },
      text: names.map((_, part) => all.map((e) => plainly(value(e, part)))),
      hovertemplate: `%{y}<br>${word("step")} %{x}: %{text}<extra></extra>`,
    };
    return draw(heat, `${word("machine")}: ${word(what)}, ${names.join(", ")}`, [trace], {
      hovermode: "closest",
      xaxis: { title: { text: word("step") } },
      yaxis: { autorange: "reversed", type: "category" },
      annotations: all.length ? [] : [nothing()],
    });
  }
  async function paint() {
    await map();
    const data = await feed.series(["grad_norm", "lr"], { points: 800 });
    const ratio = knowing("update_ratio");
    /** @type {string[]} */
    const parts = ratio[0]?.names ?? [];
    const traces = [
      {
        ...band(data.last, data.grad_norm.least, data.grad_norm.most, word("span")),
        showlegend: false,
      },
      {
        x: data.last,
        y: data.grad_norm.mean,
        name: word("grad_norm"),
        line: { width: 1.2, color: color("blue") },
      },
      ...parts.map((name, i) => ({
        x: ratio.map((e) => e.step),
        y: ratio.map((e) => e.update_ratio[i]),
        name,
        yaxis: "y2",
        showlegend: false,
        line: { width: 1 },
      })),
      {
        x: data.last,
        y: data.lr.mean,
        name: word("lr"),
        yaxis: "y3",
        line: { width: 1.5, color: color("orange") },
      },
    ];
    const guides = [
      guide(word("guide"), 1e-3, true, "y2", true),
      ...(clip ? [guide(word("clip"), clip, true, "y", true)] : []),
    ];
    const norms = logarithmic([...data.grad_norm.least, ...data.grad_norm.most]);
    const ratios = logarithmic(ratio.flatMap((e) => e.update_ratio));
    await draw(lines, `${word("grad_norm")}, ${word("update_ratio")}, ${word("lr")}`, traces, {
      xaxis: { title: { text: word("step") }, anchor: "y3" },
      showlegend: false,
      yaxis: { ...norms, domain: [0.7, 1], title: { text: word("grad_norm") } },
      yaxis2: { ...ratios, domain: [0.34, 0.64], title: { text: word("update_ratio") } },
      yaxis3: {
        domain: [0, 0.28],
        title: { text: word("lr") },
        exponentformat: "power",
        nticks: 4,
      },
      shapes: guides.map((g) => g.shape),
      annotations: guides.map((g) => g.note),
    });
  }
  return paint;
}
