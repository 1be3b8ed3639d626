/** Draws the marks of the graph on its canvas. What lies in one column of pixels is drawn once. */

import {firstAtLeast} from "./graph_data.js";
import {FIN, RST, SYN} from "./model.js";
import {AGAIN_LETTERS} from "./text.js";

const MOST_LETTERS = 400; // in view; with more of them only the bars are drawn

/** The colours of the page, as the canvas needs them. */
function coloursNow() {
  const style = getComputedStyle(document.documentElement);
  const names = ["blue", "green", "orange", "purple", "vermilion", "ink", "quiet"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** What the marks need to know of the plot. @param {import("./graph_axes.js").Plot} plot */
const viewOf = (plot) => ({ctx: plot.ctx, ratio: plot.ratio, colours: coloursNow(), min: plot.from, max: plot.to,
  px: (time) => plot.x(time), py: (number) => plot.y(number)});

/** The marks of the upper picture. @param {import("./graph_data.js").GraphData} data */
export function drawSequence(plot, data) {
  const view = viewOf(plot), {acks} = data;
  steps(view, acks.x, acks.edge, view.colours.orange, [6, 4], 1.5);
  steps(view, acks.x, acks.ack, view.colours.green, [], 2);
  drawSacks(view, data.sacks);
  drawSegments(view, data.segments);
  drawAgain(view, data.segments);
}

export function drawStrip(plot, {flight, ssthresh, cwnd}) {
  const view = viewOf(plot), {colours} = view;
  steps(view, flight.x, flight.y, colours.quiet, [1.5, 3], 1.5);
  steps(view, ssthresh.x, ssthresh.y, colours.vermilion, [8, 4], 1.5);
  steps(view, cwnd.x, cwnd.y, colours.blue, [], 2);
}

/** A line of steps: within one column its least and greatest value, and the last one. */
function steps({ctx, px, py, ratio, min, max}, xs, ys, colour, dash, width) {
  let i = Math.max(0, firstAtLeast(xs, min) - 1);
  ctx.beginPath();
  ctx.strokeStyle = colour;
  ctx.lineWidth = width * ratio;
  ctx.setLineDash(dash.map((length) => length * ratio));
  let column = -Infinity, y = null, low = 0, high = 0;
  const flush = () => {
    if (y === null || high - low < 1) return;
    ctx.lineTo(column, low);
    ctx.lineTo(column, high);
    ctx.lineTo(column, y);
  };
  for (; i < xs.length && xs[i] <= max; i++) {
    const at = Math.round(px(xs[i])), next = ys[i] === null ? null : py(ys[i]);
    if (at !== column) {
      flush();
      if (y !== null) ctx.lineTo(at, y);
      column = at;
      low = Infinity;
      high = -Infinity;
    }
    if (next !== null) {
      if (y === null) ctx.moveTo(at, next);
      else if (low > high) ctx.lineTo(at, next);
      low = Math.min(low, next);
      high = Math.max(high, next);
    }
    y = next;
  }
  flush();
  if (y !== null) ctx.lineTo(Math.round(px(max)), y);
  ctx.stroke();
  ctx.setLineDash([]);
}

function drawSacks({ctx, px, py, ratio, colours, min, max}, sacks) {
  ctx.fillStyle = colours.purple;
  for (let i = firstAtLeast(sacks.x, min); i < sacks.x.length && sacks.x[i] <= max; i++) {
    const y = py(sacks.high[i]);
    ctx.fillRect(px(sacks.x[i]) - 1.5 * ratio, y, 3 * ratio, Math.max(2 * ratio, py(sacks.low[i]) - y));
  }
}

/** First transmissions, as I-bars; bars that touch within a column become one. */
function drawSegments({ctx, px, py, ratio, colours, min, max}, {x, low, high, again, flags}) {
  ctx.fillStyle = colours.blue;
  ctx.font = `${10 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  let column = -Infinity, top = 0, bottom = 0, count = 0;
  const flush = () => {
    if (!count) return;
    const tall = Math.max(2 * ratio, bottom - top);
    ctx.fillRect(column - ratio, top, 2 * ratio, tall);
    if (count > 1 || tall < 7 * ratio) return;
    ctx.fillRect(column - 3 * ratio, top, 6 * ratio, ratio);
    ctx.fillRect(column - 3 * ratio, top + tall - ratio, 6 * ratio, ratio);
  };
  for (let i = firstAtLeast(x, min); i < x.length && x[i] <= max; i++) {
    if (again[i]) continue;
    const at = Math.round(px(x[i])), from = py(high[i]), to = py(low[i]);
    if (at !== column || from > bottom + 1.5 * ratio || to < top - 1.5 * ratio) {
      flush();
      [column, top, bottom, count] = [at, from, to, 0];
    }
    top = Math.min(top, from);
    bottom = Math.max(bottom, to);
    count += 1;
    if (flags[i] & (SYN | FIN | RST)) ctx.fillText(flags[i] & SYN ? "SYN" : flags[i] & RST ? "RST" : "FIN", at + 5 * ratio, from - 2 * ratio);
  }
  flush();
}

/** What was sent again, as hollow bars with a letter; what the wire lost, as an X. */
function drawAgain({ctx, px, py, ratio, colours, min, max}, {x, low, high, again, lost}) {
  const from = firstAtLeast(x, min), marks = [];
  for (let i = from; i < x.length && x[i] <= max; i++) if (again[i] || lost[i].lost) marks.push(i);
  ctx.lineWidth = 1.5 * ratio;
  ctx.font = `bold ${11 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  let column = -Infinity, bottom = -Infinity;
  for (const i of marks) {
    const at = Math.round(px(x[i])), top = py(high[i]), tall = Math.max(4 * ratio, py(low[i]) - top);
    if (marks.length > MOST_LETTERS && at === column && Math.abs(top - bottom) < ratio) continue;
    [column, bottom] = [at, top];
    if (again[i]) {
      ctx.strokeStyle = ctx.fillStyle = colours.vermilion;
      ctx.strokeRect(at - 2.5 * ratio, top, 5 * ratio, tall);
      if (marks.length <= MOST_LETTERS) ctx.fillText(AGAIN_LETTERS[again[i]] || "O", at + 6 * ratio, top + tall / 2);
    }
    if (lost[i].lost) cross(ctx, at, top + tall / 2, 4.5 * ratio, colours.ink);
  }
  ctx.textBaseline = "alphabetic";
}

function cross(ctx, x, y, size, colour) {
  ctx.strokeStyle = colour;
  ctx.beginPath();
  ctx.moveTo(x - size, y - size);
  ctx.lineTo(x + size, y + size);
  ctx.moveTo(x - size, y + size);
  ctx.lineTo(x + size, y - size);
  ctx.stroke();
}
