// Panel: answers to questions that were trained on, and to those that are held out.

import { make, fill } from "./dom.js";
import { word, figure, filled } from "./words.js";
import { draw, color } from "./chart.js";
import { answering } from "./look.js";
import { percent } from "./tokens.js";

/** The share of questions that a model with the skill answers: as in `run::Skill`. */
const SKILLED = 0.95;

/** @typedef {"accuracy_train" | "accuracy_held_out"} Part */

/** @param {HTMLElement} root @param {import("./feed.js").Feed} feed */
export function accuracy(root, feed) {
  const note = make("p", { class: "note" }, word("accuracyNote"));
  const chart = make("div", { class: "chart", id: "accuracy-chart" });
  const told = make("p", { id: "accuracy-told", role: "status" });
  const head = make("p", { id: "accuracy-head" });
  fill(root, note, chart, told, head);

  /** Where a head looks for answers: the one that does it most, by the number of its event.
   * @type {Map<number, {step: number, share: number}>} */
  const found = new Map();

  /** The attention to the answer through training; names the head that pays it. */
  async function look() {
    const events = feed.all("inside");
    const last = events.at(-1);
    const most = last && answering(await feed.whole(last));
    head.hidden = !most;
    if (!most) return [];
    for (const event of events.filter(({ serial }) => !found.has(serial))) {
      const share = answering(await feed.whole(event))?.scores.answer ?? 0;
      found.set(event.serial, { step: event.step, share });
    }
    const share = percent(most.scores.answer ?? 0);
    head.textContent = filled("answerHead", most.layer, most.head, share);
    return events.flatMap(({ serial }) => found.get(serial) ?? []);
  }
  return async () => {
    const asked = feed.all("eval").filter((e) => typeof e.accuracy_held_out === "number");
    /** The first step with the skill. @param {Part} part @returns {number | undefined} */
    const since = (part) => asked.find((e) => e[part] >= SKILLED)?.step;
    /** @param {Part} part @param {string} name @param {string} hue */
    const line = (part, name, hue) => ({
      x: asked.map((e) => e.step),
      y: asked.map((e) => 100 * e[part]),
      name: word(name),
      mode: asked.length > 50 ? "lines" : "lines+markers",
      line: { width: 2, color: color(hue) },
    });
    const marks = /** @type {const} */ ([
      ["accuracy_train", "byRote", "blue"],
      ["accuracy_held_out", "ruleFound", "orange"],
    ]).flatMap(([part, name, hue], row) => {
      const step = since(part);
      return step === undefined ? [] : [{ step, text: word(name), hue: color(hue), row }];
    });
    const [train, held] = [since("accuracy_train"), since("accuracy_held_out")];
    if (held !== undefined) told.textContent = word("skillFound").replace("{}", String(held));
    else if (train !== undefined) told.textContent = word("skillRote").replace("{}", String(train));
    else told.textContent = "";
    const looks = await look();
    const last = asked.at(-1);
    const now = (/** @type {Part} */ part) => `${figure(last && 100 * last[part])} %`;
    const both = [
      `${word("trainedOn")}: ${now("accuracy_train")}`,
      `${word("heldOut")}: ${now("accuracy_held_out")}`,
    ];
    await draw(
      chart,
      both.join("; "),
      [
        line("accuracy_train", "trainedOn", "blue"),
        line("accuracy_held_out", "heldOut", "orange"),
        {
          x: looks.map((one) => one.step),
          y: looks.map((one) => 100 * one.share),
          name: word("answerLine"),
          mode: "lines",
          line: { width: 2, dash: "dash", color: color("green") },
          visible: looks.length > 0,
        },
      ],
      {
        xaxis: { title: { text: word("step") } },
        yaxis: { title: { text: word("answered") }, range: [-3, 103] },
        shapes: marks.map(({ step, hue }) => ({
          type: "line",
          x0: step,
          x1: step,
          yref: "paper",
          y0: 0,
          y1: 1,
          line: { width: 1, dash: "dot", color: hue },
        })),
        annotations: marks.map(({ step, text, hue, row }) => ({
          x: step,
          y: row === 0 ? 0.55 : 0.45,
          yref: "paper",
          xanchor: "left",
          showarrow: false,
          text: `${text}: ${step}`,
          bgcolor: color("card"),
          font: { size: 11, color: hue },
        })),
      },
    );
  };
}
