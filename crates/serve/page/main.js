// The page: a header with the run's state, and the panels. Only visible panels are drawn, at most
// once per second.

import { make, fill, choice, tick } from "./dom.js";
import { word, duration, numbered } from "./words.js";
import { Feed, ask } from "./feed.js";
import { erase } from "./chart.js";
import { race } from "./race.js";
import { loss } from "./loss.js";
import { accuracy } from "./accuracy.js";
import { film } from "./film.js";
import { lens } from "./lens.js";
import { inside } from "./inside.js";
import { copied } from "./copied.js";
import { crowd } from "./crowd.js";
import { machine } from "./machine.js";
import { time } from "./time.js";
import { mountain } from "./mountain.js";
import { terrain } from "./terrain.js";
import { run } from "./run.js";
import { begin, switches } from "./switches.js";

/**
 * @typedef {{root: HTMLElement, paint: () => unknown, dirty: boolean, seen: boolean,
 *   next: number}} Panel
 */

/** Minimum interval between two drawings of a panel, in milliseconds. */
const PACE = 1000;

const head = /** @type {HTMLElement} */ (document.getElementById("head"));
const skip = /** @type {HTMLElement} */ (document.querySelector(".skip"));
const main = /** @type {HTMLElement} */ (document.getElementById("panels"));
/**
 * @type {{runs: {id: number, name: string}[], race: {name: string, runs: number[]}[] | null,
 *   compared: boolean, control: boolean, version: string}}
 */
let server = { runs: [], race: null, compared: false, control: false, version: "" };
/** @type {Feed | null} */
let feed = null;
/** @type {Map<number, Feed>} */
const others = new Map();
/** The runs of a race. @type {Map<number, Feed>} */
const lanes = new Map();
/** @type {Panel[]} */
let panels = [];
/** @type {Record<string, any> | null} */
let land = null;
/** Where runs from other random starts end. @type {any} */
let ends = null;

const sight = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const panel = panels.find((p) => p.root === entry.target);
      if (panel) panel.seen = entry.isIntersecting;
    }
    paint();
  },
  { rootMargin: "200px" },
);

function changed() {
  for (const panel of panels) panel.dirty = true;
  state();
  // What was drawn of a run that is gone stays.
  if (!feed?.gone) paint();
}

function paint() {
  const now = performance.now();
  for (const panel of panels) {
    if (!panel.dirty || !panel.seen) continue;
    if (now < panel.next) {
      setTimeout(paint, panel.next - now + 5);
      continue;
    }
    panel.dirty = false;
    panel.next = now + PACE;
    Promise.resolve(panel.paint()).catch((error) => {
      if (feed && !feed.lost) console.error(error);
    });
  }
}

const told = make("span", { class: "state", role: "status" });

function state() {
  if (!feed) return;
  const { news, start } = feed;
  const parts = [
    word(news.kind || feed.gone ? news.state : "waiting"),
    `${numbered(news.last?.step ?? 0)} ${word("of")} ${start?.steps ?? "–"}`,
  ];
  if (news.state === "stopped" && start && !feed.regression)
    parts.push(`${word("resume")}: downhill train --resume ${start.run}`);
  if (feed.live) parts.push(`${word("left")} ${duration(feed.left)}`);
  if (news.broken) parts.push(`${news.broken} ${word("broken")}`);
  // The server of a run that is over closes with the program.
  if (feed.lost && (feed.live || !start)) parts.push(word("lost"));
  else if (feed.lost) parts.push(`${word("closed")}: downhill watch ${start?.run}`);
  told.textContent = parts.join(" · ");
  document.title = `${news.last?.step ?? 0} · ${start?.run ?? "downhill"}`;
}

