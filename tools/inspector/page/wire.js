/**
 * S7, the wire: what is broken now, in words; faults, once and from now on; settings of TCP; services that do not read.
 *
 * Each order is answered with what holds from then on, and becomes a row of the ladder.
 */

import {useStore} from "./store.js";
import {html, useEffect, useRef, useState} from "./vendor/preact-htm.js";

const FAULTS = [["lose", "Lose"], ["duplicate", "Duplicate"], ["swap", "Swap with the one behind it"], ["corrupt", "Flip a bit of"]];
const FAULT_KINDS = [["syn", "SYN"], ["syn,ack", "SYN,ACK"], ["data", "segment with data"], ["ack", "pure ACK"], ["fin", "FIN"],
  ["rst", "RST"], ["segment", "TCP segment"], ["udp", "UDP datagram"], ["icmp", "ICMP message"], ["arp", "ARP packet"], ["any", "frame"]];
const FAULT_PARTS = [["", "anywhere"], ["ethernet", "in its Ethernet header"], ["ip", "in its IP header"],
  ["transport", "in its TCP, UDP or ICMP header"], ["data", "in its data"]];
const WIRE_WAYS = [["out", "from us"], ["in", "to us"]];
/** Of each standing fault: its name in an order, its label and unit, how many units are 1 of the order's, and the step. */
const STANDING = [["loss", "loss", "%", 100, 1], ["delay_ms", "delay", "ms", 1, 10], ["jitter_ms", "jitter", "ms", 1, 5],
  ["rate_kbps", "rate", "kbit/s", 1, 8], ["queue_kb", "queue", "kB", 1, 1], ["mtu", "black hole above", "octets", 1, 1],
  ["duplicate", "duplicates", "%", 100, 1], ["reorder", "held back", "%", 100, 1], ["corrupt", "wrong bits", "%", 100, 1]];

function Choice({label, value, options, onChange, quiet = false}) {
  return html`<label><span class=${quiet ? "sr" : ""}>${label}</span> <select value=${value} onChange=${(event) => onChange(event.target.value)}>
    ${options.map(([key, text]) => html`<option key=${key} value=${key} selected=${key === value}>${text}</option>`)}</select></label>`;
}

/** A number. What is being typed stays until it is done: `onChange` may take a moment. */
function NumberField({label, unit = "", value, onChange, ...limits}) {
  const [draft, setDraft] = useState(null);
  const done = async ({target}) => {
    if (target.value !== "") await onChange(Number(target.value));
    setDraft(null);
  };
  return html`<label><span>${label}</span> <input type="number" value=${draft ?? value} ...${limits}
    onInput=${(event) => setDraft(event.target.value)} onChange=${done} /> ${unit}</label>`;
}

function Tick({label, value, onChange}) {
  return html`<label class="tick"><input type="checkbox" checked=${value} onChange=${(event) => onChange(event.target.checked)} />
    <span>${label}</span></label>`;
}

/** One fault, for the next frame of a kind, or the n-th. */
function SingleFault({store, order}) {
  const [fault, setFault] = useState("lose"), [kind, setKind] = useState("syn,ack"), [part, setPart] = useState("");
  const [way, setWay] = useState("out"), [number, setNumber] = useState(1), [only, setOnly] = useState(false);
  const followed = store.connections.get(store.follow);
  const submit = (event) => {
    event.preventDefault();
    const asked = {do: "wire", fault, kind, dir: way, number};
    if (fault === "corrupt" && part) asked.part = part;
    if (only && followed) asked.flow = [followed.local, followed.remote];
    order("wire", asked);
  };
  return html`<form class="wire-form" aria-labelledby="wire-once" onSubmit=${submit}><h3 id="wire-once">Once</h3>
    <${Choice} label="what to do" quiet value=${fault} options=${FAULTS} onChange=${setFault} />
    <${NumberField} label="number" value=${number} min="1" max="1000000" onChange=${setNumber} />
    <${Choice} label="of what" quiet value=${kind} options=${FAULT_KINDS} onChange=${setKind} />
    <${Choice} label="which way" quiet value=${way} options=${WIRE_WAYS} onChange=${setWay} />
    ${fault === "corrupt" && html`<${Choice} label="where" quiet value=${part} options=${FAULT_PARTS} onChange=${setPart} />`}
    ${followed && html`<${Tick} label=${`only of ${store.follow}`} value=${only} onChange=${setOnly} />`}
    <button type="submit">${number > 1 ? `Do it to number ${number} from now` : "Do it to the next one"}</button></form>`;
}

