/**
 * S2, the states: RFC 9293 figure 5, with the state at the chosen row and the transitions taken.
 *
 * `TRANSITIONS` is the program's own table, `LEGAL` in stack/tcp/states.py; a test compares them.
 */

import {STATE_LETTERS, stateName} from "./model.js";
import {clockOf, momentOf, rowOfEvent, secondsOf, secondsShown, spanShown, useTicks} from "./moment.js";
import {html, useState} from "./vendor/preact-htm.js";

const END = "RCV_RST>CLOSED ABORT>CLOSED USER_TIMEOUT>CLOSED";
const TABLE = `
CLOSED: PASSIVE_OPEN>LISTEN ACTIVE_OPEN>SYN_SENT
LISTEN: ACTIVE_OPEN>SYN_SENT RCV_SYN>SYN_RECEIVED CLOSE>CLOSED ABORT>CLOSED
SYN_SENT: RCV_SYN>SYN_RECEIVED RCV_SYN_ACK>ESTABLISHED CLOSE>CLOSED HARD_ERROR>CLOSED ${END}
SYN_RECEIVED: RCV_ACK_OF_SYN>ESTABLISHED RCV_RST>LISTEN|CLOSED RCV_SYN>LISTEN CLOSE>FIN_WAIT_1 HARD_ERROR>CLOSED ABORT>CLOSED USER_TIMEOUT>CLOSED
ESTABLISHED: CLOSE>FIN_WAIT_1 RCV_FIN>CLOSE_WAIT ${END}
FIN_WAIT_1: RCV_ACK_OF_FIN>FIN_WAIT_2 RCV_FIN>CLOSING ${END}
FIN_WAIT_2: RCV_FIN>TIME_WAIT ${END}
CLOSE_WAIT: SND_FIN>LAST_ACK ${END}
CLOSING: RCV_ACK_OF_FIN>TIME_WAIT ${END}
LAST_ACK: RCV_ACK_OF_FIN>CLOSED ${END}
TIME_WAIT: TIME_WAIT_TIMEOUT>CLOSED RCV_SYN>CLOSED RCV_RST>CLOSED ABORT>CLOSED
`;

/** @type {Map<string, {event: string, after: string[]}[]>} by the state before */
export const TRANSITIONS = new Map(TABLE.trim().split("\n").map((line) => {
  const [before, ways] = line.split(": ");
  return [before, ways.split(" ").map((way) => ({event: way.split(">")[0], after: way.split(">")[1].split("|")}))];
}));

/** What happens, in a few words. `sudden` ends are drawn only if they were taken, as in the RFC. */
const EVENT_WORDS = {
  PASSIVE_OPEN: "passive OPEN", ACTIVE_OPEN: "active OPEN", CLOSE: "CLOSE", ABORT: "ABORT", RCV_SYN: "SYN", RCV_SYN_ACK: "SYN,ACK",
  RCV_ACK_OF_SYN: "ACK of SYN", SND_FIN: "CLOSE, FIN sent", RCV_FIN: "FIN", RCV_ACK_OF_FIN: "ACK of FIN", RCV_RST: "RST",
  HARD_ERROR: "hard error", USER_TIMEOUT: "user timeout", TIME_WAIT_TIMEOUT: "2 MSL are over",
};
const SUDDEN = new Set(["ABORT", "USER_TIMEOUT", "RCV_RST", "HARD_ERROR"]);

const W = 104, H = 30;
const PLACES = {
  CLOSED: [230, 22], LISTEN: [230, 92], SYN_RECEIVED: [78, 158], SYN_SENT: [372, 158], ESTABLISHED: [230, 224], FIN_WAIT_1: [78, 290],
  CLOSE_WAIT: [372, 290], CLOSING: [230, 346], FIN_WAIT_2: [78, 366], LAST_ACK: [372, 366], TIME_WAIT: [230, 424],
};

/** How far from the middle the count of visits stands, where an arrow is in the way. */
const ASIDE = {CLOSING: 15, CLOSE_WAIT: 15, FIN_WAIT_2: -15};

