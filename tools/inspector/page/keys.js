/** The keys, and the dialog that lists them. */

import {html, useEffect, useRef} from "./vendor/preact-htm.js";

const KEYS = [
  ["Up, Down", "the row before, the next row"],
  ["Left, Right or Space", "step back, step forth"],
  ["J, K", "the next row, the row before of the same connection"],
  ["Home, End", "the first row, the last row"],
  ["Page Up, Page Down", "ten rows"],
  ["P", "pause, or go live again"],
  ["F", "follow the connection of this row, or show all"],
  ["Enter", "the bits of this row"],
  ["W", "why: the decisions of this row"],
  ["G", "the graph of the connection at this row"],
  ["1 to 6", "the panels: States, TCB, Graph, Why, Bits, Host"],
  ["B", "break it: the wire and the settings"],
  ["/", "filter the rows"],
  ["#", "relative or absolute sequence numbers"],
  ["T", "time since the first row, or since the row before"],
  ["?", "this help"],
  ["Esc", "close, clear the filter, or back to the ladder"],
];

/** What is drawn: the class of a line, and what it means. */
const LINES = [["data", "data"], ["ack", "an ACK alone"], ["syn", "SYN"], ["fin", "FIN"], ["rst", "RST"], ["other", "another protocol than TCP"],
  ["data again", "sent again: R after a timeout, F by fast retransmit, T as a tail probe, P as a probe of the window or the peer, A otherwise"],
  ["data lost", "lost on the wire"]];

const PANELS = ["states", "tcb", "graph", "why", "bits", "host"];

/** Answer keys, wherever the focus is, except while one types. @returns {() => void} to stop */
export function listenToKeys(store, page) {
  const listen = (event) => answerKey(event, store, page);
  document.addEventListener("keydown", listen);
  return () => document.removeEventListener("keydown", listen);
}

function answerKey(event, store, page) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const {target, key} = event;
  if (key === "Escape") return escape(target, store, page);
  if (target.closest?.("dialog")) return;
  if (target.matches?.("input:not([type=range]):not([type=checkbox]), select, textarea")) return;
  const inLadder = !target.closest?.("button, a, input, summary, [role=tab], .panels, .drawer");
  const act = movement(key, store, inLadder) || command(key, store, page, inLadder);
  if (!act) return;
  event.preventDefault();
  act();
}

function movement(key, store, inLadder) {
  if (key === "j" || key === "J") return () => store.stepSame(1);
  if (key === "k" || key === "K") return () => store.stepSame(-1);
  if (!inLadder) return null;
  const by = {ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1, " ": 1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity}[key];
  return by ? () => store.step(by) : null;
}

function command(key, store, page, inLadder) {
  if (key >= "1" && key <= "6") return () => page.open(PANELS[key - 1]);
  if (key === "Enter") return inLadder ? () => page.open("bits") : null;
  return {
    p: () => store.pause(),
    f: () => store.setFollow(store.follow ? "" : store.group),
    w: () => page.open("why"),
    g: () => page.open("graph"),
    b: () => page.drawer(),
    t: () => store.toggleTime(),
    "#": () => store.toggleNumbers(),
    "?": () => page.help(true),
    "/": () => document.getElementById("filter")?.select(),
  }[key.toLowerCase()];
}

function escape(target, store, page) {
  page.help(false);
  if (target.id === "filter" && store.filter) return store.setFilter("");
  return document.querySelector(".ladder [role=row][tabindex='0']")?.focus();
}

export function Help({close}) {
  const ref = useRef(null);
  useEffect(() => ref.current.showModal(), []);
  return html`<dialog ref=${ref} class="help" aria-labelledby="help-title" onClose=${close}>
    <h2 id="help-title">Keys</h2>
    <dl>${KEYS.map(([key, what]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>
    <h3>Lines</h3>
    <dl>${LINES.map(([kind, what]) => html`<div key=${kind}><dt><span class=${`arrow in ${kind}`} aria-hidden="true"><i class="line"></i>
      ${kind === "data lost" ? html`<i class="cross">✕</i><i class="gone"></i>` : html`<i class="tip"></i>`}</span></dt><dd>${what}</dd></div>`)}</dl>
    <p class="quiet">The bands beside the wire are the states of both ends, each with its own pattern. The letter and the name stand where a
      state changes. A state with a question mark is inferred from the segments.</p>
    <p class="quiet">Click a row to stop there. The filter takes words: <code>syn</code>, <code>c3</code>, <code>lost</code>,${" "}
      <code>drop</code>, <code>-ack</code> for rows without it.</p>
    <button type="button" onClick=${() => ref.current.close()}>Close</button>
  </dialog>`;
}
