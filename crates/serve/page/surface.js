// Surfaces over a grid, and paths that lie on them.

import { color } from "./chart.js";

/** @typedef {{x: (number|null)[], y: (number|null)[], z: (number|null)[]}} Places */

/** @returns {Places} */
export const places = () => ({ x: [], y: [], z: [] });

/** Heights over a grid: a row for each y. Its facets are flat, as they are drawn. */
export class Relief {
  /**
   * @param {number[]} x @param {number[]} y @param {(number|null)[][]} height
   * @param {number} lift how far paths are above the surface, which would hide them otherwise
   */
  constructor(x, y, height, lift) {
    this.x = x;
    this.y = y;
    this.height = height;
    this.lift = lift;
  }

  /** @param {number} x @param {number} y */
  inside(x, y) {
    const within = (/** @type {number[]} */ all, /** @type {number} */ v) =>
      v >= Number(all[0]) && v <= Number(all.at(-1));
    return within(this.x, x) && within(this.y, y);
  }

  /** The height of a path. @param {number} x @param {number} y */
  above(x, y) {
    const place = (/** @type {number[]} */ grid, /** @type {number} */ v) => {
      const [first, last] = [Number(grid[0]), Number(grid.at(-1))];
      const share = ((v - first) / (last - first)) * (grid.length - 1);
      const at = Math.max(0, Math.min(grid.length - 2, Math.floor(share)));
      return { at, rest: share - at };
    };
    const [i, j] = /** @type {const} */ ([place(this.x, x), place(this.y, y)]);
    const corner = (/** @type {number} */ dx, /** @type {number} */ dy) =>
      Number(this.height[j.at + dy]?.[i.at + dx] ?? NaN);
    const edge = (/** @type {number} */ dy) =>
      corner(0, dy) * (1 - i.rest) + corner(1, dy) * i.rest;
    return edge(0) * (1 - j.rest) + edge(1) * j.rest + this.lift;
  }

  /**
   * Adds a place to a path, or a gap where it is outside.
   * @param {Places} to @param {number|null} x @param {number|null} y
   */
  add(to, x, y) {
    const known = x !== null && y !== null && this.inside(x, y);
    to.x.push(known ? x : null);
    to.y.push(known ? y : null);
    to.z.push(known ? this.above(x, y) : null);
    return known;
  }

  /**
   * Adds places between two: a straight line would cut through the surface or float above it.
   * @param {Places} to @param {(number|null)[]} from @param {(number|null)[]} next
   */
  between(to, [x0, y0], [x1, y1]) {
    if (typeof x0 !== "number" || typeof y0 !== "number") return;
    if (typeof x1 !== "number" || typeof y1 !== "number") return;
    if (!this.inside(x0, y0) || !this.inside(x1, y1)) return;
    const cells = (/** @type {number[]} */ grid, /** @type {number} */ by) =>
      by / (Number(grid[1]) - Number(grid[0]));
    const parts = Math.ceil(Math.hypot(cells(this.x, x1 - x0), cells(this.y, y1 - y0)));
    for (let i = 1; i < parts; i++)
      this.add(to, x0 + ((x1 - x0) * i) / parts, y0 + ((y1 - y0) * i) / parts);
  }

  /** The surface. @param {string} hover */
  trace(hover) {
    return {
      type: "surface",
      x: this.x,
      y: this.y,
      z: this.height,
      colorscale: "Viridis",
      showscale: false,
      contours: { z: { show: true, usecolormap: true } },
      hovertemplate: `${hover}<extra></extra>`,
    };
  }

  /** The same from above. */
  contours() {
    return {
      type: "contour",
      x: this.x,
      y: this.y,
      z: this.height,
      colorscale: "Viridis",
      showscale: false,
      ncontours: 24,
      hoverinfo: "skip",
    };
  }
}

/**
 * The layout of a surface that turns.
 * @param {HTMLElement} picture @param {string[]} titles of x and y @param {object} [height]
 */
export function turning(picture, [x, y], height = {}) {
  const axis = (/** @type {string} */ text) => ({
    title: { text },
    color: color("ink"),
    gridcolor: color("line"),
    zerolinecolor: color("line"),
  });
  // From so far that the labels of all axes are in the picture, however narrow it is.
  const far = 1.25 * Math.max(1, picture.clientHeight / (picture.clientWidth || 1));
  return {
    margin: { l: 0, r: 0, t: 0, b: 0 },
    showlegend: false,
    uirevision: "turned",
    dragmode: "turntable",
    scene: {
      aspectmode: "manual",
      aspectratio: { x: 1.1, y: 1.1, z: 0.75 },
      xaxis: axis(x ?? ""),
      yaxis: axis(y ?? ""),
      zaxis: { ...axis(""), ...height },
      camera: {
        eye: { x: 1.15 * far, y: -1.15 * far, z: 1.25 * far },
        center: { x: 0, y: 0, z: -0.15 },
      },
    },
  };
}
