// Panel: the settings, and the distribution over the next token before and after them.

import { make, fill, button } from "./dom.js";
import { word, figure } from "./words.js";
import { lines } from "./feed.js";
import { alone, percent, visible } from "./tokens.js";

/**
 * @typedef {{id: number, bytes: string, end: boolean, before: number, after: number}} Choice
 * @typedef {{step: number | null, tokens: number[], first: number, also: number | null,
 *   text: string, choose: ((choice: Choice) => void) | null}} Place
 * @typedef {{choices: Choice[], others: [number, number, number], drawable: number,
 *   among: [number, number]}} Look
 */

/** Widths of the longest bar, as probabilities. */
const SCALES = [0.1, 0.2, 0.5, 1];

/** Characters shown of the text before. */
const TAIL = 26;

/** The sliders: name, key, and its range. @type {[string, string, number, number, number][]} */
const SLIDERS = [
  ["temperature", "temperature", 0, 2, 0.01],
  ["topP", "top_p", 0.01, 1, 0.01],
  ["minP", "min_p", 0, 0.5, 0.005],
];
/** @type {typeof SLIDERS} */
const PENALTIES = [
  ["repetition", "repetition_penalty", 1, 2, 0.01],
  ["frequency", "frequency_penalty", 0, 2, 0.01],
  ["presence", "presence_penalty", 0, 2, 0.01],
];

