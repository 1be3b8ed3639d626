/**
 * S4, the graph: sequence numbers against time, and below it cwnd, ssthresh and what is in flight.
 *
 * `graph_axes.js` has the axes and the pointer, `graph_draw.js` draws the marks. A step moves one line
 * of the document above the canvas, so that nothing is drawn anew.
 */

import {Plot} from "./graph_axes.js";
import {GraphData} from "./graph_data.js";
import {drawSequence, drawStrip} from "./graph_draw.js";
import {rowOfEvent, spanShown} from "./moment.js";
import {AGAIN, AGAIN_LETTERS} from "./text.js";
import {html, useEffect, useLayoutEffect, useRef, useState} from "./vendor/preact-htm.js";

const DIRECTIONS = [["out", "what we send"], ["in", "what we get"]];
/** What the letters mean, where the ladder's words begin with "again". */
const LETTER_WORDS = {rto: "timeout", fast: "fast", other: "otherwise", seen: "by the peer"};
const TALL = 250, LOW = 110, MANY = 20000, MANY_MS = 600, LEAST_S = 1e-6;

export class Pictures {
  constructor(element, choose) {
    this.element = element;
    this.choose = choose;
    this.data = null;
    this.span = null; // the times in view; null for all
    this.drawnAt = 0;
    this.later = 0;
    const chosen = (from, to) => {
      this.dragged = performance.now();
      this.show([from, to]);
    };
    this.upper = new Plot(element, TALL, (plot) => drawSequence(plot, this.data), chosen);
    this.lower = new Plot(element, LOW, (plot) => drawStrip(plot, this.data), chosen);
    this.line = document.createElement("div");
    this.line.className = "now-line";
    this.upper.over.append(this.line);
    this.lowLine = this.line.cloneNode();
    this.lower.over.append(this.lowLine);
    this.upper.over.addEventListener("click", (event) => this.click(event));
    for (const {over} of [this.upper, this.lower]) over.addEventListener("dblclick", () => this.all());
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(element);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.redraw();
    this.scheme.addEventListener("change", this.recolour);
  }

  resize() {
    const width = Math.max(220, this.element.clientWidth);
    if ([this.upper, this.lower].filter((plot) => plot.resize(width)).length) this.redraw();
  }

  show(span) {
    const end = this.data.end * 1.02;
    if (span && span[1] - span[0] < LEAST_S) return;
    this.span = span && span[1] - span[0] < end ? [Math.max(-end * 0.02, span[0]), Math.min(end * 1.02, span[1])] : null;
    this.redraw();
  }

  all() {
    this.show(null);
  }

  /** Nearer (below 1) or farther, around the chosen row if it is in view. @param {number} by */
  zoom(by) {
    const [from, to] = this.span || [0, this.data.end], middle = this.now > from && this.now < to ? this.now : (from + to) / 2;
    this.show([middle - (middle - from) * by, middle + (to - middle) * by]);
  }

  pan(by) {
    if (!this.span) return;
    const shift = (this.span[1] - this.span[0]) * by;
    this.show([this.span[0] + shift, this.span[1] + shift]);
  }

  click(event) {
    if (performance.now() - (this.dragged || -1000) < 300) return;
    const {upper} = this, box = upper.over.getBoundingClientRect();
    const left = event.clientX - box.left, top = event.clientY - box.top, x = upper.timeAt(left), y = upper.numberAt(top);
    const n = this.data.nearest(x, y, upper.timeAt(left + 1) - x, y - upper.numberAt(top + 1));
    if (n) this.choose(n);
  }

  /** Draw `data` if there is more of it, or if it is another; much of it not too often. */
  setData(data, changed) {
    const other = data !== this.data;
    this.data = data;
    if (other) this.span = null;
    if (!changed && !other) return;
    const wait = other || data.segments.x.length < MANY ? 0 : this.drawnAt + MANY_MS - performance.now();
    if (wait <= 0) this.redraw();
    else this.later ||= setTimeout(() => this.redraw(), wait);
  }

  redraw() {
    clearTimeout(this.later);
    this.later = 0;
    if (!this.data) return;
    const {data} = this, [from, to] = this.span || [-data.end * 0.02, data.end * 1.04];
    this.upper.view(from, to, ...data.range(from, to));
    this.lower.view(from, to, 0, data.most(from, to));
    this.drawnAt = performance.now();
    this.place();
  }

  /** Put the line at the chosen row. @param {number} [x] seconds */
  place(x = this.now) {
    this.now = x;
    const {from, to, width} = this.upper, seen = width > 0 && x !== null && x >= from && x <= to;
    for (const [plot, line] of [[this.upper, this.line], [this.lower, this.lowLine]]) {
      line.hidden = !seen;
      if (seen) line.style.transform = `translateX(${plot.leftOf(x)}px)`;
    }
  }

  reveal(x) {
    this.place(x);
    if (!this.span || x === null || (x >= this.span[0] && x <= this.span[1])) return;
    const half = (this.span[1] - this.span[0]) / 2;
    this.show([x - half, x + half]);
  }

  end() {
    this.watch.disconnect();
    this.scheme.removeEventListener("change", this.recolour);
    clearTimeout(this.later);
    this.element.replaceChildren();
  }
}

