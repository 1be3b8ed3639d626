/**
 * S3, the TCB: the spaces of RFC 9293 figures 3 and 4 as bars, timers, and the variables.
 *
 * All is as it was at the chosen row. A value that this row changed is marked, with the old one.
 */

import {firstPlace, seqDiff} from "./model.js";
import {clockOf, momentOf, numberShown, spanShown, useTicks} from "./moment.js";
import {html} from "./vendor/preact-htm.js";

const INFINITE = 2 ** 30; // ssthresh before the first loss
const LEFT = 44, RIGHT = 376, LEAST = 7; // the span of the window in a bar, and of a piece, in its units
const TIMER_NAMES = ["retransmission", "probe", "reordering", "persist", "silly window", "delayed ACK", "keep-alive", "FIN-WAIT-2", "TIME-WAIT"];

/** The names that RFCs have for variables: 9293, 5681, 6298, 7323, 6675, 8985. */
const RFC_NAMES = {
  snd_una: "SND.UNA", snd_nxt: "SND.NXT", snd_wnd: "SND.WND", snd_up: "SND.UP", snd_wl1: "SND.WL1", snd_wl2: "SND.WL2", iss: "ISS",
  rcv_nxt: "RCV.NXT", rcv_wnd: "RCV.WND", rcv_up: "RCV.UP", irs: "IRS", max_snd_wnd: "Max(SND.WND)", "congestion.cwnd": "cwnd",
  "congestion.ssthresh": "ssthresh", "congestion.mss": "SMSS", "rtt.srtt_s": "SRTT", "rtt.rttvar_s": "RTTVAR", "rtt.rto_s": "RTO",
  "timestamps.recent": "TS.Recent", snd_shift: "Snd.Wind.Shift", rcv_shift: "Rcv.Wind.Shift", "scoreboard.high_rxt": "HighRxt",
  recover: "RecoveryPoint", "rack.reo_wnd": "RACK.reo_wnd", "rack.reordering_seen": "RACK.reordering_seen", tlp_end: "TLP.end_seq",
  tlp_is_retrans: "TLP.is_retrans", send_mss: "SendMSS", rcv_mss: "RMSS", duplicate_acks: "duplicate ACKs",
};
const OF_SEND = new Set(["snd_una", "snd_nxt", "snd_up", "snd_wl2", "snd_sml", "recover", "rtx_nxt", "rtx_end", "rtt_seq", "fin_seq", "tlp_end",
  "scoreboard.high_rxt", "iss"]);
/** What is 0 at first, and told only when it changes. */
const TOLD_FROM_0 = new Set(["duplicate_acks", "receive_buffer.size", "receive_buffer.held", "snd_wnd", "rcv_wnd"]);
const OF_RECEIVE = new Set(["rcv_nxt", "rcv_up", "snd_wl1", "rcv_fin_seq", "irs"]);

/**
 * The pieces of the send space, in octets: what is in flight, what may be sent, and what the window
 * allows but cwnd does not.
 */
export function sendSpace(tcb) {
  const {snd_una: una, snd_nxt: nxt, snd_wnd: wnd = 0} = tcb, cwnd = tcb["congestion.cwnd"];
  if (una === undefined || nxt === undefined) return null;
  const flight = Math.max(0, seqDiff(nxt, una)), most = Math.min(wnd, cwnd ?? wnd);
  const may = Math.max(0, most - flight), held = Math.max(0, wnd - Math.max(most, flight));
  return {flight, may, held, beyond: Math.max(0, flight - wnd), waiting: Math.max(0, (tcb["send_buffer.size"] || 0) - flight)};
}

/** Where pieces of these sizes lie in a bar, so that none that is not empty is too small to be seen. @param {number[]} sizes */
export function piecesOf(sizes) {
  const total = sizes.reduce((sum, size) => sum + size, 0), room = RIGHT - LEFT;
  const small = sizes.map((size) => size > 0 && total > 0 && (size / total) * room < LEAST);
  const rest = sizes.reduce((sum, size, i) => sum + (small[i] ? 0 : size), 0);
  const left = room - LEAST * small.filter(Boolean).length;
  let x = LEFT;
  return sizes.map((size, i) => {
    const width = small[i] ? LEAST : rest ? (size / rest) * left : 0, piece = {x, width};
    x += width;
    return piece;
  });
}