/** The arrows of the figure: from, to, the path, the words on it, where they stand, and how they are anchored. */
const ARROWS = [
  ["CLOSED", "LISTEN", "M216 37 V77", "passive OPEN", 210, 60, "end"],
  ["LISTEN", "CLOSED", "M244 77 V37", "CLOSE", 249, 66, "start"],
  ["CLOSED", "SYN_SENT", "M282 22 C350 26 384 70 384 143", "active OPEN", 366, 60, "start"],
  ["SYN_SENT", "CLOSED", "M352 143 C340 90 318 46 282 30", "CLOSE", 339, 113, "start"],
  ["LISTEN", "SYN_RECEIVED", "M182 107 L106 143", "SYN", 152, 118, "end"],
  ["SYN_RECEIVED", "LISTEN", "M124 143 L200 107", "RST", 176, 134, "middle"],
  ["LISTEN", "SYN_SENT", "M272 107 L338 143", "SEND", 296, 136, "middle"],
  ["SYN_SENT", "SYN_RECEIVED", "M320 162 H130", "SYN", 226, 157, "middle"],
  ["SYN_RECEIVED", "ESTABLISHED", "M106 173 L186 209", "ACK of SYN", 152, 187, "start"],
  ["SYN_SENT", "ESTABLISHED", "M344 173 L274 209", "SYN,ACK", 330, 196, "start"],
  ["SYN_RECEIVED", "FIN_WAIT_1", "M56 173 V275", "CLOSE", 61, 240, "start"],
  ["ESTABLISHED", "FIN_WAIT_1", "M186 239 L106 275", "CLOSE", 134, 254, "end"],
  ["ESTABLISHED", "CLOSE_WAIT", "M274 239 L344 275", "FIN", 318, 254, "start"],
  ["FIN_WAIT_1", "FIN_WAIT_2", "M64 305 V351", "ACK of FIN", 70, 342, "start"],
  ["FIN_WAIT_1", "CLOSING", "M130 300 L178 334", "FIN", 162, 313, "start"],
  ["CLOSE_WAIT", "LAST_ACK", "M372 305 V351", "CLOSE", 366, 333, "end"],
  ["FIN_WAIT_2", "TIME_WAIT", "M100 381 L180 416", "FIN", 128, 405, "end"],
  ["CLOSING", "TIME_WAIT", "M230 361 V409", "ACK of FIN", 236, 390, "start"],
  ["LAST_ACK", "CLOSED", "M424 366 H438 V16 H282", "ACK of FIN", 433, 250, "end"],
  ["TIME_WAIT", "CLOSED", "M282 424 H452 V8 H282", "2 MSL", 360, 419, "middle"],
];

/** The path of a sudden end, from the side of a box to the side of CLOSED. @param {string} state */
export function suddenPath(state) {
  const [x, y] = PLACES[state];
  if (x < 200) return `M${x - W / 2} ${y} H8 V16 H178`;
  if (x > 300) return `M${x + W / 2} ${y - 6} H445 V12 H282`;
  return `M${x + W / 2} ${y} C${x + W / 2 + 44} ${y - 30} ${x + W / 2 + 44} 60 282 26`;
}

/** The arrows to draw: those of the figure, and each sudden end that was taken. @param {object[]} taken */
export function arrowsFor(taken) {
  const counts = new Map();
  for (const each of taken) {
    const key = `${each.before} ${each.after}`;
    counts.set(key, [...(counts.get(key) || []), each]);
  }
  const last = taken.length ? `${taken.at(-1).before} ${taken.at(-1).after}` : "";
  const drawn = ARROWS.map(([from, to, path, words, x, y, anchor]) => ({from, to, path, words, x, y, anchor, sudden: false}));
  for (const [key, ways] of counts) {
    const [from, to] = key.split(" "), found = drawn.find((arrow) => arrow.from === from && arrow.to === to);
    if (!found && PLACES[from] && to === "CLOSED") drawn.push({from, to, path: suddenPath(from), words: "", x: 0, y: 0, anchor: "start", sudden: true});
    else if (found && SUDDEN.has(ways.at(-1).event)) found.words = EVENT_WORDS[ways.at(-1).event];
  }
  return drawn.map((arrow) => {
    const key = `${arrow.from} ${arrow.to}`;
    return {...arrow, key, taken: counts.get(key) || [], last: key === last};
  });
}

