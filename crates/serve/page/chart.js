// Charts by plotly.js, in the page's colours.

/** @type {any} */
const Plotly = /** @type {any} */ (window).Plotly;

/** @param {string} name @returns {string} */
export function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }

/** Colours of runs that are laid over each other. */
export const OTHERS = ["#c2410c", "#15803d", "#7e22ce", "#be123c", "#0e7490", "#a16207"];

/** @param {Record<string, any>} axis */
function styled(axis) {
  return { gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"), automargin: true, ...axis };
}

/**
 * Draws a chart, or draws it anew.
 * @param {HTMLElement} where
 * @param {any[]} traces
 * @param {Record<string, any>} [layout]
 */
export function draw(where, traces, layout = {}) {
  const axes = Object.fromEntries(Object.entries(layout).filter(([key]) => /^[xy]axis/.test(key)).map(([key, axis]) => [key, styled(axis)]));
  const full = {
    margin: { l: 55, r: 15, t: 10, b: 40 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("ink"), size: 12 }, xaxis: styled({}), yaxis: styled({}),
    legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("soft"), activecolor: colour("ink") }, hovermode: "x unified", hoverlabel: { bgcolor: colour("card"), font: { color: colour("ink") } },
    ...layout, ...axes,
  };
  return Plotly.react(where, traces, full, { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "toImage"] });
}

/** @param {HTMLElement} where @param {any} update @param {number[]} which */
export const change = (where, update, which) => Plotly.restyle(where, update, which);

/** Frees a chart's memory. @param {HTMLElement} where */
export const erase = (where) => Plotly.purge(where);

/** @param {HTMLElement} where @param {(range: [number, number] | null) => void} zoomed */
export function onZoom(where, zoomed) {
  /** @type {any} */ (where).on("plotly_relayout", (/** @type {Record<string, any>} */ to) => {
    if (to["xaxis.autorange"]) zoomed(null);
    else if (to["xaxis.range[0]"] !== undefined) zoomed([Number(to["xaxis.range[0]"]), Number(to["xaxis.range[1]"])]);
  });
}

/** A band between least and most. @param {number[]} x @param {(number|null)[]} least @param {(number|null)[]} most @param {string} fill @param {string} name */
export function band(x, least, most, fill, name) {
  const known = x.map((_, i) => i).filter((i) => least[i] !== null && most[i] !== null);
  const back = [...known].reverse();
  return {
    x: [...known.map((i) => x[i]), ...back.map((i) => x[i])], y: [...known.map((i) => most[i]), ...back.map((i) => least[i])],
    fill: "toself", fillcolor: fill, line: { width: 0 }, mode: "lines", type: "scatter", hoverinfo: "skip", name,
  };
}
