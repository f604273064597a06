// Panel: a prompt and its continuations, by one checkpoint or by several side by side.

import { make, fill, button } from "./dom.js";
import { word, figure, numbered } from "./words.js";
import { lines } from "./feed.js";
import { Reader, alone, mark, pieces, selectable, span } from "./tokens.js";

/**
 * @typedef {{id: number, bytes: string, nats: number | null}} Token
 * @typedef {import("./play.js").Play} Play
 */

/** Maximum versions of a text, and checkpoints side by side. */
const VERSIONS = 20;
const COLUMNS = 4;
/** Strength of the color of a text that is to be read first. */
const PALE = 0.4;

/** The words for how a text stands. */
const STATES = /** @type {const} */ ({
  queued: "onQueued",
  loading: "onLoading",
  reading: "onReading",
  writing: "onWriting",
  length: "onLength",
  end_of_text: "onEndOfText",
  time: "onTime",
  halted: "onHalted",
});
const RUNNING = ["queued", "loading", "reading", "writing"];

/** One text, from its prompt. */
class Version {
  constructor() {
    this.prompt = "";
    /** @type {number[]} */
    this.before = [];
    /** @type {Token[]} */
    this.tokens = [];
    /** How it stands, and what went wrong. @type {keyof typeof STATES} */
    this.state = "queued";
    this.error = "";
    /** Characters that the model doesn't know. @type {string[]} */
    this.unknown = [];
  }

  /** The text before a token. @param {number} at */
  text(at) {
    const reader = new Reader();
    const text = this.tokens.slice(0, at).map((token) => reader.read(token.bytes));
    return this.prompt + text.join("");
  }
}

/** The texts of one checkpoint. */
export class Column {
  /** @param {number | null} step */
  constructor(step) {
    this.step = step;
    /** @type {Version[]} */
    this.versions = [];
    this.at = 0;
    /** @type {() => void} */
    this.paint = () => {};
    /** @type {(token: Token) => void} */
    this.add = () => {};
    /** @type {(at: number) => import("./next.js").Place | null} */
    this.choose = () => null;
    /** @type {(at: number | null) => void} */
    this.mark = () => {};
  }

  get version() {
    return this.versions[this.at];
  }

  /** @param {Version} version */
  push(version) {
    this.versions.push(version);
    if (this.versions.length > VERSIONS) this.versions.shift();
    this.at = this.versions.length - 1;
  }
}

