// Panel: where the time goes.

import { make, fill } from "./dom.js";
import { word, large, duration, figure } from "./words.js";
import { draw, band, color } from "./chart.js";

/** @param {HTMLElement} root @param {import("./feed.js").Feed} feed */
export function time(root, feed) {
  const cards = make("div", { class: "cards", id: "time-cards" });
  const speed = make("div", { class: "chart low", id: "time-speed" });
  const work = make("div", { class: "chart", id: "time-work" });
  const rate = feed.regression ? "rowsPerSecond" : "perSecond";
  const title = make("h3", {}, word("profile"));
  fill(root, cards, speed, title, work);
  /** @param {string} name @param {string} value */
  const card = (name, value) =>
    make("div", {}, make("small", {}, word(name)), make("b", {}, value));
  return async () => {
    const data = await feed.series(["tokens_per_second", "step_seconds"], { points: 800 });
    const start = feed.start;
    const seconds = data.step_seconds.mean
      .slice(-20)
      .filter((/** @type {any} */ s) => s !== null)
      .sort((/** @type {number} */ a, /** @type {number} */ b) => a - b);
    const typical = seconds[Math.floor(seconds.length / 2)];
    if (start) {
      fill(
        cards,
        card(rate, figure(start.tokens_per_step / typical)),
        card("flops", large(start.flops_per_step / typical, "FLOP/s")),
        start.peak_flops_per_second
          ? card(
              "share",
              `${figure((100 * start.flops_per_step) / typical / start.peak_flops_per_second)} %`,
            )
          : null,
        card("perStep", `${figure(typical * 1000)} ms`),
        feed.live ? card("left", duration(feed.left)) : null,
        card("planned", large(start.bytes_peak, "B")),
        feed.last("end")?.peak_bytes
          ? card("peak", large(feed.last("end")?.peak_bytes, "B"))
          : null,
      );
    }
    const y = data.tokens_per_second;
    await draw(
      speed,
      `${word(rate)}: ${figure(start ? start.tokens_per_step / typical : null)}`,
      [
        band(data.last, y.least, y.most, word("span")),
        {
          x: data.last,
          y: y.mean,
          name: word(rate),
          showlegend: true,
          line: { width: 1.4, color: color("blue") },
        },
      ],
      { xaxis: { title: { text: word("step") } }, yaxis: { rangemode: "tozero" } },
    );
    const profile = feed.last("profile")?.seconds?.slice(0, 14).reverse();
    title.hidden = work.hidden = !profile;
    if (!profile) return;
    await draw(
      work,
      `${word("profile")}: ${profile
        .map((/** @type {any} */ p) => `${p[0]} ${figure(p[1] * 1000)}`)
        .reverse()
        .join(", ")}`,
      [
        {
          type: "bar",
          orientation: "h",
          y: profile.map((/** @type {any} */ p) => p[0]),
          x: profile.map((/** @type {any} */ p) => p[1] * 1000),
          marker: { color: color("blue") },
          hovertemplate: "%{y}: %{x:.3f} ms<extra></extra>",
        },
      ],
      { hovermode: "closest", xaxis: { title: { text: "ms" } }, yaxis: { type: "category" } },
    );
  };
}
