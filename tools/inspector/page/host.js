/**
 * The panel "Host": interfaces, ARP, routes, reassembly, listeners, leases, and the counters that moved.
 *
 * `store.slow.host` has the tables as tools/inspector/host_view.py makes them. Times in it are in
 * seconds on the host's clock.
 */

import {html, useEffect, useRef, useState} from "./vendor/preact-htm.js";

const MOST_DHCP = 30;
const MOVED_MS = 3000; // so long a counter is said to have moved
const PROTOCOL_NUMBERS = {1: "ICMP", 6: "TCP", 17: "UDP"};

export function HostPanel({store}) {
  const told = store.slow.host;
  const now = useHostClock(store);
  return html`<section class="panel host-panel" aria-labelledby="host-title">
    <h2 id="host-title">Host</h2>
    ${!told ? html`<p class="quiet">${store.report ? "A report has no tables of the host." : "The tables of the host come in a second."}</p>` : html`
      <${HostTable} title="Interfaces" table=${told.interfaces} heads=${["name", "station", "addresses", "MTU"]}
        row=${(each) => [each.name, each.mac || "none", [...each.addresses, ...each.tentative.map((address) => `${address} (being probed)`)].join(", "), each.mtu]} />
      <${HostTable} title="ARP" table=${told.arp} heads=${["address", "station", "state", "confirmed", "waiting"]}
        row=${(each) => [each.address, each.mac || "not known", each.state, each.confirmed_at === null ? "" : `${duration(now - each.confirmed_at)} ago`, each.waiting || ""]} />
      <${HostTable} title="Routes" table=${told.routes} heads=${["destination", "gateway", "interface", ""]}
        row=${(each) => [each.destination, each.gateway || "on the link", each.interface, [each.redirected && "by a redirect", !each.alive && "gateway is dead"].filter(Boolean).join(", ")]} />
      <${HostTable} title="Listeners" table=${told.listeners} heads=${["protocol", "local", "state", "unread"]}
        row=${(each) => [each.protocol, each.local, each.remote ? `${each.state}, to ${each.remote}` : each.state, each.unread || ""]} />
      <${HostTable} title="Reassembly" table=${told.reassembly} none="No datagram waits for fragments." heads=${["datagram", "octets", "holes", "given up in"]}
        row=${(each) => [`${each.source} → ${each.destination}, ${PROTOCOL_NUMBERS[each.protocol] || `protocol ${each.protocol}`}, id ${each.identification}`,
          each.length === null ? `${each.octets} of ?` : `${each.octets} of ${each.length}`,
          each.refused ? "refused" : each.holes.map(([first, last]) => `${first}–${last === null ? "?" : last}`).join(", "), duration(each.expires_at - now)]} />
      ${told.leases?.rows.map((lease) => html`<${LeaseLine} key=${lease.interface} lease=${lease} now=${now} />`)}
      <${DhcpLine} store=${store} />
      <${CountersThatMoved} counters=${told.counters || {}} />`}
  </section>`;
}

/** The host's time in seconds, a new one each second while the page is live. */
function useHostClock(store) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (store.report) return undefined;
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, [store]);
  const last = store.events.get(store.lastN);
  if (store.report || !store.hello?.epoch_ms) return (last?.at || 0) / 1000;
  return (Date.now() - store.hello.epoch_ms) / 1000;
}