function heading() {
  skip.textContent = word("skip");
  const names = /** @type {[string, string][]} */ (server.runs.map((r) => [String(r.id), r.name]));
  // The run that is shown is ticked too, and stays.
  const ticks = server.runs.map((r) => {
    const own = r.id === feed?.id;
    const line = tick(r.name, own || others.has(r.id), (on) => lay(r.id, on));
    if (own) line.querySelector("input")?.setAttribute("disabled", "");
    return line;
  });
  const search = /** @type {HTMLInputElement} */ (
    make("input", {
      type: "search",
      "aria-label": word("search"),
      placeholder: word("search"),
      oninput: () => {
        const wanted = search.value.toLowerCase();
        for (const line of ticks) line.hidden = !line.textContent?.toLowerCase().includes(wanted);
      },
    })
  );
  const compared = make(
    "details",
    { open: head.querySelector("details")?.open },
    make(
      "summary",
      { title: word("compare"), "aria-label": word("compare") },
      make("span", {}, word("compare")),
    ),
    make("div", { class: "runs" }, server.runs.length > 8 ? search : null, ...ticks),
  );
  fill(
    head,
    make("h1", {}, "downhill"),
    names.length > 1
      ? choice(word("runs"), names, String(feed?.id ?? 0), (id) => {
          location.hash = id;
        })
      : make("b", { class: "name" }, names[0]?.[1] ?? ""),
    names.length > 1 ? compared : null,
    told,
    feed && !feed.regression && feed.news.kind
      ? make("a", { class: "to", href: `/play#${feed.id}` }, word("playground"))
      : null,
    make("a", { class: "to", href: "/lesson" }, word("toLessons")),
    ...switches(build),
  );
}

/** @param {number} id @param {boolean} on */
async function lay(id, on) {
  if (!on) {
    others.get(id)?.close();
    others.delete(id);
  } else {
    const other = new Feed(id, changed);
    others.set(id, other);
    await other.poll();
  }
  heading();
  changed();
}

function build() {
  for (const panel of panels)
    for (const chart of panel.root.querySelectorAll(".chart"))
      erase(/** @type {HTMLElement} */ (chart));
  sight.disconnect();
  heading();
  panels = [];
  fill(main);
  if (!feed) {
    fill(main, make("section", { class: "wide" }, word("none")));
    return;
  }
  const known = feed;
  /**
   * @param {string} name
   * @param {(root: HTMLElement) => () => unknown} fills
   * @param {boolean} [wide]
   */
  const add = (name, fills, wide) => {
    const body = make("div", {});
    const root = make(
      "section",
      { id: name, tabindex: -1, class: wide ? "wide" : "", "aria-labelledby": `${name}-title` },
      make("h2", { id: `${name}-title` }, word(name)),
      body,
    );
    main.append(root);
    panels.push({ root, paint: fills(body), dirty: true, seen: false, next: 0 });
    sight.observe(root);
  };
  const recipes = server.race?.map(({ name, runs }) => ({
    name,
    runs: runs.flatMap((id) => lanes.get(id) ?? []),
  }));
  if (recipes) add("race", (root) => race(root, recipes), true);
  if (land?.best)
    add("mountain", (root) => mountain(root, () => ask(`/api/runs/${known.id}/landscape`)), true);
  add("loss", (root) => loss(root, known, () => [...others.values()]), true);
  if (known.start?.held_out_questions) add("accuracy", (root) => accuracy(root, known));
  if (!known.regression) {
    add("film", (root) => film(root, known));
    add("lens", (root) => lens(root, known));
    add("machine", (root) => machine(root, known));
  }
  add("speed", (root) => time(root, known));
  if (!known.regression) {
    add("terrain", (root) => terrain(root, known, land), true);
    if (ends) add("crowd", (root) => crowd(root, ends), true);
    add("inside", (root) => inside(root, known), true);
    add("copied", (root) => copied(root, known), true);
  }
  add("run", (root) => run(root, known, server), true);
  state();
}

async function show() {
  const asked = server.runs.find((r) => String(r.id) === location.hash.slice(1));
  const id = asked?.id ?? server.race?.[0]?.runs[0] ?? server.runs[0]?.id;
  feed?.close();
  for (const known of [others, lanes]) {
    known.forEach((other) => other.close());
    known.clear();
  }
  if (id === undefined) {
    feed = null;
    build();
    return;
  }
  feed = new Feed(id, changed);
  land = await ask(`/api/runs/${id}/landscape`).catch(() => null);
  ends = await ask(`/api/runs/${id}/crowd`).catch(() => null);
  await feed.open();
  for (const lane of server.race?.flatMap(({ runs }) => runs) ?? [])
    lanes.set(lane, lane === id ? feed : new Feed(lane, changed));
  await Promise.all([...lanes.values()].map((lane) => lane === feed || lane.poll()));
  build();
  if (server.compared || new URLSearchParams(location.search).has("compare"))
    for (const r of server.runs) if (r.id !== id) await lay(r.id, true);
}

begin();
// The fragment of the URL selects a run.
addEventListener("hashchange", show);
skip.addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
server = await ask("/api/runs");
await show();
document.documentElement.dataset.ready = "yes";