/** The blocks that one end holds beyond the gap, by the last segment of it up to event `n`: [[left, right]]. */
export function heldBlocks(segments, dir, n, next) {
  for (let i = upToSegment(segments, n) - 1; i >= 0; i--) {
    const {sacks} = segments[i];
    if (segments[i].dir === dir) return sacks.filter(([left]) => seqDiff(left, next) > 0);
  }
  return [];
}

/** How many segments there are up to event `n`. */
export function upToSegment(segments, n) {
  return firstPlace(segments.length, (place) => segments[place].n <= n);
}

/** By which rule cwnd changes, in words. */
export function phaseOf(tcb) {
  const cwnd = tcb["congestion.cwnd"], ssthresh = tcb["congestion.ssthresh"];
  if (cwnd === undefined) return "";
  if (tcb["loss.after_timeout"] === true) return "loss recovery after a timeout";
  if (tcb["loss.after_timeout"] === false) return "fast recovery";
  return cwnd < ssthresh ? "slow start" : "congestion avoidance";
}

/** How much of a timer is left at `clock`. @returns {{left: number, part: number}|null} null if it does not run */
export function timerLeft(timer, clock) {
  if (!timer || timer.action !== "set" || !(timer.in_s >= 0)) return null;
  const left = Math.max(0, timer.in_s - Math.max(0, clock - timer.at) / 1000);
  return {left, part: timer.in_s ? left / timer.in_s : 0};
}

export function valueShown(name, value, store, conn) {
  if (value === undefined && TOLD_FROM_0.has(name)) return "0";
  if (value === undefined || value === null) return "–";
  if (OF_SEND.has(name)) return String(numberShown(store, value, conn.iss));
  if (OF_RECEIVE.has(name)) return String(numberShown(store, value, conn.irs));
  if (name.endsWith("_s")) return spanShown(value);
  if (name === "rack.reo_wnd") return spanShown(value);
  if (name === "congestion.ssthresh" && value >= INFINITE) return "not set";
  if (value === true || value === false) return value ? "yes" : "no";
  return String(value);
}

export function TcbPanel({store}) {
  const {group} = store, conn = store.connections.get(group), n = momentOf(store);
  const tcb = conn ? store.tcb(group, n) : {};
  if (!conn || tcb.snd_una === undefined) {
    return html`<section class="panel tcb" aria-labelledby="tcb-title"><h2 id="tcb-title">TCB</h2>
      <p class="quiet">${conn ? `${group} has no variables yet at this row.` : "No row up to this one belongs to a TCP connection."}</p></section>`;
  }
  const {row} = store, before = row ? store.tcb(group, row.n - 1) : tcb;
  const view = {store, conn, tcb, before, n};
  return html`<section class="panel tcb" aria-labelledby="tcb-title">
    <h2 id="tcb-title">TCB</h2>
    <p class="subject"><b>${group}</b> ${conn.local} – ${conn.remote}, as it was at this row${store.live ? " (the last)" : ""}</p>
    <h3>Send</h3>
    <${SendBar} ...${view} />
    <${Values} ...${view} names=${["snd_una", "snd_nxt", "snd_wnd", "congestion.cwnd", "congestion.ssthresh", "duplicate_acks"]} more=${phaseOf(tcb)} />
    <h3>Receive</h3>
    <${ReceiveBar} ...${view} />
    <${Values} ...${view} names=${["rcv_nxt", "rcv_wnd", "receive_buffer.size", "receive_buffer.held"]} />
    <h3>Time</h3>
    <${Values} ...${view} names=${["rtt.srtt_s", "rtt.rttvar_s", "rtt.rto_s"]} />
    <${Timers} store=${store} group=${group} n=${n} />
    <${KernelEnd} store=${store} group=${group} />
    <${AllVariables} ...${view} />
  </section>`;
}