/** The transitions of a connection up to event `n`, and the state after them. */
export function historyAt(conn, n) {
  const taken = conn.states.filter((each) => each.n <= n);
  const state = taken.length ? taken.at(-1).after : conn.states[0]?.before || conn.state;
  const visits = {};
  for (const {after} of taken) visits[after] = (visits[after] || 0) + 1;
  return {taken, state, visits};
}

/** Where one can go from a state: "CLOSE → FIN-WAIT-1". @param {string} state */
export function waysFrom(state) {
  return (TRANSITIONS.get(state) || []).map(({event, after}) => `${EVENT_WORDS[event]} → ${after.map(stateName).join(" or ")}`);
}

const happened = ({before, event, after}) => `${stateName(before)} → ${stateName(after)}: ${EVENT_WORDS[event] || event}`;

export function StatesPanel({store}) {
  const {group} = store, conn = store.connections.get(group);
  const [open, setOpen] = useState("");
  if (!conn) {
    return html`<section class="panel states" aria-labelledby="states-title"><h2 id="states-title">States</h2>
      <p class="quiet">No row up to this one belongs to a TCP connection.</p></section>`;
  }
  const history = historyAt(conn, momentOf(store)), arrows = arrowsFor(history.taken);
  const shown = arrows.find((arrow) => arrow.key === open && arrow.taken.length);
  return html`<section class="panel states" aria-labelledby="states-title">
    <h2 id="states-title">States</h2>
    <p class="subject"><b>${group}</b> ${conn.local} – ${conn.remote}, ${conn.passive ? "passive" : "active"} open</p>
    <${Here} store=${store} history=${history} />
    <${Diagram} arrows=${arrows} history=${history} open=${open} toggle=${(key) => setOpen(open === key ? "" : key)} />
    ${shown && html`<${Taken} store=${store} arrow=${shown} close=${() => setOpen("")} />`}
    <${OtherEnd} store=${store} group=${group} />
    <details><summary>The transitions so far, in words (${history.taken.length})</summary>
      <ol class="plainlist">${history.taken.map((each) => html`<li key=${each.n}><${ToRow} store=${store} n=${each.n} /> ${happened(each)}</li>`)}</ol>
    </details>
  </section>`;
}

/** Which state it is, for how long, and where it can go. */
function Here({store, history}) {
  const {taken, state} = history, live = store.live && store.online && !store.ended;
  useTicks(live, 250);
  const since = taken.length ? store.events.get(taken.at(-1).n)?.at : undefined;
  const span = since === undefined ? null : Math.max(0, clockOf(store) - since) / 1000;
  return html`<p class="here"><b>● ${stateName(state)}</b>${span !== null && html` for ${spanShown(span)}`}; can go:${" "}
    ${waysFrom(state).join(", ")}.</p>`;
}

function Diagram({arrows, history, open, toggle}) {
  const ordered = [...arrows].sort((a, b) => a.taken.length - b.taken.length || a.last - b.last);
  return html`<svg class="diagram" viewBox="0 0 460 446" role="group" aria-label="state diagram; the arrows that were taken are buttons">
    ${ordered.map((arrow) => html`<${Arrow} key=${arrow.key} arrow=${arrow} open=${open === arrow.key} toggle=${toggle} />`)}
    ${Object.entries(PLACES).map(([state, [x, y]]) => html`<${Box} key=${state} state=${state} x=${x} y=${y}
      current=${state === history.state} visits=${history.visits[state] || 0} />`)}
  </svg>`;
}

function Box({state, x, y, current, visits}) {
  return html`<g class=${`box${current ? " current" : ""}${visits ? " visited" : ""}`} aria-hidden="true">
    <rect x=${x - W / 2} y=${y - H / 2} width=${W} height=${H} rx="5" />
    <text x=${x} y=${y + 4} text-anchor="middle">${current ? "● " : ""}${stateName(state)}</text>
    ${visits > 0 && html`<text class="visits" x=${x + (ASIDE[state] || 0)} y=${y + H / 2 + 11} text-anchor="middle">×${visits}</text>`}
  </g>`;
}

