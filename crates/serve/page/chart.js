// Charts with plotly.js, in the page's colors.

/** @typedef {Record<string, any>} Trace */

/** @type {any} */
const Plotly = /** @type {any} */ (window).Plotly;

/** On a touch screen a drag scrolls the page, so it must not zoom a chart. */
const DRAG = matchMedia("(pointer: coarse)").matches ? false : "zoom";

/** @param {string} name @returns {string} */
export function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Color of the min–max band, and of the raw line below a smoothed one. */
export const FAINT = "rgba(80,130,220,.22)";
export const PALE = "rgba(80,130,220,.55)";

/** Colors of compared runs, visible on both light and dark backgrounds. */
export const OTHERS = ["#a855f7", "#0d9f76", "#ef4444", "#0891b2", "#ca8a04", "#ec4899"];

/** Escapes text, since the chart library renders some tags. @param {string} text */
export function plain(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
}

/** @param {Record<string, any>} axis */
function styled(axis) {
  return {
    gridcolor: color("line"),
    zerolinecolor: color("line"),
    linecolor: color("line"),
    automargin: true,
    ...axis,
  };
}

/**
 * Draws or redraws a chart.
 * @param {HTMLElement} where
 * @param {string} told a description for screen readers
 * @param {Trace[]} traces
 * @param {Record<string, any>} [layout]
 */
export function draw(where, told, traces, layout = {}) {
  const axes = Object.fromEntries(
    Object.entries(layout)
      .filter(([key]) => /^[xy]axis/.test(key))
      .map(([key, axis]) => [key, styled(axis)]),
  );
  const full = {
    margin: { l: 55, r: 15, t: 10, b: 40 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: color("ink"), size: 12, family: getComputedStyle(document.body).fontFamily },
    xaxis: styled({}),
    yaxis: styled({}),
    dragmode: DRAG,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
    hovermode: "x unified",
    hoverlabel: { bgcolor: color("card"), font: { color: color("ink") } },
    ...layout,
    ...axes,
  };
  where.setAttribute("role", "img");
  where.setAttribute("aria-label", told);
  return Plotly.react(where, traces, full, {
    displaylogo: false,
    displayModeBar: false,
    responsive: true,
  });
}

/** @param {HTMLElement} where @param {Trace} update @param {number[]} which */
export const change = (where, update, which) => Plotly.restyle(where, update, which);

/** Frees a chart's memory. @param {HTMLElement} where */
export const erase = (where) => Plotly.purge(where);

/**
 * The visible range of the x axis.
 * @param {HTMLElement} where
 * @returns {[number, number] | null}
 */
export function shown(where) {
  return /** @type {any} */ (where).layout?.xaxis?.range ?? null;
}

/** @param {HTMLElement} where @param {(range: [number, number] | null) => void} zoomed */
export function onZoom(where, zoomed) {
  /** @type {any} */ (where).on("plotly_relayout", (/** @type {Record<string, any>} */ to) => {
    if (to["xaxis.autorange"]) zoomed(null);
    else if (to["xaxis.range[0]"] !== undefined)
      zoomed([Number(to["xaxis.range[0]"]), Number(to["xaxis.range[1]"])]);
  });
}

/**
 * A dotted line across a chart, labeled at its right end.
 * @param {string} text @param {number} y
 * @param {boolean} log whether the axis is logarithmic
 * @param {string} [yref]
 * @param {boolean} [left] puts the label at the left end
 * @returns {{shape: Trace, note: Trace}}
 */
export function guide(text, y, log, yref = "y", left = false) {
  return {
    shape: {
      type: "line",
      xref: "paper",
      x0: 0,
      x1: 1,
      yref,
      y0: y,
      y1: y,
      line: { width: 1, dash: "dot", color: color("green") },
    },
    note: {
      xref: "paper",
      x: left ? 0 : 1,
      xanchor: left ? "left" : "right",
      yref,
      y: log ? Math.log10(y) : y,
      yanchor: "bottom",
      showarrow: false,
      text,
      bgcolor: color("card"),
      borderpad: 0,
      font: { size: 11, color: color("green") },
    },
  };
}

/**
 * A logarithmic axis for these values; ticks only at powers of ten if they span a wide range.
 * @param {(number|null|undefined)[]} values
 */
export function logarithmic(values) {
  const known = values.map(Number).filter((v) => v > 0);
  return {
    type: "log",
    exponentformat: "power",
    dtick: Math.max(...known) / Math.min(...known) > 50 ? 1 : "D1",
  };
}

/**
 * A band between min and max.
 * @param {number[]} x
 * @param {(number|null)[]} least @param {(number|null)[]} most
 * @param {string} name
 * @param {string} [fillcolor]
 * @returns {Trace}
 */
export function band(x, least, most, name, fillcolor = FAINT) {
  const known = x.map((_, i) => i).filter((i) => least[i] !== null && most[i] !== null);
  const back = [...known].reverse();
  return {
    x: [...known.map((i) => x[i]), ...back.map((i) => x[i])],
    y: [...known.map((i) => most[i]), ...back.map((i) => least[i])],
    fill: "toself",
    fillcolor,
    line: { width: 0 },
    mode: "lines",
    type: "scatter",
    hoverinfo: "skip",
    name,
  };
}