/** A bar: pieces with their numbers in the RFC's figure, edges with names, blocks upon it. */
function Bar({label, pieces, edges, blocks}) {
  return html`<svg class="space" viewBox="0 0 420 62" role="img" aria-label=${label}>
    <defs>
      <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch" width="3" height="6" /></pattern>
      <pattern id="dots" width="6" height="6" patternUnits="userSpaceOnUse"><circle class="dots" cx="3" cy="3" r="1.3" /></pattern>
    </defs>
    ${pieces.map(({kind, x, width, mark}) => width > 0 && html`<g key=${kind} class=${`piece ${kind}`}>
      <rect x=${x} y="20" width=${width} height="22" />
      ${kind === "flight" && html`<rect class="over" x=${x} y="20" width=${width} height="22" fill="url(#hatch)" />`}
      ${kind === "may" && html`<rect class="over" x=${x} y="20" width=${width} height="22" fill="url(#dots)" />`}
      ${width > 14 && html`<text class="mark-number" x=${x + width / 2} y="35" text-anchor="middle">${mark}</text>`}
    </g>`)}
    ${blocks.map(([left, right], i) => html`<rect key=${i} class="block" x=${left} y="16" width=${Math.max(3, right - left)} height="5" />`)}
    ${edges.map(({x, name, above, textX, anchor}) => html`<g key=${name} class="edge"><path d=${`M${x} ${above ? 12 : 18} V${above ? 44 : 50}`} />
      <text x=${textX ?? x} y=${above ? 9 : 60} text-anchor=${anchor || "middle"}>${name}</text></g>`)}
  </svg>`;
}

/** Where a sequence number lies in a bar whose pieces follow each other from LEFT. */
function placeIn(offset, sizes, pieces) {
  for (let i = 0; i < sizes.length; i++) {
    if (offset <= sizes[i] && sizes[i] > 0) return pieces[i].x + (Math.max(0, offset) / sizes[i]) * pieces[i].width;
    offset -= sizes[i];
  }
  return RIGHT;
}

function SendBar({store, conn, tcb, n}) {
  const {flight, may, held, beyond, waiting} = sendSpace(tcb), sizes = [flight, may, held];
  const [a, b, c] = piecesOf(sizes);
  const blocks = heldBlocks(conn.segments, "in", n, tcb.snd_una)
    .map((block) => block.map((edge) => placeIn(seqDiff(edge, tcb.snd_una), sizes, [a, b, c])));
  const pieces = [{kind: "past", x: 0, width: LEFT, mark: "1"}, {kind: "flight", ...a, mark: "2"}, {kind: "may", ...b, mark: "3"},
    {kind: "held", ...c, mark: "3"}, {kind: "later", x: RIGHT, width: 420 - RIGHT, mark: "4"}];
  const edges = [{x: LEFT, name: "SND.UNA", above: true}, {x: b.x, name: "SND.NXT", above: false, textX: Math.min(b.x, 270)},
    {x: RIGHT, name: "SND.UNA+SND.WND", above: false, textX: 418, anchor: "end"}];
  if (held > 0) edges.push({x: c.x, name: "SND.UNA+cwnd", above: true, textX: Math.max(c.x, 120)});
  const words = [["past", "1", "acknowledged", ""], ["flight", "2", "in flight", flight], ["may", "3", "may be sent", may],
    ...(held ? [["held", "3", "in the window, beyond cwnd", held]] : []), ["later", "4", "not yet allowed", ""]];
  const notes = [waiting > 0 && `${waiting} octets wait in the send buffer`, beyond > 0 && `${beyond} octets in flight are beyond the window`,
    blocks.length > 0 && `above the bar: ${blocks.length} SACK block${blocks.length > 1 ? "s" : ""}`].filter(Boolean);
  return html`<${Bar} label=${`send space: ${words.map(([, , word, size]) => `${word} ${size}`).join(", ")}`} pieces=${pieces} edges=${edges} blocks=${blocks} />
    <${BarWords} words=${words} notes=${notes} />`;
}

function ReceiveBar({store, conn, tcb, n}) {
  const window = tcb.rcv_wnd || 0, sizes = [window], [a] = piecesOf(sizes), next = tcb.rcv_nxt ?? 0;
  const known = heldBlocks(conn.segments, "out", n, next);
  const blocks = known.map((block) => block.map((edge) => placeIn(seqDiff(edge, next), sizes, [a])));
  const pieces = [{kind: "past", x: 0, width: LEFT, mark: "1"}, {kind: "may", ...a, mark: "2"},
    {kind: "later", x: RIGHT, width: 420 - RIGHT, mark: "3"}];
  const end = window ? {x: RIGHT, textX: 418, anchor: "end"} : {x: LEFT, textX: LEFT, anchor: "start"};
  const edges = [{x: LEFT, name: "RCV.NXT", above: true}, {...end, name: "RCV.NXT+RCV.WND", above: false}];
  if (!window) pieces[2] = {kind: "later", x: LEFT, width: 420 - LEFT, mark: "3"};
  const words = [["past", "1", "received", ""], ["may", "2", "window", window], ["later", "3", "beyond the window", ""]];
  const notes = [...known.map(([left, right]) => `held: ${numberShown(store, left, conn.irs)}–${numberShown(store, right, conn.irs)}`),
    !window && "the window is closed"].filter(Boolean);
  return html`<${Bar} label=${`receive space: window ${window}${notes.length ? `, ${notes.join(", ")}` : ""}`} pieces=${pieces} edges=${edges} blocks=${blocks} />
    <${BarWords} words=${words} notes=${notes} />`;
}