/** @param {HTMLElement} root @param {Play} play */
export function write(root, play) {
  const prompt = /** @type {HTMLTextAreaElement} */ (
    make("textarea", {
      id: "play-prompt",
      rows: 3,
      maxlength: play.offer.most.bytes,
      "aria-label": word("prompt"),
      placeholder: word("promptHere"),
      oninput: () => {
        play.prompt = prompt.value;
      },
    })
  );
  prompt.value = play.prompt;
  const go = button(word("write"), () => generate(false), { id: "play-go", class: "main" });
  const stop = button(word("stopWriting"), () => play.stop(), { id: "play-stop" });
  const columns = make("div", { class: "columns" });
  fill(
    root,
    make("p", { class: "note" }, word("writeNote")),
    prompt,
    make(
      "div",
      { class: "bar" },
      go,
      stop,
      number("length", play.length, 1, play.offer.most.tokens, (value) => {
        play.length = value;
      }),
      number("seed", play.settings.seed, 0, Number.MAX_SAFE_INTEGER, (value) => {
        play.settings.seed = value;
      }),
      button("⚄", reseed, { title: word("newSeed"), "aria-label": word("newSeed") }),
    ),
    checkpoints(),
    columns,
  );
  play.busy = () => {
    go.toggleAttribute("disabled", Boolean(play.task));
    stop.toggleAttribute("disabled", !play.task);
  };
  play.generate = generate;
  play.busy();
  layout();

  /**
   * @param {string} name @param {number} value @param {number} min @param {number} max
   * @param {(value: number) => void} changed
   */
  function number(name, value, min, max, changed) {
    const box = /** @type {HTMLInputElement} */ (
      make("input", {
        type: "number",
        id: `play-${name}`,
        value,
        min,
        max,
        oninput: () => {
          const given = Math.round(Number(box.value));
          if (box.value !== "" && given >= min && given <= max) changed(given);
        },
      })
    );
    return make("label", {}, word(name === "seed" ? name : "lengthOf"), box);
  }

  function reseed() {
    const box = /** @type {HTMLInputElement} */ (root.querySelector("#play-seed"));
    box.value = String(Math.floor(Math.random() * 1e6));
    play.settings.seed = Number(box.value);
    generate(false);
  }

  function checkpoints() {
    const { checkpoints: all, best } = play.offer.models;
    if (all.length < 2) return null;
    const chips = all.map(({ step, loss }) =>
      button(
        `${numbered(step.toLocaleString("en"))}${step === best ? ` · ${word("bestOne")}` : ""}`,
        () => {
          const on = play.columns.some((c) => c.step === step);
          const steps = play.columns.map((c) => c.step).filter((s) => s !== step);
          if (!on) steps.push(step);
          choose(steps);
        },
        {
          "data-step": step,
          "aria-pressed": String(play.columns.some((c) => c.step === step)),
          title: loss === null ? null : `${word("checkpointLoss")} ${figure(loss)}`,
        },
      ),
    );
    const spread = () => {
      const [first, middle, last] = [0, (all.length - 1) / 2, all.length - 1].map(
        (at) => all[Math.floor(at)]?.step ?? null,
      );
      choose([...new Set([first ?? null, middle ?? null, last ?? null])]);
    };
    return make(
      "div",
      { class: "bar chips", role: "group", "aria-label": word("checkpoints") },
      make("small", {}, word("checkpoints")),
      button(word("spread"), spread, {
        id: "play-spread",
        class: "quiet",
        title: word("spreadNote"),
      }),
      ...chips,
    );
  }

  /** @param {(number | null)[]} steps */
  function choose(steps) {
    if (steps.length === 0 || steps.length > COLUMNS) return;
    const sorted = steps.toSorted((a, b) => (a ?? 0) - (b ?? 0));
    play.columns = sorted.map(
      (step) => play.columns.find((c) => c.step === step) ?? new Column(step),
    );
    for (const chip of root.querySelectorAll("[data-step]"))
      chip.setAttribute(
        "aria-pressed",
        String(steps.includes(Number(/** @type {HTMLElement} */ (chip).dataset.step))),
      );
    if (play.chosen && !play.columns.includes(play.chosen.column)) play.select(null, 0);
    layout();
  }

  /** Each chosen checkpoint writes, one after another. @param {boolean} skip */
  async function generate(skip) {
    const signal = play.start();
    const waiting = play.columns.map((column) => {
      const version = new Version();
      version.prompt = play.prompt;
      column.push(version);
      column.paint();
      return { column, version };
    });
    const own = play.columns.includes(/** @type {any} */ (play.chosen?.column));
    if (own) play.select(null, 0);
    for (const { column, version } of waiting) await fetchText(column, version, skip, signal);
    const first = waiting[0];
    if (!play.chosen && first && first.version.tokens.length) play.select(first.column, 0);
    play.end(signal);
  }

  /** Another token at a place, and the text from there. @param {Column} column @param {number} at
   * @param {import("./next.js").Choice} choice */
  async function branch(column, at, choice) {
    const old = column.version;
    if (!old) return;
    const signal = play.start();
    const version = new Version();
    const { prompt: text, before } = old;
    const nats = -Math.log(choice.before);
    const picked = choice.end ? [] : [{ id: choice.id, bytes: choice.bytes, nats }];
    Object.assign(version, { prompt: text, before, state: choice.end ? "end_of_text" : "queued" });
    version.tokens = [...old.tokens.slice(0, at), ...picked];
    const end = at === old.tokens.length;
    column.push(version);
    column.paint();
    play.select(column, at);
    if (!choice.end) {
      const more = end ? play.length : Math.max(0, play.length - version.tokens.length);
      await fetchText(column, version, true, signal, more);
    }
    play.end(signal);
  }

  /** @param {Column} column */
  async function goOn(column) {
    const version = column.version;
    if (!version || play.task) return;
    const signal = play.start();
    await fetchText(column, version, true, signal, play.length);
    play.end(signal);
  }

  /**
   * @param {Column} column @param {Version} version @param {boolean} skip
   * @param {AbortSignal} signal @param {number} [count]
   */
  async function fetchText(column, version, skip, signal, count = play.length) {
    const say = (/** @type {keyof typeof STATES} */ state) => {
      version.state = state;
      column.paint();
    };
    const ask = {
      step: column.step,
      prompt: version.prompt,
      written: version.tokens.map((t) => t.id),
      tokens: count,
      settings: play.settings,
      skip_unknown: skip,
    };
    if (signal.aborted) {
      say("halted");
      return;
    }
    version.error = "";
    version.unknown = [];
    say("reading");
    try {
      for await (const line of lines(`/api/play/${play.id}/write`, ask, signal)) {
        if (line === "loading") say("loading");
        if (line.prompt) {
          version.before = line.prompt.tokens;
          version.prompt = line.prompt.text;
          say("writing");
        }
        if (line.token) {
          version.tokens.push(line.token);
          if (column.version === version) column.add(line.token);
        }
        if (line.end) say(line.end);
        if (line.error) {
          version.unknown = line.error.unknown;
          version.error = line.error.message;
          say("halted");
        }
      }
    } catch (error) {
      if (!signal.aborted) version.error = /** @type {Error} */ (error).message;
      say("halted");
    }
  }

  function layout() {
    fill(columns, ...play.columns.map(view));
    for (const column of play.columns) column.paint();
  }

  /** @param {Column} column */
  function view(column) {
    const name = make(
      "b",
      {},
      column.step === null ? "" : numbered(column.step.toLocaleString("en")),
    );
    const turn = make("span", { class: "turn" });
    const text = make("div", {
      class: "text lens writing",
      role: "listbox",
      "aria-label": `${word("text")} ${name.textContent}`,
    });
    const state = make("div", { class: "standing", role: "status" });
    selectable(text, (at) => {
      play.select(column, at);
      play.reveal();
    });
    let reader = new Reader();
    const caret = make("span", { class: "caret", role: "option", tabindex: -1 });
    const place = () => {
      const tokens = column.version?.tokens ?? [];
      caret.dataset.at = String(tokens.length);
      const end = column.version?.state === "end_of_text";
      caret.textContent = end ? "∎" : "▏";
      caret.title = word(end ? "onEndOfText" : "nextPlace");
    };
    column.add = (token) => {
      const at = (column.version?.tokens.length ?? 1) - 1;
      caret.before(span(token, at, reader.read(token.bytes), PALE));
      place();
    };
    column.paint = () => {
      const version = column.version;
      reader = new Reader();
      const spans = version?.tokens.map((token, at) =>
        span(token, at, reader.read(token.bytes), PALE),
      );
      fill(text, make("b", {}, ...pieces(version?.prompt ?? "")), ...(spans ?? []), caret);
      place();
      caret.hidden = !version || version.before.length === 0;
      mark(text, play.chosen?.column === column ? play.chosen.at : null);
      text.hidden = !version;
      fill(turn, ...versions(column));
      fill(state, ...standing(column, version));
    };
    column.choose = (at) => {
      const version = column.version;
      if (!version) return null;
      return {
        step: column.step,
        tokens: [...version.before, ...version.tokens.slice(0, at).map((t) => t.id)],
        first: version.before.length,
        also: version.tokens[at]?.id ?? null,
        text: version.text(at),
        choose: (choice) => branch(column, at, choice),
      };
    };
    column.mark = (at) => mark(text, at);
    const head = make("div", { class: "bar" }, name, turn);
    return make("div", { class: "column" }, head, text, state);
  }

  /** Goes back to earlier versions. @param {Column} column */
  function versions(column) {
    const count = column.versions.length;
    if (count < 2) return [];
    const move = (/** @type {number} */ by) => () => {
      column.at = Math.min(count - 1, Math.max(0, column.at + by));
      if (play.chosen?.column === column) play.select(null, 0);
      column.paint();
    };
    const turn = (
      /** @type {string} */ sign,
      /** @type {number} */ by,
      /** @type {string} */ name,
    ) =>
      button(sign, move(by), {
        class: "quiet",
        disabled: column.at + by < 0 || column.at + by >= count,
        "aria-label": word(name),
        title: word(name),
      });
    return [
      turn("‹", -1, "earlier"),
      make("small", {}, `${column.at + 1} / ${count}`),
      turn("›", 1, "later"),
    ];
  }

  /** @param {Column} column @param {Version | undefined} version */
  function standing(column, version) {
    if (!version) return [];
    if (version.unknown.length)
      return [
        make(
          "span",
          { class: "error" },
          `${word("unknown")} ${version.unknown.map(quoted).join(" ")}`,
        ),
        button(word("skipUnknown"), () => generate(true), { class: "skip-unknown" }),
      ];
    const running = RUNNING.includes(version.state);
    const told = version.error || word(STATES[version.state]);
    return [
      make("span", { class: version.error ? "error" : running ? "running" : "" }, told),
      running || !version.before.length || version.state === "end_of_text"
        ? null
        : button(word("goOn"), () => goOn(column), { class: "quiet" }),
    ].filter((part) => part !== null);
  }
}

/** @param {string} c */
function quoted(c) {
  const hex = [...new TextEncoder().encode(c)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `“${alone(hex.join(""))}”`;
}