/** "3.2 s", "4 min", "2.1 h". @param {number} seconds */
function duration(seconds) {
  const s = Math.max(0, seconds);
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  return s < 5400 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`;
}

function HostTable({title, table, heads, row, none = ""}) {
  const rows = table?.rows || [];
  if (!rows.length && !none) return null;
  return html`<div><h3>${title}</h3>
    ${!rows.length ? html`<p class="quiet">${none}</p>` : html`<div class="scrolled" tabindex="0" role="group" aria-label=${title}><table>
      <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
      <tbody>${rows.map((each, i) => html`<tr key=${i}>${row(each).map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`}
    ${table?.left_out > 0 && html`<p class="quiet">and ${table.left_out} more</p>`}</div>`;
}

/** A lease as a line from its request to its end, with T1 and T2 (RFC 2131 section 4.4.5). */
function LeaseLine({lease, now}) {
  const {requested_at: from, expires_at: end} = lease;
  const marks = [["got", from], ["T1, renew", lease.renew_at], ["T2, rebind", lease.rebind_at], ["ends", end]].filter(([, at]) => at !== null);
  const place = (at) => 10 + (280 * (Math.min(end, Math.max(from, at)) - from)) / Math.max(1e-9, end - from);
  const said = marks.map(([name, at]) => `${name} ${at <= now ? `${duration(now - at)} ago` : `in ${duration(at - now)}`}`).join("; ");
  return html`<div><h3>DHCP lease of ${lease.interface}</h3>
    <p>${lease.address}/${lease.prefix_length} from ${lease.server}${lease.host_name && `, name ${lease.host_name}`}${end === null ? ", without end" : ""}</p>
    ${end !== null && html`<svg viewBox="0 0 300 24" preserveAspectRatio="none" width="100%" height="24" role="img" aria-label=${said}>
      <line x1="10" x2="290" y1="12" y2="12" stroke="var(--strong)" stroke-width="2" />
      <line x1="10" x2=${place(now)} y1="12" y2="12" stroke="var(--fill-blue)" stroke-width="6" />
      ${marks.map(([name, at]) => html`<line key=${name} x1=${place(at)} x2=${place(at)} y1="3" y2="21" stroke="var(--ink)" stroke-width="2" />`)}
    </svg>`}
    <p class="quiet">${said}</p>${lease.message && html`<p class="quiet">The server says: ${lease.message}</p>`}</div>`;
}

/** The last events of DHCP; only the records that are new since the last drawing are looked at. */
function DhcpLine({store}) {
  const seen = useRef({n: 0, told: []}).current;
  for (let n = Math.max(seen.n + 1, store.firstN); n <= store.lastN; n++) {
    const record = store.events.get(n);
    if (record?.name.startsWith("dhcp:")) seen.told.push(record);
  }
  seen.n = Math.max(seen.n, store.lastN);
  seen.told.splice(0, Math.max(0, seen.told.length - MOST_DHCP));
  if (!seen.told.length) return null;
  return html`<div><h3>DHCP, the last events</h3><ol class="dhcp">${seen.told.map((record) => html`<li key=${record.n}>
    <span class="number">${(record.time / 1000).toFixed(3)}</span> <b>${record.name.slice(5)}</b> ${record.data.message || record.data.state || ""}
    <span class="quiet">${store.words.reasons[record.data.because] || store.words.names[record.name] || ""}</span></li>`)}</ol></div>`;
}

/** The counters, those that moved in the last seconds first, with how much. */
function CountersThatMoved({counters}) {
  const memory = useRef({before: null, moved: new Map()}).current;
  const at = Date.now();
  if (memory.before !== counters) {
    for (const [name, value] of Object.entries(counters)) {
      const by = value - (memory.before?.[name] || 0);
      if (memory.before && by > 0) memory.moved.set(name, {by, at});
    }
    memory.before = counters;
  }
  for (const [name, moved] of memory.moved) if (at - moved.at > MOVED_MS) memory.moved.delete(name);
  const names = Object.keys(counters).sort((a, b) => Number(memory.moved.has(b)) - Number(memory.moved.has(a)) || a.localeCompare(b));
  return html`<div><h3>Counters that are not zero</h3><div class="scrolled" tabindex="0" role="group" aria-label="counters"><table>
    <thead><tr><th scope="col">counter</th><th scope="col">value</th><th scope="col">moved</th></tr></thead>
    <tbody>${names.map((name) => html`<tr key=${name}><td><code>${name}</code></td><td class="number">${counters[name]}</td>
      <td class="moved">${memory.moved.has(name) ? `+${memory.moved.get(name).by}` : ""}</td></tr>`)}</tbody></table></div></div>`;
}
