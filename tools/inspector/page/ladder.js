/**
 * S1, the ladder: kernel, wire, our host, program, and why, one row below the other.
 *
 * Only the rows in view are in the document. New rows move the view while the page is live, and
 * never while one reads.
 */

import {STATE_LETTERS, stateName} from "./model.js";
import {useStore} from "./store.js";
import {AGAIN, AGAIN_LETTERS, arrowText, lineKind, noteText, rowLabel, saidOf, sentence, whyOf} from "./text.js";
import {Component, html, useEffect, useLayoutEffect, useRef, useState} from "./vendor/preact-htm.js";

const OVERSCAN = 6;

export function Ladder({store}) {
  useStore(store, false);
  const scroll = useRef(null), state = useRef({rowHeight: 30, forgotten: 0, liveTop: 0, chosen: -1});
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  useEffect(() => measure(scroll.current, state.current, setHeight), []);
  useLayoutEffect(() => keepPlace(store, scroll.current, state.current));
  const {rowHeight} = state.current, count = store.visible.length;
  const from = store.live ? Math.max(0, count * rowHeight - height) : top;
  const first = Math.max(0, Math.floor(from / rowHeight) - OVERSCAN);
  const last = Math.min(count, Math.ceil((from + height) / rowHeight) + OVERSCAN);
  const {row: chosen} = store, place = chosen ? store.placeOf(chosen.i) : -1;
  const rowAt = (at) => store.maker.row(store.visible[at]);
  const look = `${store.absolute} ${store.delta} ${store.follow} ${store.wordsVersion}`; // what changes all rows
  const shown = [];
  for (let at = first; at < last; at++) shown.push(at);
  if (place >= 0 && place < count && (place < first || place >= last)) shown.push(place);
  return html`<section class="ladder" aria-labelledby="ladder-title">
    <h2 id="ladder-title" class="sr">Ladder</h2>
    <div role="grid" class="grid" aria-label="events, in order" aria-rowcount=${count + 1} aria-colcount="6">
      <${Head} store=${store} />
      <div class="scroll" role="rowgroup" ref=${scroll} onScroll=${() => scrolled(store, scroll.current, state.current, setTop)}>
        <div class="spacer" role="presentation" ref=${(element) => element && (element.style.height = `${count * rowHeight}px`)}></div>
        ${shown.map((at) => html`<${LadderRow} key=${store.visible[at]} store=${store} row=${rowAt(at)}
          at=${at} top=${at * rowHeight} chosen=${at === place} look=${look} version=${rowAt(at)?.version} />`)}
      </div>
    </div>
    ${count === 0 && html`<${Empty} store=${store} />`}
    <${Caption} store=${store} row=${chosen} />
  </section>`;
}

function Head({store}) {
  return html`<div role="row" class="row head" aria-rowindex="1">
    <span role="columnheader" class="time"><button type="button" class="plain" title="T" aria-label=${store.delta ? "time since the row before" : "time since the first row"}
      onClick=${() => store.toggleTime()}>${store.delta ? "Δ time" : "time"}</button></span>
    <span role="columnheader" class="peer">${store.peerName}</span>
    <span role="columnheader" class="wire">wire</span>
    <span role="columnheader" class="ours">${store.ourName}</span>
    <span role="columnheader" class="program">program</span>
    <span role="columnheader" class="why">why</span>
  </div>`;
}

function Empty({store}) {
  const waits = store.rows.length || store.queue.length;
  return html`<div class="empty"><p>${waits ? "No row passes the filter." : "Nothing has passed the wire yet."}</p>
    ${!waits && !store.report && html`<p class="quiet">In the lab's shell, try <code>ping -c 3 10.9.0.2</code> or <code>curl http://10.9.0.2/</code>.</p>`}</div>`;
}

