// The lessons: nine short pages, each with a text, one thing to change, what the program computes
// with it, and one question.

import "./lesson_words.js";
import { make, fill, button, choice } from "./dom.js";
import { word, filled, language, speak } from "./words.js";
import { ask, lines } from "./feed.js";
import { erase } from "./chart.js";
import { begin, switches } from "./switches.js";
import { SHOWS } from "./lesson_show.js";

/**
 * @typedef {{least: number, most: number, step: number, start: number}} Bounds
 * @typedef {{number: number, name: string, knob: string, choices: number,
 *   bounds: {number?: Bounds, text?: {longest: number}}}} Outline
 */

/** Lessons that train a model, for which one has to ask. */
const TRAINING = ["words", "copied"];
/** How long a value rests before its lesson is computed, in milliseconds. */
const PAUSE = 120;

const head = /** @type {HTMLElement} */ (document.getElementById("head"));
const main = /** @type {HTMLElement} */ (document.getElementById("panels"));
const skip = /** @type {HTMLElement} */ (document.querySelector(".skip"));

/** @type {Outline[]} */
const outlines = await ask("/api/lessons");
/** Whether the server has runs to show. */
const runs = (await ask("/api/runs")).runs.length > 0;
/** What the reader chose and what was told, by lesson and language. */
const kept = /** @type {Map<string, {value: number | string, all: any[]}>} */ (new Map());
/** What is being computed, and for which memory. */
let task = /** @type {{stop: AbortController, of: object, again: boolean} | null} */ (null);
let timer = 0;

/** The lesson in the page's address. @returns {Outline} */
function chosen() {
  const number = Number(location.hash.slice(1)) || 1;
  return /** @type {Outline} */ (outlines.find((o) => o.number === number) ?? outlines[0]);
}

/** @param {Outline} lesson */
function memory(lesson) {
  const key = `${lesson.number} ${language()}`;
  const first = lesson.bounds.number?.start ?? word("lesson1First");
  const known = kept.get(key) ?? { value: first, all: [] };
  kept.set(key, known);
  return known;
}

/** Lessons whose question was answered. @returns {number[]} */
const solved = () => JSON.parse(localStorage.getItem("solved") ?? "[]");

/** What is wrong with an answer of the server. @param {any} error */
function complaint(error) {
  if (error.unseen) return filled("lessonUnseen", error.unseen);
  if (error.slow) return word("lessonSlow");
  if (error.status === 408) return word("lessonBusy");
  return `${word("lessonFailed")} ${error.message}`;
}

/** @param {Outline} lesson */
const title = (lesson) => `${lesson.number} · ${word(`lesson${lesson.number}`)}`;

/** @param {Outline} lesson */
function heading(lesson) {
  skip.textContent = word("skip");
  const names = /** @type {[string, string][]} */ (
    outlines.map((o) => [String(o.number), title(o)])
  );
  const pick = choice(word("lesson"), names, String(lesson.number), (to) => {
    location.hash = to;
  });
  fill(
    head,
    make("h1", {}, "downhill"),
    pick,
    make("span", { class: "state" }),
    runs ? make("a", { class: "to", href: "/" }, word("livePage")) : null,
    ...switches(build),
  );
  document.title = `${title(lesson)} · downhill`;
}

/** Where a result is shown. */
const place = () => /** @type {HTMLElement} */ (document.getElementById("lesson-result"));

/** Shows what was told so far. @param {Outline} lesson */
function show(lesson) {
  const { all } = memory(lesson);
  const result = all.find((line) => line[lesson.name]);
  const stages = all.some((line) => line.stage);
  if (!result && !stages) return undefined;
  const turn = (/** @type {number | string} */ value) => {
    memory(lesson).value = value;
    const input = /** @type {HTMLInputElement} */ (document.getElementById("lesson-value"));
    input.value = String(value);
    run(lesson);
  };
  return SHOWS[lesson.name]?.({ root: place(), told: result?.[lesson.name], all, turn });
}

/** Frees the charts of an element. @param {HTMLElement} root */
function clear(root) {
  for (const chart of root.querySelectorAll(".chart")) erase(/** @type {HTMLElement} */ (chart));
  fill(root);
}

/** @param {string} text */
function complain(text) {
  const note = document.getElementById("lesson-error");
  if (note) note.textContent = text;
}

