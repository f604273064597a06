// Panel: inside the model, through training.

import { make, fill, film } from "./dom.js";
import { word, numbered } from "./words.js";
import { Look } from "./look.js";

/** @param {HTMLElement} root @param {import("./feed.js").Feed} feed */
export function inside(root, feed) {
  const look = new Look();
  const frames = film(word("inside"), word("play"), show);
  const note = make("p", { class: "note" }, word("insideNote"));

  let drawn = "";

  /** @param {number} at */
  async function show(at) {
    const events = feed.all("inside");
    const [event, last] = [events[at], events.at(-1)];
    if (!event || !last) return;
    // A run that is live draws often: nothing new, nothing to draw.
    const both = `${feed.news.epoch} ${event.serial} ${last.serial}`;
    if (drawn === both) return;
    const [seen, newest] = await Promise.all([feed.whole(event), feed.whole(last)]);
    if (frames.at() !== at) return;
    drawn = both;
    frames.say(numbered(event.step));
    look.show(seen, newest.embeddings);
  }

  return async () => {
    const events = feed.all("inside");
    if (events.length) {
      if (!look.element.isConnected) fill(root, note, frames.element, look.element);
      frames.count(events.length);
      await show(frames.at());
      return;
    }
    const old = feed.all("lens").length > 0;
    const why = old ? `${word("insideNone")}: downhill inside ${feed.start?.run}` : word("none");
    fill(root, make("p", { class: "note" }, why));
  };
}