/** What happens to all frames of a direction. */
function Standing({now, order}) {
  const [way, setWay] = useState("out");
  return html`<div class="wire-form" role="group" aria-labelledby="wire-all"><h3 id="wire-all">To all frames, from now on</h3>
    <${Choice} label="which way" quiet value=${way} options=${WIRE_WAYS} onChange=${setWay} />
    ${STANDING.map(([key, label, unit, factor, step]) => html`<${NumberField} key=${way + key} label=${label} unit=${unit} min="0" step=${step}
      value=${Math.round((now[way]?.[key] || 0) * factor * 1000) / 1000}
      onChange=${(value) => order("wire", {do: "wire", dir: way, [key]: value / factor})} />`)}
    <p class="quiet">0 stands for none, and for no limit.</p></div>`;
}

/** Settings that hold for later connections. */
function Settings({settings, order}) {
  return html`<div class="wire-form" role="group" aria-labelledby="wire-settings">
    <h3 id="wire-settings">Settings of TCP, for connections opened from now on</h3>
    ${Object.entries(settings).map(([name, {label, value, usual, choices, low, high}]) => {
      const said = value === usual ? label : `${label} (changed)`, set = (wanted) => order("settings", {do: "setting", [name]: wanted});
      if (typeof value === "boolean") return html`<${Tick} key=${name} label=${said} value=${value} onChange=${set} />`;
      if (!choices.length) return html`<${NumberField} key=${name} label=${said} value=${value} min=${low} max=${high} step="any" onChange=${set} />`;
      return html`<${Choice} key=${name} label=${said} value=${value} options=${choices.map((one) => [one, one])} onChange=${set} />`;
    })}</div>`;
}

function Services({paused, order}) {
  return html`<div class="wire-form" role="group" aria-labelledby="wire-services"><h3 id="wire-services">The host's services, at once</h3>
    <${Tick} label="stop reading" value=${paused} onChange=${(wanted) => order("services", {do: "services", paused: wanted})} /></div>`;
}

export function WirePanel({store}) {
  useStore(store);
  const [error, setError] = useState(""), ref = useRef(null);
  useEffect(() => {
    if (!document.activeElement?.matches(".break")) ref.current?.focus(); // a key has opened it
  }, []);
  const order = async (look, asked) => {
    const answer = await store.send(asked);
    setError((answer.error || "").replace("Bad Request: ", ""));
    if (!answer.error) store.takeState({[look]: answer});
  };
  const {wire, settings, services} = store.slow, words = [...(wire?.words || []), ...(services?.words || [])];
  if (!wire) return html`<section class="panel" aria-label="wire"><p>This page cannot change the wire.</p></section>`;
  return html`<section class="panel wire" aria-labelledby="wire-title">
    <div class="wire-now"><h2 id="wire-title">Wire</h2>
      <p role="status">${error ? html`<strong>${error}</strong>` : words.length ? words.join(" ") : "Nothing is broken: the wire is perfect."}</p>
      <button type="button" ref=${ref} onClick=${() => order("wire", {do: "wire", heal: true})}>Heal the wire</button></div>
    <${SingleFault} store=${store} order=${order} /><${Standing} now=${wire} order=${order} />
    ${settings && html`<${Settings} settings=${settings} order=${order} />`}
    ${services && html`<${Services} paused=${services.paused} order=${order} />`}</section>`;
}
