// The n-gram reference losses: levels for the loss chart, and a gauge that shows in words what the
// model has learned.

import { make, fill } from "./dom.js";
import { word } from "./words.js";

/** @typedef {import("./feed.js").Feed} Feed */

/** The levels from the top: name and nats. @param {Feed} feed @returns {[string, number][]} */
export function rungs(feed) {
  const ladder = feed.last("ladder");
  /** @type {[string, number][]} */
  const all = [];
  if (ladder)
    for (const name of ["uniform", "unigram", "bigram", "trigram"]) all.push([name, ladder[name]]);
  const floor = feed.floor;
  if (floor !== null) all.push(["floor", floor]);
  return all.filter(([, nats]) => Number.isFinite(nats));
}

/** The key of the sentence that describes a loss. @param {Feed} feed @param {number} loss */
export function stage(feed, loss) {
  if (feed.news.rote !== null) return "stageRote";
  const floor = feed.floor;
  if (floor !== null && loss <= floor * 1.1) return "stageFloor";
  let passed = "stageNone";
  for (const [name, nats] of rungs(feed)) {
    if (name !== "floor" && loss < nats - 1e-9)
      passed = `stage${name[0]?.toUpperCase()}${name.slice(1)}`;
  }
  return passed;
}

/** @param {HTMLElement} where @param {Feed} feed */
export function gauge(where, feed) {
  const all = rungs(feed);
  const loss = feed.last("eval")?.val_nats_per_token;
  if (all.length < 2 || typeof loss !== "number") {
    fill(where);
    return;
  }
  // What was learned once isn't nothing, even if validation became worse than a random guess since.
  const losses = feed.all("eval").map((e) => Number(e.val_nats_per_token));
  const learned = loss >= (all[0]?.[1] ?? 0) ? Math.min(...losses) : loss;
  const told = stage(feed, learned);
  const said = told === "stageRote" ? word(told).replace("{}", String(feed.news.rote)) : word(told);
  const high = Math.max(all[0]?.[1] ?? 1, loss);
  const low = Math.min(all.at(-1)?.[1] ?? 0, loss) * 0.97;
  const place = (/** @type {number} */ nats) => `left:${((high - nats) / (high - low)) * 100}%`;
  const rail = make(
    "div",
    { class: "gauge", role: "img", "aria-label": said },
    make("div", { class: "rail" }),
  );
  all.forEach(([name, nats], i) => {
    // A name is shifted left by the fraction of its own width at which its mark lies on the rail,
    // so it never sticks out.
    const shift = `transform:translateX(${(-100 * (high - nats)) / (high - low)}%)`;
    rail.append(
      make("div", { class: "mark", style: place(nats) }),
      make(
        "div",
        { class: `name ${i % 2 ? "down" : "up"}`, style: `${place(nats)};${shift}` },
        `${word(name)} ${nats.toFixed(2)}`,
      ),
    );
  });
  rail.append(make("div", { class: "here", style: place(loss), title: loss.toFixed(4) }));
  fill(
    where,
    make("p", {}, make("b", {}, `${word("stage")}: `), said, ` (${loss.toFixed(3)})`),
    rail,
  );
  // A name that would overlap another moves further out.
  const ends = { up: -Infinity, down: -Infinity };
  for (const name of rail.querySelectorAll(".name")) {
    const side = name.classList.contains("up") ? "up" : "down";
    const { left, right } = name.getBoundingClientRect();
    if (left > ends[side] + 4) ends[side] = right;
    else {
      name.classList.add("far");
      rail.classList.add("tall");
    }
  }
}
