// Panel 2: the same prompt through time.

import { make, fill, film as slider } from "./dom.js";
import { word } from "./words.js";

/** @param {HTMLElement} root @param {import("./feed.js").Feed} feed */
export function film(root, feed) {
  const text = make("div", { class: "text", id: "film-text", tabindex: 0 });
  const frames = slider(word("film"), word("play"), show);
  fill(root, make("p", { class: "note" }, word("filmNote")), frames.element, text);
  /** @param {number} at */
  function show(at) {
    const sample = feed.all("sample")[at];
    if (!sample) { text.textContent = word("none"); return; }
    frames.say(`${word("step")} ${sample.step}`);
    fill(text, make("b", {}, sample.prompt), sample.text);
  }
  return () => { frames.count(feed.all("sample").length); show(frames.at()); };
}