/** Follow the height of the view and of a row, which is another one on a narrow window. */
function measure(element, state, setHeight) {
  const look = () => {
    state.rowHeight = parseFloat(getComputedStyle(element).getPropertyValue("--row")) || 30;
    setHeight(element.clientHeight);
  };
  const observer = new ResizeObserver(look);
  observer.observe(element);
  look();
  return () => observer.disconnect();
}

/** After each drawing: stay at the end while live, keep the same rows in view else, show the chosen row. */
function keepPlace(store, element, state) {
  const {rowHeight} = state, gone = store.forgotten - state.forgotten;
  state.forgotten = store.forgotten;
  if (gone && !store.live) element.scrollTop -= gone * rowHeight;
  if (store.live) {
    state.chosen = -1;
    element.scrollTop = store.visible.length * rowHeight;
    state.liveTop = element.scrollTop;
    return;
  }
  const {row} = store;
  if (!row || (row.i === state.chosen && !store.showRow)) return;
  state.chosen = row.i;
  store.showRow = false;
  const top = store.placeOf(row.i) * rowHeight, bottom = top + rowHeight;
  if (top < element.scrollTop + rowHeight) element.scrollTop = Math.max(0, top - rowHeight);
  else if (bottom > element.scrollTop + element.clientHeight - rowHeight) element.scrollTop = bottom - element.clientHeight + rowHeight;
  if (store.takeFocus()) element.querySelector("[role=row][tabindex='0']")?.focus({preventScroll: true});
}

/** The user has scrolled, or we have. A live page whose user scrolls up is paused. */
function scrolled(store, element, state, setTop) {
  const {scrollTop} = element;
  if (!store.live) return setTop(scrollTop);
  if (scrollTop >= state.liveTop - 2) return undefined;
  state.chosen = store.row ? store.row.i : -1;
  setTop(scrollTop);
  return store.pause();
}

/** A row. It is drawn anew only if it has changed: most rows in view stay as they are. */
class LadderRow extends Component {
  shouldComponentUpdate(next) {
    const {row, chosen, top, look, version} = this.props;
    return next.row !== row || next.version !== version || next.chosen !== chosen || next.top !== top || next.look !== look;
  }

  render({store, row, at, top, chosen}) {
    return row ? drawRow(store, row, at, top, chosen) : null;
  }
}

function drawRow(store, row, at, top, chosen) {
  const place = (element) => element && (element.style.transform = `translateY(${top}px)`);
  const reason = whyOf(row, store), dropped = row.decisions.some((record) => record.name === "host:drop");
  return html`<div role="row" class=${`row ${row.kind}${chosen ? " chosen" : ""}${dropped ? " dropped" : ""}`} ref=${place}
      aria-rowindex=${at + 2} aria-selected=${chosen ? "true" : "false"} aria-label=${rowLabel(row, store)} tabindex=${chosen ? 0 : -1}
      onClick=${() => store.select(row.i)}>
    <span role="gridcell" class="time number">${timeOf(row, at, store)}</span>
    <span role="gridcell" class=${`peer rail st-${row.states.peer || "none"}`}><${EndState} row=${row} side="peer" chosen=${chosen} /></span>
    <span role="gridcell" class="wire"><${OnWire} row=${row} store=${store} /></span>
    <span role="gridcell" class=${`ours rail st-${row.states.ours || "none"}`}><${EndState} row=${row} side="ours" chosen=${chosen} dropped=${dropped} /></span>
    <span role="gridcell" class="program">${row.kind === "call" && html`<${Note} row=${row} store=${store} />`}</span>
    <span role="gridcell" class="why" title=${reason.text}><span class=${`text${reason.plain ? " quiet" : ""}`}>
      ${reason.why.length > 0 && html`<span class="id">${reason.why[0]}</span> `}${reason.text}</span></span>
  </div>`;
}

