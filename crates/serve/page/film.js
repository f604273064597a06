// Panel: samples of the same prompt over time.

import { make, fill, film as slider } from "./dom.js";
import { word, numbered } from "./words.js";

/** Number of lines in the overview below the sample. */
const LINES = 9;
/** Maximum characters per line. */
const WIDTH = 90;

/** @param {HTMLElement} root @param {import("./feed.js").Feed} feed */
export function film(root, feed) {
  const text = make("div", {
    class: "text",
    id: "film-text",
    tabindex: 0,
    "aria-label": word("film"),
  });
  const strip = make("div", { class: "strip", id: "film-strip" });
  const frames = slider(word("film"), word("play"), show);
  fill(root, make("p", { class: "note" }, word("filmNote")), frames.element, text, strip);
  /** @param {number} at */
  function show(at) {
    const samples = feed.all("sample");
    const sample = samples[at];
    if (!sample) {
      text.textContent = word("none");
      return;
    }
    frames.say(`${numbered(sample.step)}`);
    fill(text, make("b", {}, sample.prompt), sample.text);
    // The beginning of evenly spaced samples: the whole run at a glance.
    const apart = Math.max(1, (samples.length - 1) / (LINES - 1));
    const places = [
      ...new Set(
        Array.from({ length: Math.min(LINES, samples.length) }, (_, i) => Math.round(i * apart)),
      ),
    ];
    const nearest = places.reduce(
      (best, place) => (Math.abs(place - at) < Math.abs(best - at) ? place : best),
      0,
    );
    fill(
      strip,
      ...places.map((place) => {
        const { step, text: written } = /** @type {import("./feed.js").Event} */ (samples[place]);
        const line = [...written.trim().replace(/\s+/g, " ")].slice(0, WIDTH).join("");
        return make(
          "button",
          {
            type: "button",
            onclick: () => frames.go(place),
            "aria-current": String(place === nearest),
          },
          make("small", {}, String(step)),
          make("bdi", {}, line),
        );
      }),
    );
  }
  return () => {
    frames.count(feed.all("sample").length);
    show(frames.at());
  };
}