/** @param {string} text */
function progress(text) {
  const note = document.getElementById("lesson-progress");
  if (note) note.textContent = text;
}

/** What is wrong with the value of the knob. @param {Outline} lesson @param {any} value */
function outOfBounds(lesson, value) {
  const { number, text } = lesson.bounds;
  if (text)
    return new TextEncoder().encode(value ?? "").length > text.longest ? word("lessonLong") : "";
  if (!number) return "";
  const whole = number.step >= 1;
  const fine = value >= number.least && value <= number.most && (!whole || value % 1 === 0);
  const key = whole ? "lessonWhole" : "lessonRange";
  return fine ? "" : filled(key, String(number.least), String(number.most));
}

/** Stops what is being computed. */
function halt() {
  task?.stop.abort();
  task = null;
}

/** Asks the program to compute a lesson. @param {Outline} lesson */
async function run(lesson) {
  const remembered = memory(lesson);
  if (lesson.bounds.text && task?.of === remembered) {
    // Its model may still be in training, which another text doesn't change.
    task.again = true;
    return;
  }
  halt();
  const own = new AbortController();
  const wrong = outOfBounds(lesson, remembered.value);
  complain(wrong);
  if (wrong) return;
  const mine = { stop: own, of: remembered, again: false };
  task = mine;
  place().classList.add("old");
  const body = { value: remembered.value, language: language() };
  if (lesson.bounds.text || TRAINING.includes(lesson.name)) progress(word("lessonPreparing"));
  /** @type {any[]} */
  const all = [];
  try {
    for await (const line of lines(`/api/lessons/${lesson.number}`, body, own.signal)) {
      if (line.error) complain(complaint(line.error));
      if (line.training)
        progress(filled("lessonTraining", String(line.training[0]), String(line.training[1])));
      if (line.error || line.training) continue;
      if (!all.length) clear(place());
      all.push(line);
      remembered.all = all;
      place().classList.remove("old");
      await show(lesson);
    }
  } catch (error) {
    if (own.signal.aborted) return;
    complain(complaint(error));
  }
  if (own.signal.aborted) return;
  task = null;
  progress("");
  place().classList.remove("old");
  if (mine.again) {
    run(lesson);
    return;
  }
  document.documentElement.dataset.done = `${lesson.number} ${body.value}`;
}

/** The one thing to change. @param {Outline} lesson */
function knob(lesson) {
  const known = memory(lesson);
  const { number } = lesson.bounds;
  const label = word(`lesson${lesson.number}Knob`);
  const begins = TRAINING.includes(lesson.name);
  const parts = [];
  const changed = (/** @type {number | string} */ value) => {
    known.value = value;
    complain(outOfBounds(lesson, value));
    clearTimeout(timer);
    if (!begins) timer = window.setTimeout(() => run(lesson), PAUSE);
  };
  const exact = /** @type {HTMLInputElement} */ (
    make("input", {
      id: "lesson-value",
      type: number ? "number" : "text",
      step: number ? (number.step >= 1 ? 1 : "any") : null,
      min: number?.least,
      max: number?.most,
      value: known.value,
      autocomplete: "off",
      oninput: () => {
        changed(number ? exact.valueAsNumber : exact.value);
        if (slide) slide.value = exact.value;
      },
    })
  );
  const slide = number
    ? /** @type {HTMLInputElement} */ (
        make("input", {
          id: "lesson-slide",
          type: "range",
          min: number.least,
          max: number.most,
          step: number.step,
          value: known.value,
          "aria-label": label,
          oninput: () => {
            exact.value = slide?.value ?? "";
            changed(Number(exact.value));
          },
        })
      )
    : null;
  parts.push(make("label", { for: exact.id }, make("b", {}, label)), slide, exact);
  if (begins) parts.push(button(word("lessonTrain"), () => run(lesson), { id: "lesson-go" }));
  return make(
    "div",
    { class: "knob" },
    ...parts,
    make("output", { id: "lesson-progress" }),
    make("p", { class: "error", id: "lesson-error", role: "alert" }),
  );
}

