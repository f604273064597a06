// Panel 1: the loss.

import { make, choice, tick, button, fill } from "./dom.js";
import { word } from "./words.js";
import { draw, band, colour, onZoom, OTHERS } from "./chart.js";
import { rungs, gauge } from "./ladder.js";

/** @typedef {import("./feed.js").Feed} Feed */

/** @param {HTMLElement} root @param {Feed} feed @param {() => Feed[]} others */
export function loss(root, feed, others) {
  const view = { x: "step", logX: false, logY: true, past: false, /** @type {[number, number] | null} */ range: null };
  const chart = make("div", { class: "chart high", id: "loss-chart" });
  const stage = make("div", {});
  const bar = make("div", { class: "bar" });
  const all = () => { view.range = null; view.past = false; paint(); };
  fill(bar,
    choice(word("x"), [["step", word("step")], ["tokens", word("tokens")], ["time", word("time")]], "step", (x) => { view.x = x; all(); }),
    tick(word("logX"), view.logX, (on) => { view.logX = on; view.range = null; paint(); }),
    tick(word("logY"), view.logY, (on) => { view.logY = on; paint(); }),
    button(word("past"), () => { view.past = true; view.range = null; paint(); }), button(word("all"), all));
  fill(root, make("p", { class: "note" }, word("lossNote")), stage, bar, chart);
  let listening = false;
  let drawing = false;
  /** x of a step at a time. @param {Feed} run @param {number} step @param {number} time */
  function place(run, step, time) {
    if (view.x === "tokens") return step * (run.start?.tokens_per_step ?? 1);
    if (view.x === "time") return (time - (run.all("start")[0]?.time ?? time)) / 60;
    return step;
  }
  /** Steps between two places. @param {Feed} run @param {import("./feed.js").Series} whole */
  function steps(run, whole) {
    if (view.past) return { from: whole.last[Math.floor(whole.last.length * 0.05)] ?? 0 };
    if (!view.range) return {};
    const [a, b] = view.logX ? view.range.map((v) => 10 ** v) : view.range;
    if (view.x === "tokens") { const per = run.start?.tokens_per_step ?? 1; return { from: a / per, to: b / per }; }
    if (view.x === "step") return { from: a, to: b };
    const x = whole.last.map((s, i) => place(run, s, whole.time[i] ?? 0));
    const inside = whole.last.filter((_, i) => (x[i] ?? 0) >= a && (x[i] ?? 0) <= b);
    return { from: inside[0] ?? 0, to: inside.at(-1) ?? 0 };
  }
  async function paint() {
    if (drawing) return;
    drawing = true;
    try { await paintNow(); } finally { drawing = false; }
  }
  async function paintNow() {
    gauge(stage, feed);
    const points = 1500;
    const whole = await feed.series(["loss", "smooth"], { points });
    const within = steps(feed, whole);
    const data = Object.keys(within).length ? await feed.series(["loss", "smooth"], { ...within, points }) : whole;
    const x = data.last.map((s, i) => place(feed, s, data.time[i] ?? 0));
    const label = feed.regression ? word("mse") : word("nats");
    const traces = [
      band(x, data.loss.least, data.loss.most, "rgba(80,130,220,.22)", word("span")),
      { x, y: data.loss.mean, name: word("train"), mode: "lines", line: { width: 1, color: "rgba(80,130,220,.55)" } },
      { x, y: data.smooth.mean, name: word("smooth"), mode: "lines", line: { width: 2.2, color: colour("blue") } },
    ];
    const from = within.from ?? 0;
    const measured = feed.all("eval").filter((e) => e.step >= from && (within.to === undefined || e.step <= within.to));
    traces.push({ x: measured.map((e) => place(feed, e.step, e.time)), y: measured.map((e) => e.val_nats_per_token ?? e.mse), name: word("validation"), mode: "lines+markers", line: { width: 1.5, color: colour("orange") } });
    let number = 0;
    for (const other of others()) {
      const more = await other.series(["smooth"], { points });
      const paint = OTHERS[number++ % OTHERS.length];
      const name = other.start?.run ?? `#${other.id}`;
      traces.push({ x: more.last.map((s, i) => place(other, s, more.time[i] ?? 0)), y: more.smooth.mean, name, mode: "lines", line: { width: 2, color: paint } });
      const theirs = other.all("eval");
      traces.push({ x: theirs.map((e) => place(other, e.step, e.time)), y: theirs.map((e) => e.val_nats_per_token ?? e.mse), name: `${name} · ${word("validation")}`, mode: "markers", line: { width: 1, color: paint } });
    }
    const lines = view.past ? rungs(feed).filter(([, nats]) => nats < Math.max(...data.loss.most)) : rungs(feed);
    await draw(chart, traces, {
      xaxis: { title: { text: view.x === "time" ? word("minutes") : word(view.x) }, type: view.logX ? "log" : "linear", ...(view.range ? { range: view.range } : { autorange: true }) },
      yaxis: { title: { text: label }, type: view.logY ? "log" : "linear", autorange: true },
      shapes: lines.map(([, nats]) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: nats, y1: nats, line: { width: 1, dash: "dot", color: colour("green") } })),
      annotations: lines.map(([name, nats]) => ({ xref: "paper", x: 1, xanchor: "right", y: view.logY ? Math.log10(nats) : nats, yanchor: "bottom", showarrow: false, text: word(name), font: { size: 11, color: colour("green") } })),
    });
    if (!listening) {
      listening = true;
      onZoom(chart, (range) => { view.range = range; view.past = false; paint(); });
    }
  }
  return paint;
}