/** The state of an end: its name where the row changes it, or where the row is chosen. */
function EndState({row, side, chosen, dropped}) {
  const state = row.states[side], changed = row.changed[side];
  if (dropped) return html`<span class="badge drop">dropped</span>`;
  if (row.kind === "timer" && side === "ours") return html`<span class="badge clock">${row.event.data.timer}</span>`;
  const named = state && (changed || chosen);
  if (!named) return row.kind === "call" && side === "ours" ? html`<${CallArrow} />` : null;
  const inferred = row.states.inferred && (side === "peer" || row.states.captured);
  return html`<span class=${`state${changed ? "" : " same"}`} title=${inferred ? "inferred from the segments" : ""}>
    <b class="letter" aria-hidden="true">${STATE_LETTERS[state] || "?"}</b><span class="name">${stateName(state)}</span>${inferred ? html`<i class="inferred">?</i>` : ""}</span>`;
}

function CallArrow() {
  return html`<span class="arrow out call" aria-hidden="true"><i class="line"></i><i class="tip"></i></span>`;
}

function OnWire({row, store}) {
  if (row.kind === "call" || row.kind === "timer") return null;
  if (!row.frame || (row.kind === "fate" && !row.lost)) return html`<${Note} row=${row} store=${store} />`;
  const {name, rest} = arrowText(row, store), again = row.again && AGAIN_LETTERS[row.again];
  return html`<span class=${`arrow ${row.dir} ${lineKind(row)}${again ? " again" : ""}${row.lost ? " lost" : ""}`}>
    <i class="tail"></i><span class="on"><${Tag} row=${row} store=${store} /><b>${name}</b>
      ${again && html`<span class="mark" title=${AGAIN[row.again]}><b>${again}</b> again</span>`}<span class="rest">${rest}</span></span>
    <i class="line"></i>${row.lost ? html`<i class="cross" aria-hidden="true">✕</i><i class="gone"></i>` : html`<i class="tip"></i>`}</span>`;
}

/** The connection or socket of a row, while rows of several are shown. */
function Tag({row, store}) {
  const {group} = row;
  if (store.follow || !group) return null;
  if (/^c\d/.test(group)) return html`<span class="tag">${group}</span>`;
  return row.kind === "call" ? html`<span class="tag">${group.slice(group.lastIndexOf(":"))}</span>` : null;
}

function Note({row, store}) {
  const {name, rest} = noteText(row, store);
  return html`<span class="note"><${Tag} row=${row} store=${store} /><b>${name}</b> <span class="rest">${rest}</span></span>`;
}

function timeOf(row, at, store) {
  const before = store.delta ? store.maker.row(store.visible[at - 1]) : store.rows[0];
  const ms = row.at - (store.delta ? (before ? before.at : row.at) : store.startAt);
  return store.delta ? `+${(ms / 1000).toFixed(4)}` : (ms / 1000).toFixed(4);
}

/** Below the ladder: the chosen row in whole sentences. A step is told to a screen reader. */
function Caption({store, row}) {
  if (!row) return html`<div class="caption"></div>`;
  const said = saidOf(row, store);
  return html`<div class="caption">
    <p class="what"><span class="number quiet">${row.kind === "frame" ? `frame ${row.n}` : `event ${row.n}`}</span> ${whatOf(row, store)}</p>
    ${said.map((record) => html`<p class="reason" key=${record.n}>${record.name === "gap" ? "" : sentence(record, store)}
      ${record.why.filter((id) => id !== "own").map((id) => html` <span class="clause">${id}</span>`)}</p>`)}
    ${said.length === 0 && html`<p class="reason quiet">${whyOf(row, store).text}</p>`}
    <p class="sr" aria-live="polite">${store.said}</p>
  </div>`;
}

function whatOf(row, store) {
  const {name, rest} = row.frame ? arrowText(row, store) : noteText(row, store);
  return html`<b>${name}</b> ${rest} ${row.again ? html`<span class="badge">${AGAIN[row.again]}</span>` : ""} ${row.lost ? html`<span class="badge drop">lost</span>` : ""}`;
}