function BarWords({words, notes}) {
  return html`<ul class="barwords">${words.map(([kind, mark, word, size]) => html`<li key=${kind}><span class=${`key ${kind}`}>${mark}</span>
    ${word}${size !== "" && html` <b class="number">${size}</b>`}</li>`)}${notes.map((note) => html`<li key=${note} class="quiet">${note}</li>`)}</ul>`;
}

/** Some variables, each marked if this row changed it. */
function Values({store, conn, tcb, before, names, more}) {
  return html`<dl class="values">
    ${names.map((name) => html`<${Value} key=${name} name=${name} store=${store} conn=${conn} value=${tcb[name]} old=${before[name]} />`)}
    ${more && html`<div><dt>phase</dt><dd>${more}</dd></div>`}
  </dl>`;
}

function Value({name, store, conn, value, old}) {
  const shown = valueShown(name, value, store, conn), was = valueShown(name, old, store, conn), changed = shown !== was;
  return html`<div class=${changed ? "changed" : ""}><dt>${nameOf(name)}</dt>
    <dd class="number">${changed && html`<span aria-hidden="true">${value > old ? "▲ " : value < old ? "▼ " : "◆ "}</span>`}${shown}
      ${changed && html` <small>was ${was}</small>`}</dd></div>`;
}

const PLAIN_NAMES = {"receive_buffer.size": "not read yet", "receive_buffer.held": "held beyond a gap"};
const nameOf = (name) => RFC_NAMES[name] || PLAIN_NAMES[name] || name.replaceAll("_", " ");

function Timers({store, group, n}) {
  const timers = store.timers(group, n), running = Object.values(timers).some((timer) => timer.action === "set");
  useTicks(running && store.live && store.online && !store.ended, 66);
  const clock = clockOf(store);
  return html`<ul class="timers" aria-label="timers">${TIMER_NAMES.map((name) => {
    const found = timerLeft(timers[name], clock);
    return html`<li key=${name} class=${found ? "runs" : ""}><span>${name}</span>
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="all" width="100" height="10" />
        ${found && html`<rect class="left" width=${100 * found.part} height="10" />`}</svg>
      <span class="number">${found ? `${spanShown(found.left)} of ${spanShown(timers[name].in_s)}` : "–"}</span></li>`;
  })}</ul>`;
}

/** What the kernel says of its end, if it is asked. */
function KernelEnd({store, group}) {
  const end = store.slow.kernel?.[group];
  if (!end || typeof end !== "object") return null;
  return html`<h3>The ${store.peerName}'s end, as it says now</h3>
    <dl class="values">${Object.entries(end).map(([name, value]) => html`<div key=${name}><dt>${name.replaceAll("_", " ")}</dt><dd class="number">${String(value)}</dd></div>`)}</dl>`;
}

function AllVariables({store, conn, tcb, before}) {
  const names = Object.keys(tcb).sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  return html`<details><summary>All ${names.length} variables</summary>
    <table class="variables"><thead><tr><th scope="col">name in the RFC</th><th scope="col">in our code</th><th scope="col">value</th></tr></thead>
    <tbody>${names.map((name) => {
      const shown = valueShown(name, tcb[name], store, conn), changed = shown !== valueShown(name, before[name], store, conn);
      return html`<tr key=${name} class=${changed ? "changed" : ""}><th scope="row">${RFC_NAMES[name] || "–"}</th><td><code>${name}</code></td>
        <td class="number">${changed ? "◆ " : ""}${shown}</td></tr>`;
    })}</tbody></table></details>`;
}
