// Panel: the run's settings, model, events and checkpoints.

import { make, fill, tick, button, svg } from "./dom.js";
import { word, figure, large, numbered } from "./words.js";
import { ask } from "./feed.js";

/** What would improve the model most, by the `end` event's `helps`. */
const HELPS = /** @type {const} */ ({
  time: "helpsTime",
  text: "helpsText",
  size: "helpsSize",
  nothing: "helpsNothing",
});

/**
 * The recorded operations from top to bottom; curves at the side show values that are used later.
 * @param {any[]} nodes
 */
function picture(nodes) {
  const [height, width, left] = [40, 400, 70];
  const root = svg("svg", {
    class: "graph",
    width: 480,
    height: nodes.length * height + 10,
    role: "img",
    "aria-label": word("graph"),
  });
  nodes.forEach((node, i) => {
    for (const from of node.inputs) {
      if (typeof from !== "number") continue;
      const [y0, y1] = [from * height + 30, i * height + 5];
      const bend =
        from === i - 1 ? left + 160 : Math.max(6, left - 8 - Math.min(60, (i - from) * 5));
      const path =
        from === i - 1
          ? `M${bend} ${y0}V${y1}`
          : `M${left} ${y0 - 12}C${bend} ${y0 - 12} ${bend} ${y1 + 12} ${left} ${y1 + 12}`;
      root.append(svg("path", { d: path, class: "edge" }));
    }
    const y = i * height + 5;
    root.append(svg("rect", { x: left, y, width, height: 26, rx: 5 }));
    root.append(
      svg(
        "text",
        { x: left + 8, y: y + 17 },
        `${node.operation}  ${node.shape ? node.shape.join("×") : ""}`,
      ),
    );
    const parameters = node.parameters
      .map((/** @type {any} */ p) => `${p.name} ${p.shape.join("×")}`)
      .join(", ");
    if (parameters)
      root.append(
        svg(
          "text",
          { x: left + width - 6, y: y + 17, "text-anchor": "end", class: "soft" },
          parameters.length > 38 ? `${parameters.slice(0, 37)}…` : parameters,
        ),
      );
    const title = svg("title", {}, parameters);
    root.lastElementChild?.append(title);
  });
  return root;
}

/**
 * @param {HTMLElement} root
 * @param {import("./feed.js").Feed} feed
 * @param {{control: boolean}} server
 */