/** The question at the end. @param {Outline} lesson */
function question(lesson) {
  const told = make("output", { id: "lesson-told" });
  const say = (/** @type {string} */ text, /** @type {string} */ kind) => {
    told.className = kind;
    told.textContent = text;
  };
  const key = `lesson${lesson.number}`;
  const options = Array.from({ length: lesson.choices }, (_, i) => {
    const value = String(i + 1);
    const box = make("input", { type: "radio", name: "answer", value });
    return make("label", { class: "choice" }, box, word(`${key}Choice${value}`));
  });
  const field = make("input", {
    name: "answer",
    inputmode: "decimal",
    autocomplete: "off",
    size: 8,
    "aria-label": word("lessonAnswer"),
  });
  async function check() {
    const answer = String(new FormData(form).get("answer") ?? "").trim();
    const number = Number(answer.replace(",", ".").replace("−", "-"));
    if (!answer || !Number.isFinite(number)) {
      say(word(lesson.choices ? "lessonChoose" : "lessonNumber"), "wrong");
      return;
    }
    const body = { answer: String(number), language: language() };
    try {
      for await (const line of lines(`/api/lessons/${lesson.number}/check`, body)) {
        if (line.error) say(complaint(line.error), "wrong");
        else say(word(`${key}${line.right ? "Right" : "Wrong"}`), line.right ? "right" : "wrong");
        if (line.right)
          localStorage.setItem(
            "solved",
            JSON.stringify([...new Set([...solved(), lesson.number])]),
          );
      }
    } catch (error) {
      say(complaint(error), "wrong");
    }
    ways(lesson);
  }
  const form = /** @type {HTMLFormElement} */ (
    make(
      "form",
      {
        class: "question",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          check();
        },
      },
      make("h3", {}, word("lessonAsk")),
      make("p", {}, word(`${key}Ask`)),
      ...options,
      make(
        "div",
        { class: "bar" },
        lesson.choices ? null : field,
        make("button", { id: "lesson-check" }, word("lessonCheck")),
      ),
      told,
    )
  );
  return form;
}

/** The links to all lessons. @param {Outline} lesson */
function ways(lesson) {
  const all = document.getElementById("lesson-ways");
  const known = solved();
  if (all)
    fill(
      all,
      ...outlines.map((o) =>
        make(
          "a",
          {
            href: `#${o.number}`,
            class: known.includes(o.number) ? "solved" : "",
            "aria-current": o === lesson ? "true" : null,
            "aria-label": title(o),
            title: title(o),
          },
          known.includes(o.number) ? `${o.number}✓` : String(o.number),
        ),
      ),
    );
}

function build() {
  const lesson = chosen();
  const key = `lesson${lesson.number}`;
  if (task?.of !== memory(lesson)) halt();
  const here = `?lang=${language()}#${lesson.number}`;
  history.replaceState(null, "", here);
  heading(lesson);
  clear(main);
  const to = (/** @type {number} */ by, /** @type {string} */ text) => {
    const other = outlines.find((o) => o.number === lesson.number + by);
    if (!other) return make("span", {});
    return make("a", { class: "to", href: `#${other.number}` }, `${text}: ${title(other)}`);
  };
  fill(
    main,
    make(
      "section",
      { class: "wide", "aria-labelledby": "lesson-title" },
      make("nav", { class: "ways", id: "lesson-ways", "aria-label": word("toLessons") }),
      make("div", {}, make("h2", { id: "lesson-title" }, title(lesson))),
      make("p", {}, word(`${key}Text`)),
      make("p", {}, word(`${key}More`)),
      knob(lesson),
      make("div", { class: "result", id: "lesson-result" }),
      question(lesson),
      make(
        "div",
        { class: "onward" },
        to(-1, word("lessonBack")),
        make("a", { class: "to", href: here }, word("lessonLink")),
        to(1, word("lessonOn")),
      ),
    ),
  );
  ways(lesson);
  if (memory(lesson).all.length) show(lesson);
  else if (!TRAINING.includes(lesson.name)) run(lesson);
}

const asked = new URLSearchParams(location.search).get("lang");
if (asked === "en" || asked === "zh") speak(asked);
begin();
addEventListener("hashchange", () => {
  build();
  scrollTo(0, 0);
});
addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLElement && event.target.matches("input, select");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (outlines.some((o) => String(o.number) === event.key)) location.hash = event.key;
});
skip.addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
build();
document.documentElement.dataset.ready = "yes";
