/** The bar above the ladder, and the line below it. */

import {useStore} from "./store.js";
import {html} from "./vendor/preact-htm.js";

export function Bar({store, drawer, setDrawer, setHelp}) {
  useStore(store);
  return html`<header class="bar">
    <h1 class="brand">tapstack${store.hello?.host && store.hello.host !== "host" && html` <span class="host">${store.hello.host}</span>`}</h1>
    <${Light} store=${store} />
    <div class="group" role="group" aria-label="pace">
      ${!store.report && html`<button type="button" aria-pressed=${store.live ? "false" : "true"} onClick=${() => store.pause()}>
        ${store.live ? "Pause" : "Go live"}</button>`}
      <button type="button" aria-label="step back" title="Left" onClick=${() => store.step(-1)}>‹</button>
      <button type="button" aria-label="step forth" title="Right or Space" onClick=${() => store.step(1)}>›</button>
    </div>
    <${Chooser} store=${store} />
    <label class="find"><span class="sr">filter</span>
      <input id="filter" type="search" placeholder="filter  /" value=${store.filter} spellcheck=${false} autocomplete="off"
        onInput=${(event) => store.setFilter(event.target.value)} /></label>
    <div class="group end" role="group" aria-label="tools">
      ${!store.report && html`
        <button type="button" class="break" aria-expanded=${drawer ? "true" : "false"} aria-controls="drawer"
          onClick=${() => setDrawer(!drawer)}>Break it</button>
        <a class="button" href="report.html" download>Report</a>
        <a class="button" href="capture.pcapng" download>Capture</a>`}
      <button type="button" aria-label="help: the keys" title="?" onClick=${() => setHelp(true)}>?</button>
    </div>
  </header>`;
}

function Light({store}) {
  const state = store.report ? "report" : store.ended ? "ended" : !store.online ? "offline" : store.live ? "live" : "paused";
  return html`<p class=${`light ${state}`}><span class="dot" aria-hidden="true"></span> ${state}
    <span class="quiet number"> ${store.count.toLocaleString("en")} events</span></p>`;
}

/** Follow one connection, or show all. */
function Chooser({store}) {
  const all = [...store.connections.values()].slice(-200);
  return html`<label class="chooser"><span class="sr">connection</span>
    <select value=${store.follow} onChange=${(event) => store.setFollow(event.target.value)}>
      <option value="">all connections</option>
      ${all.map((conn) => html`<option key=${conn.group} value=${conn.group}>${conn.group}  ${conn.local} – ${conn.remote}</option>`)}
    </select></label>`;
}

/** What a report says of its log: warnings first. */
export function Notes({store}) {
  useStore(store);
  const notes = store.hello?.notes;
  return Array.isArray(notes) && notes.length > 0 && html`<div class="notes" role="note">
    ${notes.map((note) => html`<p key=${note} class=${note.startsWith("Warning: b") ? "broken" : note.startsWith("Warning: ") ? "warning" : "quiet"}>${note}</p>`)}</div>`;
}

export function Foot({store}) {
  useStore(store);
  const missed = store.lostCount ? `${store.lostCount.toLocaleString("en")} events were missed` : "no event was missed";
  return html`<footer class="foot">
    <span>${store.visible.length.toLocaleString("en")} rows${store.filter || store.follow ? " shown" : ""}</span>
    <span>${missed}</span>
    ${!store.report && html`<span>the host is watched: its fast paths are off</span>`}
    <span class="end">numbers ${store.absolute ? "absolute" : "relative"} <kbd>#</kbd></span>
    <span>keys <kbd>?</kbd></span>
  </footer>`;
}