export function run(root, feed, server) {
  const cards = make("div", { class: "cards" });
  const settings = make("div", { class: "scroll", id: "run-settings" });
  const graph = make("div", { class: "scroll", id: "run-graph" });
  const model = make("h3", { hidden: true }, word("graph"));
  const events = make("div", { class: "scroll", id: "run-events" });
  const checkpoints = make("div", { id: "run-checkpoints" });
  let few = true;
  /** @type {any[]} */
  let keys = [];
  const list = () =>
    fill(
      settings,
      make(
        "table",
        {},
        make("tr", {}, ...["key", "value", "byDefault"].map((t) => make("th", {}, word(t)))),
        ...keys
          .filter((k) => !few || k.default !== null)
          .map((k) =>
            make(
              "tr",
              { class: k.default !== null ? "differs" : "", title: k.comment },
              make("td", {}, k.key),
              make("td", {}, k.value),
              make("td", {}, k.default ?? ""),
            ),
          ),
      ),
    );
  fill(
    root,
    cards,
    server.control ? control() : null,
    make(
      "div",
      { class: "two" },
      make(
        "div",
        {},
        make("h3", {}, word("checkpoints")),
        checkpoints,
        make("h3", {}, word("events")),
        events,
      ),
      make(
        "div",
        {},
        make("h3", {}, word("settings")),
        make(
          "div",
          { class: "bar" },
          tick(word("differing"), few, (on) => {
            few = on;
            list();
          }),
        ),
        settings,
        model,
        graph,
      ),
    ),
  );
  ask(`/api/runs/${feed.id}/settings`).then((found) => {
    keys = found;
    list();
  });
  let drawn = false;
  let saves = -1;
  function control() {
    const token = /** @type {HTMLInputElement} */ (
      make("input", {
        type: "password",
        "aria-label": word("token"),
        placeholder: word("token"),
        autocomplete: "off",
      })
    );
    const told = make("output", {});
    const act = (/** @type {string} */ action) => () =>
      ask("/api/control", { token: token.value.trim(), action }).then(
        () => {
          told.textContent = "✓";
        },
        (error) => {
          told.textContent = error.message;
        },
      );
    return make(
      "div",
      { class: "bar", id: "run-control" },
      make("b", {}, word("control")),
      token,
      button(word("save"), act("save")),
      button(word("stop"), act("stop")),
      told,
    );
  }
  async function saved() {
    const all = await ask(`/api/runs/${feed.id}/checkpoints`);
    const language = feed.news.kind === "language";
    const losses = all.flatMap((/** @type {any} */ c) => (c.loss === null ? [] : [c.loss]));
    const least = Math.min(...losses);
    const rows = all.map((/** @type {any} */ c) =>
      make(
        "tr",
        {},
        make("td", {}, `${numbered(c.step)}`),
        make("td", {}, figure(c.loss), c.loss === least ? ` · ${word("bestOne")}` : null),
        make(
          "td",
          {},
          language
            ? make("a", { class: "to", href: `/play#${feed.id}-${c.step}` }, word("playHere"))
            : null,
        ),
      ),
    );
    fill(
      checkpoints,
      all.length ? null : word("none"),
      make(
        "table",
        {},
        all.length
          ? make(
              "tr",
              {},
              ...["step", language ? "checkpointLoss" : "mse"].map((t) => make("th", {}, word(t))),
            )
          : null,
        ...rows,
      ),
    );
  }
  /** @param {any} e @param {string} kind */
  function tell(e, kind) {
    if (kind === "start") return `${word("started")} · ${numbered(e.first_step)}`;
    if (kind === "saved") return word("saved");
    if (kind === "warning") return `${word("warning")}: ${e.message}`;
    const helps = HELPS[/** @type {keyof typeof HELPS} */ (e.helps)];
    const reason = word(e.reason === "best" ? "atBest" : e.reason);
    return [`${word("reason")}: ${reason}`, ...(helps ? [word(helps)] : [])].join(" · ");
  }
  return async () => {
    const start = feed.start;
    if (start) {
      const card = (/** @type {string} */ name, /** @type {string} */ value) =>
        make("div", {}, make("small", {}, name), make("b", {}, value));
      fill(
        cards,
        card(start.corpus, start.family),
        card(word("parameters"), large(start.parameters, "")),
        card(start.processor, `${start.threads} × ${start.precision}`),
        card(word("seed"), String(start.seed)),
      );
    }
    const told = ["start", "saved", "warning", "end"]
      .flatMap((kind) => feed.all(kind).map((e) => ({ e, kind })))
      .sort((a, b) => b.e.serial - a.e.serial)
      .slice(0, 200);
    fill(
      events,
      make(
        "table",
        {},
        ...told.map(({ e, kind }) =>
          make(
            "tr",
            { class: kind === "warning" ? "differs" : "" },
            make(
              "td",
              {},
              new Date(e.time * 1000).toLocaleTimeString(document.documentElement.lang),
            ),
            make("td", {}, e.step === null ? "" : String(e.step)),
            make("td", {}, tell(e, kind)),
          ),
        ),
      ),
    );
    if (saves !== feed.all("saved").length) {
      saves = feed.all("saved").length;
      saved();
    }
    if (!drawn && start && feed.news.kind === "language") {
      drawn = true;
      model.hidden = false;
      fill(graph, picture(await ask(`/api/runs/${feed.id}/graph?vocabulary=${start.vocabulary}`)));
    }
  };
}