/** @param {HTMLElement} root @param {import("./play.js").Play} play */
export function next(root, play) {
  const told = make("p", { class: "note", "aria-live": "polite" });
  const before = make("div", { class: "before" });
  const heads = make(
    "div",
    { class: "choice others" },
    make("span", {}),
    make("span", {}),
    make("small", {}, word("own")),
    make("small", {}, word("withSettings")),
  );
  const rows = make("div", { class: "choices", role: "group", "aria-label": word("next") });
  const others = make("div", { class: "choice others" });
  fill(
    root,
    make("p", { class: "note" }, word("nextNote")),
    make(
      "div",
      { class: "knobs" },
      ...SLIDERS.slice(0, 1).map(knob),
      topK(),
      ...SLIDERS.slice(1).map(knob),
    ),
    make(
      "details",
      { class: "knobs-more", open: play.open.penalties, ontoggle: toggled },
      make("summary", {}, word("penalties")),
      make("div", { class: "knobs" }, ...PENALTIES.map(knob)),
    ),
    before,
    told,
    heads,
    rows,
    others,
  );

  /** @param {Event} event */
  function toggled(event) {
    play.open.penalties = /** @type {HTMLDetailsElement} */ (event.target).open;
  }

  /** @param {(typeof SLIDERS)[number]} slider */
  function knob([name, key, min, max, step]) {
    return pair(word(name), { min, max, step }, String(play.settings[key]), (value) => {
      const number = Number(value);
      if (value !== "" && Number.isFinite(number)) play.settings[key] = number;
      look();
    });
  }

  function topK() {
    const most = Math.min(200, play.offer.models.shape.vocabulary - 1) + 1;
    const now = play.settings.top_k;
    return pair(
      word("topK"),
      { min: 1, max: most, step: 1 },
      now === null ? "" : String(now),
      (value) => {
        const number = Math.round(Number(value));
        play.settings.top_k = value === "" || number < 1 ? null : number;
        look();
      },
      most,
    );
  }

  /**
   * A slider and a number that say the same.
   * @param {string} label
   * @param {Record<string, number>} range
   * @param {string} value
   * @param {(value: string) => void} changed
   * @param {number} [all] the value that the slider has without a limit
   */
  function pair(label, range, value, changed, all) {
    const slider = /** @type {HTMLInputElement} */ (
      make("input", {
        type: "range",
        ...range,
        "aria-label": label,
        oninput: () => {
          number.value = Number(slider.value) === all ? "" : slider.value;
          changed(number.value);
        },
      })
    );
    const number = /** @type {HTMLInputElement} */ (
      make("input", {
        type: "number",
        step: "any",
        "aria-label": label,
        placeholder: all === undefined ? null : word("allTokens"),
        oninput: () => {
          slider.value = number.value === "" && all ? String(all) : number.value;
          changed(number.value);
        },
      })
    );
    number.value = value;
    slider.value = value === "" && all ? String(all) : value;
    return make("div", { class: "knob" }, make("span", {}, label), slider, number);
  }

  let busy = false;
  let again = false;
  async function look() {
    const place = play.place;
    if (!place) {
      paint(null);
      return;
    }
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    // Rows of another place can't be taken any more.
    if (shown !== place) for (const old of drawn.values()) old.setAttribute("disabled", "");
    try {
      const { step, tokens, first, also } = place;
      const ask = { step, tokens, first, also, settings: play.settings };
      for await (const line of lines(`/api/play/${play.id}/look`, ask)) {
        if (line === "loading") told.textContent = word("onLoading");
        if (line.look && play.place === place) paint(line.look);
        if (line.error) told.textContent = line.error.message;
      }
    } catch (error) {
      told.textContent = /** @type {Error} */ (error).message;
    }
    busy = false;
    if (again) {
      again = false;
      await look();
    }
  }

  /** Drawn rows, so that they change smoothly. @type {Map<number, HTMLElement>} */
  let drawn = new Map();
  /** @type {Place | null} */
  let shown = null;

  /** @param {Look | null} found */
  function paint(found) {
    const place = play.place;
    for (const part of [before, heads, rows, others]) part.hidden = !found;
    if (!found || !place) {
      told.textContent = word("nextNone");
      return;
    }
    const cut = [...place.text].length > TAIL ? "…" : "";
    const tail = visible([...place.text].slice(-TAIL).join("")).replace(/␣/g, " ");
    fill(before, make("small", {}, word("after")), make("bdi", {}, cut + tail), make("b", {}, "▏"));
    told.textContent = word("drawable")
      .replace("{}", String(found.drawable))
      .replace("{}", String(found.choices.length + found.others[0]))
      .replace("{}", figure(Number(found.among[0].toPrecision(3))))
      .replace("{}", figure(Number(found.among[1].toPrecision(3))));
    const most = Math.max(...found.choices.flatMap((c) => [c.before, c.after]));
    const scale = SCALES.find((s) => s >= most) ?? 1;
    const ids = found.choices.map((c) => c.id);
    if (shown !== place || ids.join() !== [...drawn.keys()].join()) {
      const focus = rows.contains(document.activeElement);
      drawn = new Map(found.choices.map((choice) => [choice.id, row(choice, place)]));
      fill(rows, ...drawn.values());
      if (focus) rows.querySelector("button")?.focus();
      shown = place;
    }
    for (const choice of found.choices) {
      const line = /** @type {HTMLElement} */ (drawn.get(choice.id));
      line.classList.toggle("cut", choice.after === 0);
      const [was, now, own, set] = ["was", "now", "own", "set"].map(
        (name) => /** @type {HTMLElement} */ (line.querySelector(`.${name}`)),
      );
      if (was) was.style.width = `${(choice.before / scale) * 100}%`;
      if (now) now.style.width = `${(choice.after / scale) * 100}%`;
      if (own) own.textContent = percent(choice.before);
      if (set) set.textContent = choice.after === 0 ? "–" : percent(choice.after);
    }
    const [count, was, now] = found.others;
    fill(
      others,
      make("span", {}, word("others").replace("{}", String(count))),
      make("span", {}),
      make("small", {}, percent(was)),
      make("small", {}, now < 1e-12 ? "–" : percent(now)),
    );
  }

  /** @param {Choice} choice @param {Place} place */
  function row(choice, place) {
    const name = choice.end ? word("endToken") : alone(choice.bytes);
    const pick = button("", () => place.choose?.(choice), {
      class: choice.id === place.also ? "choice drawn" : "choice",
      disabled: !place.choose,
      "data-id": choice.id,
      title: place.choose ? word("pick") : null,
    });
    fill(
      pick,
      make("bdi", { class: "token" }, name),
      make("span", { class: "bar2" }, make("i", { class: "was" }), make("i", { class: "now" })),
      make("small", { class: "own" }),
      make("b", { class: "set" }),
    );
    return pick;
  }

  play.look = look;
  look();
}
