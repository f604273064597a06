// Helpers for elements. Text is always inserted as text, so nothing from a model or a corpus can
// become markup.

/**
 * Creates an element. Attributes that begin with `on` are event handlers; others are set as is.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on"))
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, String(value));
  }
  for (const child of children) if (child !== null && child !== undefined) element.append(child);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element of a drawing.
 * @param {string} tag @param {Record<string, unknown>} attributes @param {string} [text]
 */
export function svg(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/** @param {Element} element @param {...(Node | string | null | undefined)} children */
export function fill(element, ...children) {
  element.replaceChildren(
    ...children
      .filter((c) => c !== null && c !== undefined)
      .map((c) => /** @type {Node | string} */ (c)),
  );
}

/**
 * A select box.
 * @param {string} label
 * @param {[string, string][]} options value and text
 * @param {string} value
 * @param {(value: string) => void} changed
 */
export function choice(label, options, value, changed) {
  const box = /** @type {HTMLSelectElement} */ (
    make("select", { "aria-label": label, onchange: () => changed(box.value) })
  );
  for (const [key, text] of options) box.append(make("option", { value: key }, text));
  box.value = value;
  return make("label", {}, label, box);
}

/** @param {string} label @param {boolean} on @param {(on: boolean) => void} changed */
export function tick(label, on, changed) {
  const box = /** @type {HTMLInputElement} */ (
    make("input", { type: "checkbox", onchange: () => changed(box.checked) })
  );
  box.checked = on;
  return make("label", {}, box, label);
}

/** @param {string} text @param {() => void} pressed @param {Record<string, unknown>} [more] */
export function button(text, pressed, more = {}) {
  return make("button", { type: "button", onclick: pressed, ...more }, text);
}

/**
 * A slider over numbered frames, with a button that plays them as an animation.
 * @param {string} label
 * @param {string} play
 * @param {(at: number) => void} changed
 */
export function film(label, play, changed) {
  let timer = 0;
  const slider = /** @type {HTMLInputElement} */ (
    make("input", {
      type: "range",
      min: 0,
      max: 0,
      value: 0,
      "aria-label": label,
      oninput: () => {
        stop();
        show();
      },
    })
  );
  const where = make("output", {});
  const toggle = button(
    `▶ ${play}`,
    () => {
      if (timer) stop();
      else start();
    },
    { "aria-pressed": "false", "data-play": true },
  );
  let pace = 600;
  let follow = true;
  function show() {
    follow = slider.value === slider.max;
    changed(Number(slider.value));
  }
  function stop() {
    clearInterval(timer);
    timer = 0;
    toggle.setAttribute("aria-pressed", "false");
    toggle.textContent = `▶ ${play}`;
  }
  function start() {
    if (slider.value === slider.max) slider.value = "0";
    show();
    toggle.setAttribute("aria-pressed", "true");
    toggle.textContent = `❚❚ ${play}`;
    timer = window.setInterval(() => {
      if (!toggle.isConnected || slider.value === slider.max) {
        stop();
        return;
      }
      slider.value = String(Number(slider.value) + 1);
      show();
    }, pace);
  }
  return {
    element: make("div", { class: "bar" }, toggle, slider, where),
    /** @param {number} count */
    count(count) {
      const max = String(Math.max(0, count - 1));
      if (slider.max === max) return;
      slider.max = max;
      if (follow && !timer) {
        slider.value = max;
        show();
      }
    },
    at: () => Number(slider.value),
    /** @param {number} at */
    go(at) {
      slider.value = String(at);
      show();
    },
    /** @param {string} text */
    say(text) {
      where.textContent = text;
    },
    /** @param {number} milliseconds */
    every(milliseconds) {
      pace = milliseconds;
    },
    start,
  };
}