function Arrow({arrow, open, toggle}) {
  const {key, from, to, path, words, x, y, anchor, taken, last, sudden} = arrow, count = taken.length;
  const kind = `way${count ? " taken" : ""}${last ? " last" : ""}${sudden ? " sudden" : ""}${open ? " open" : ""}`;
  const numbers = path.match(/[\d.]+|[A-Z]/g), head = headOf(numbers);
  const said = `${stateName(from)} to ${stateName(to)}, taken ${count === 1 ? "once" : `${count} times`}${last ? ", the last" : ""}`;
  const press = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    toggle(key);
  };
  const button = count ? {role: "button", tabindex: 0, "aria-label": said, "aria-expanded": open ? "true" : "false",
    onClick: () => toggle(key), onKeyDown: press} : {"aria-hidden": "true"};
  return html`<g class=${kind} ...${button}>
    ${count > 0 && html`<path class="touch" d=${path} />`}
    <path class="line" d=${path} />
    <path class="tip" d="M0 0 L-8 -4 V4 Z" transform=${`translate(${head.x} ${head.y}) rotate(${head.angle})`} />
    ${words && html`<text x=${x} y=${y} text-anchor=${anchor}>${words}${count > 1 ? ` ×${count}` : ""}</text>`}
  </g>`;
}

/** Where a path of absolute M, L, H, V and C ends, and in which direction. @param {string[]} parts */
export function headOf(parts) {
  let before = [0, 0], at = [0, 0], command = "", numbers = [];
  const go = (x, y) => {
    before = at;
    at = [x, y];
  };
  for (const part of parts) {
    if (/[A-Z]/.test(part)) {
      command = part;
      numbers = [];
      continue;
    }
    numbers.push(Number(part));
    if (command === "H") go(numbers.pop(), at[1]);
    else if (command === "V") go(at[0], numbers.pop());
    else if (numbers.length === 2) go(...numbers.splice(0));
  }
  return {x: at[0], y: at[1], angle: Math.round((Math.atan2(at[1] - before[1], at[0] - before[0]) * 180) / Math.PI)};
}

/** When an arrow was taken: each time chooses its row. */
function Taken({store, arrow, close}) {
  return html`<div class="taken-at" role="group" aria-label=${`${stateName(arrow.from)} to ${stateName(arrow.to)}`}>
    <b>${stateName(arrow.from)} → ${stateName(arrow.to)}</b>
    <ol class="plainlist">${arrow.taken.map((each) => html`<li key=${each.n}><${ToRow} store=${store} n=${each.n} />
      ${EVENT_WORDS[each.event] || each.event}</li>`)}</ol>
    <button type="button" onClick=${close}>Close the list</button>
  </div>`;
}

/** A button with a time that chooses the row of event `n`. */
export function ToRow({store, n}) {
  const row = rowOfEvent(store, n);
  return html`<button type="button" class="plain to-row number" disabled=${!row} onClick=${() => row && store.select(row.i)}>${secondsShown(secondsOf(store, n))}</button>`;
}

/** The state of the other end, small. */
function OtherEnd({store, group}) {
  const {row} = store, at = row && row.group === group ? row : row && store.maker.before(row, (other) => other.group === group);
  const state = at?.states.peer || "", from = at?.states.inferred === false ? `as the ${store.peerName} says` : "inferred from the segments";
  return html`<div class="other-end">
    <svg viewBox="0 0 460 446" role="img" aria-label=${`the other end is in ${stateName(state) || "no known state"}, ${from}`}>
      ${ARROWS.map(([a, b, path]) => html`<path class="line" key=${a + b} d=${path} />`)}
      ${Object.entries(PLACES).map(([each, [x, y]]) => html`<g key=${each} class=${`box${each === state ? " current" : ""}`}>
        <rect x=${x - W / 2} y=${y - H / 2} width=${W} height=${H} rx="5" />
        <text x=${x} y=${y + 8} text-anchor="middle">${STATE_LETTERS[each]}</text></g>`)}
    </svg>
    <p>The other end (${store.peerName}):<br /><b>${state ? `● ${stateName(state)}` : "not known"}</b><br /><span class="quiet">${from}</span></p>
  </div>`;
}
