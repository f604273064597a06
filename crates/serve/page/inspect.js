// Panel of the playground: inside the model while it reads a text of one's own, through its
// checkpoints.

import { make, fill, button, film } from "./dom.js";
import { word, numbered } from "./words.js";
import { lines } from "./feed.js";
import { Look } from "./look.js";

/** @param {HTMLElement} root @param {import("./play.js").Play} play */
export function inspect(root, play) {
  const { checkpoints } = play.offer.models;
  const look = new Look();
  look.element.hidden = true;
  const told = make("div", { class: "standing", role: "status" });
  const box = /** @type {HTMLInputElement} */ (
    make("input", {
      id: "inside-own",
      "aria-label": word("ownText"),
      placeholder: word("inspectHere"),
      maxlength: play.offer.most.bytes,
      oninput: () => {
        play.passage = box.value;
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) go(frames.at());
      },
    })
  );
  box.value = play.passage;
  const frames = film(word("checkpoint"), word("play"), (at) => {
    if (!look.element.hidden) go(at);
  });
  frames.count(checkpoints.length);
  if (play.seen) frames.go(play.seen.at);
  fill(
    root,
    make("p", { class: "note" }, word("inspectNote")),
    make(
      "div",
      { class: "bar" },
      box,
      button(word("inspectGo"), () => go(frames.at()), { id: "inside-go", class: "main" }),
      told,
    ),
    checkpoints.length > 1 ? frames.element : null,
    look.element,
  );
  let asked = 0;
  if (play.seen) show();

  function show() {
    if (!play.seen) return;
    const { inside, at } = play.seen;
    const before = look.now?.embeddings;
    look.element.hidden = false;
    const same = String(before?.tokens) === String(inside.embeddings.tokens);
    look.show(inside, before && same ? before : inside.embeddings);
    frames.say(numbered(checkpoints[at]?.step ?? 0));
  }

  /** @param {number} at */
  async function go(at) {
    asked += 1;
    const own = asked;
    const step = checkpoints[at]?.step ?? null;
    if (step !== null) frames.say(numbered(step));
    told.textContent = word("onReading");
    try {
      const question = { step, text: box.value, skip_unknown: false };
      for await (const line of lines(`/api/play/${play.id}/inside`, question)) {
        if (own !== asked) return;
        if (line === "loading") told.textContent = word("onLoading");
        if (line.error) throw new Error([line.error.message, ...line.error.unknown].join(" "));
        if (line.inside) {
          told.textContent = "";
          play.seen = { inside: line.inside, at };
          show();
        }
      }
    } catch (error) {
      fill(told, make("span", { class: "error" }, /** @type {Error} */ (error).message));
    }
  }
}