export function GraphPanel({store}) {
  const {group} = store, conn = store.connections.get(group);
  const [dir, setDir] = useState("");
  const place = useRef(null), pictures = useRef(null), kept = useRef({});
  const shown = dir || (conn ? busier(conn, kept.current) : "out");
  useEffect(() => () => pictures.current?.end(), []);
  useLayoutEffect(() => {
    if (!conn || !place.current) return;
    const choose = (n) => store.select(rowOfEvent(store, n)?.i ?? -1);
    pictures.current ||= new Pictures(place.current, choose);
    const data = dataOf(kept.current, conn, shown), changed = data.update(store);
    pictures.current.setData(data, changed);
    pictures.current.reveal(store.row ? (store.row.at - data.start) / 1000 : null);
  });
  const act = (what) => () => pictures.current?.data && what(pictures.current);
  return html`<section class="panel graph" aria-labelledby="graph-title">
    <h2 id="graph-title">Graph</h2>
    ${conn && html`<p class="subject"><b>${group}</b> ${conn.local} – ${conn.remote}</p>`}
    ${!conn && html`<p class="quiet">No row up to this one belongs to a TCP connection.</p>`}
    <div hidden=${!conn}>
      <div class="graph-bar">
        <div class="group" role="group" aria-label="direction">${DIRECTIONS.map(([id, title]) => html`<button key=${id} type="button"
          aria-pressed=${shown === id ? "true" : "false"} onClick=${() => setDir(id)}>${title}</button>`)}</div>
        <div class="group" role="group" aria-label="zoom">
          <button type="button" aria-label="nearer" title="+" onClick=${act((p) => p.zoom(0.5))}>+</button>
          <button type="button" aria-label="farther" title="-" onClick=${act((p) => p.zoom(2))}>−</button>
          <button type="button" title="0" onClick=${act((p) => p.all())}>all</button></div>
      </div>
      <div class="pictures" tabindex="0" role="group" ref=${place} onKeyDown=${(event) => graphKey(event, pictures.current)}
        aria-label="graph; plus and minus zoom, the left and right arrow keys move, 0 shows all; the table below has the figures"></div>
      <${Legend} dir=${shown} />
      ${conn && html`<${Summary} store=${store} data=${dataOf(kept.current, conn, shown)} />`}
    </div>
  </section>`;
}

/** The data of a direction, kept while the connection is shown. */
function dataOf(kept, conn, dir) {
  if (kept.conn !== conn) Object.assign(kept, {conn, out: new GraphData(conn, "out"), in: new GraphData(conn, "in"), counted: 0, octets: {out: 0, in: 0}});
  return kept[dir];
}

/** The direction with more octets. */
function busier(conn, kept) {
  dataOf(kept, conn, "out");
  const {segments} = conn, {octets} = kept;
  if (kept.counted > segments.length) kept.counted = 0;
  for (; kept.counted < segments.length; kept.counted++) octets[segments[kept.counted].dir] += segments[kept.counted].len;
  return octets.in > octets.out ? "in" : "out";
}

function graphKey(event, pictures) {
  if (!pictures?.data || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = {"+": () => pictures.zoom(0.5), "=": () => pictures.zoom(0.5), "-": () => pictures.zoom(2), 0: () => pictures.all(),
    ArrowLeft: () => pictures.pan(-0.25), ArrowRight: () => pictures.pan(0.25)}[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

/** The marks and lines of the upper picture, and the lines of the lower one, with what they mean. */
function Legend({dir}) {
  const swatch = (kind, body) => html`<svg class=${`swatch ${kind}`} viewBox="0 0 26 14" aria-hidden="true">${body}</svg>`;
  const letters = Object.entries(AGAIN_LETTERS).map(([kind, letter], i) => html`${i ? ", " : ""}<b>${letter}</b> ${LETTER_WORDS[kind] || AGAIN[kind]}`);
  const line = (kind) => swatch(kind, html`<path d="M1 7 H25" />`);
  return html`<ul class="legend" aria-label="legend">
    <li>${swatch("segment", html`<path d="M13 2 V12 M9 2 H17 M9 12 H17" />`)} segment</li>
    <li>${swatch("again", html`<rect x="9" y="2" width="7" height="10" />`)} <span>sent again: ${letters}</span></li>
    <li>${swatch("cross", html`<path d="M9 3 L17 11 M9 11 L17 3" />`)} lost on the wire</li>
    <li>${line("ack")} acknowledged</li><li>${line("edge")} end of the window</li>
    <li>${swatch("sack", html`<path d="M13 1 V13" />`)} SACK block</li>
    <li class="below">below:</li>${dir === "out" && html`<li>${line("cwnd")} cwnd</li><li>${line("ssthresh")} ssthresh</li>`}
    <li>${line("flight")} in flight</li>
    ${dir === "in" && html`<li class="quiet">the other end keeps its cwnd to itself</li>`}
  </ul>`;
}

const greatest = (values) => values.reduce((a, b) => Math.max(a, b));

function Summary({store, data}) {
  data.update(store);
  const {sums, cwnd, ssthresh, end} = data, again = Object.entries(sums.again);
  const rows = [["segments with data, SYN or FIN", sums.segments], ["octets", sums.octets],
    ["sent again", again.length ? again.map(([kind, count]) => `${count} ${AGAIN[kind].replace("again: ", "")}`).join(", ") : "none"],
    ["lost on the wire", data.lost], ["acknowledged", data.acked], ["most in flight", sums.most],
    ...(data.dir === "out" ? [["cwnd, now and at most", cwnd.y.length ? `${cwnd.y.at(-1)}, ${greatest(cwnd.y)}` : "–"],
      ["ssthresh", ssthresh.y.at(-1) ?? "not set"]] : []),
    ["time from first to last", spanShown(end)]];
  return html`<details><summary>The graph in figures</summary><table class="variables"><tbody>
    ${rows.map(([name, value]) => html`<tr key=${name}><th scope="row">${name}</th><td class="number">${String(value)}</td></tr>`)}</tbody></table></details>`;
}
