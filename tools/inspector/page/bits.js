/**
 * The panel "Bits": the headers of the chosen frame as the RFCs draw them, with their values.
 *
 * `dissectFrame` has the fields at once. While the page is live, the server's words replace ours a
 * moment later: it knows all protocols.
 */

import {ChecksumSteps} from "./checksum.js";
import {dissectFrame} from "./dissect.js";
import {octetsOf} from "./model.js";
import {html, useEffect, useMemo, useRef, useState} from "./vendor/preact-htm.js";

const ASK_MS = 150; // after a step: who steps fast asks for nothing
const MOST_ANSWERS = 64;
const TALLEST = 128; // bits of a field that is drawn whole; a longer one is one cell
const serverLayers = new Map();

export function BitsPanel({store}) {
  const {row} = store;
  const data = row?.event.data;
  const shown = data && data.head && (row.kind === "frame" || row.kind === "fate");
  return html`<section class="panel bits" aria-labelledby="bits-title">
    <h2 id="bits-title">Bits</h2>
    ${shown ? html`<${FrameBits} store=${store} row=${row} data=${data} />`
      : html`<p class="quiet">This row is no frame. Choose an arrow of the ladder to see its bits.</p>`}
  </section>`;
}

function FrameBits({store, row, data}) {
  const octets = useMemo(() => octetsOf(data.head), [data.head]);
  const length = data.len || octets.length;
  const ours = useMemo(() => dissectFrame(octets, data.link || "ethernet", length, store.words.ports), [octets, length, store.words]);
  const layers = useServerLayers(store, row, ours).filter((layer) => layer.fields.length);
  const [choice, choose] = useState({layer: "", field: ""});
  const [adding, setAdding] = useState(false);
  const [marked, mark] = useState(null);
  const layer = layers.find((each) => layerKey(each) === choice.layer) || innermost(layers);
  if (!layer) return html`<p class="quiet">No octets of this frame were recorded.</p>`;
  const field = layer.fields.find((each) => fieldKey(each) === choice.field) || layer.fields[0];
  const pick = (newLayer, newField) => choose({layer: layerKey(newLayer), field: fieldKey(newField || newLayer.fields[0])});
  const sum = ours.find((each) => each.sum && each.offset === layer.offset && each.name === layer.name);
  const missing = length - octets.length;
  const steps = sum && adding && html`<${ChecksumSteps} key=${`${row.n} ${layer.offset}`} octets=${octets} layer=${sum} length=${length} data=${data} mark=${mark} />`;
  return html`
    <${LayerChoice} layers=${layers} layer=${layer} pick=${pick} />
    ${steps || html`<${HeaderPicture} layer=${layer} field=${field} pick=${pick} /><${FieldWords} layer=${layer} field=${field} />`}
    ${sum && html`<p><button type="button" aria-expanded=${adding ? "true" : "false"} onClick=${() => setAdding(!adding)}>${adding ? "Back to the fields" : "Add up the checksum with me"}</button></p>`}
    <${HexDump} octets=${octets} layers=${layers} layer=${layer} field=${field} marked=${steps ? marked : null} />
    ${missing > 0 && html`<p class="quiet">The recorder keeps the first ${octets.length} octets of a frame; ${missing} more are not shown.</p>`}`;
}

const layerKey = (layer) => `${layer.name} ${layer.depth}`;
const fieldKey = (field) => `${field.name} ${field.bit}`;
const layerClass = (name) => {
  if (/^(Ethernet|IEEE|LLC|Linux|Padding)/.test(name)) return "of-link";
  if (/^(IPv4|IPv6|IP|ARP|RARP)/.test(name)) return "of-net";
  return /^(TCP|UDP|ICMP)/.test(name) ? "of-transport" : "of-data";
};
/** The header that is shown first: that of the transport, or the last one before it. */
const innermost = (layers) => layers.findLast((layer) => layerClass(layer.name) !== "of-data" && layer.name !== "Padding" && !layer.depth) || layers[0];

/** The server's layers of a row, or ours until they have come. */
function useServerLayers(store, row, ours) {
  const [answered, setAnswered] = useState(0);
  useEffect(() => {
    if (store.report || row.kind !== "frame" || serverLayers.has(row.n)) return undefined;
    const timer = setTimeout(async () => {
      const answer = await fetch(`layers?n=${row.n}`).then((got) => (got.ok ? got.json() : null)).catch(() => null);
      serverLayers.set(row.n, Array.isArray(answer?.layers) ? answer.layers : null);
      if (serverLayers.size > MOST_ANSWERS) serverLayers.delete(serverLayers.keys().next().value);
      setAnswered(row.n);
    }, ASK_MS);
    return () => clearTimeout(timer);
  }, [row.n, answered]);
  return serverLayers.get(row.n) || ours;
}

function LayerChoice({layers, layer, pick}) {
  return html`<div class="layers" role="group" aria-label="layers of the frame">
    ${layers.map((each) => html`<button type="button" key=${`${each.offset} ${each.name}`} class=${`layer ${layerClass(each.name)}`}
      aria-pressed=${each === layer ? "true" : "false"} onClick=${() => pick(each)}>${each.depth ? "quoted " : ""}${each.name}${each.error && " ✗"}</button>`)}
  </div>`;
}

/** The columns that have room: 32 as in the RFCs, 16, or 8. */
function useColumns(ref) {
  const [columns, setColumns] = useState(32);
  useEffect(() => {
    const fit = () => {
      const width = ref.current?.clientWidth || 640;
      setColumns(width >= 350 ? 32 : width >= 190 ? 16 : 8);
    };
    const observer = new ResizeObserver(fit);
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return columns;
}

/** The cells of a field: a piece for each row of the picture that it reaches. */
function piecesOf(field, columns) {
  if (field.width > TALLEST) return [{span: columns, first: true}];
  const pieces = [];
  for (let bit = field.bit; bit < field.bit + field.width;) {
    const span = Math.min(columns - (bit % columns), field.bit + field.width - bit);
    pieces.push({span, first: bit === field.bit});
    bit += span;
  }
  return pieces;
}

function HeaderPicture({layer, field, pick}) {
  const ref = useRef(null);
  const columns = useColumns(ref);
  const place = layer.fields.indexOf(field);
  const move = (event) => {
    const next = fieldAfter(layer.fields, place, event.key, columns);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    pick(layer, layer.fields[next]);
  };
  return html`<div class=${`picture ${layerClass(layer.name)}`} ref=${ref}>
    <div class="ruler" aria-hidden="true">${Array.from({length: columns}, (_, bit) => html`<span key=${bit}>${columns < 32 || bit % 4 === 0 || bit === 31 ? bit : ""}</span>`)}</div>
    <div class="cells" role="listbox" aria-label=${`fields of ${layer.name}`} aria-orientation="horizontal" tabindex="0"
      aria-activedescendant=${`field-${place}`} onKeyDown=${move}
      style=${{gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`}}>
      ${layer.fields.map((each, at) => piecesOf(each, columns).map((piece, part) => html`<div key=${`${at} ${part}`}
        class=${`cell ${piece.first ? "" : "more"} ${each.width === 1 ? "bit" : ""} ${piece.span < 4 ? "narrow" : ""}`}
        role=${piece.first ? "option" : "presentation"} aria-hidden=${piece.first ? null : "true"} id=${piece.first ? `field-${at}` : null}
        aria-selected=${piece.first ? String(each === field) : null} data-chosen=${each === field ? "" : null}
        style=${{gridColumn: `span ${piece.span}`}} onClick=${() => pick(layer, each)}>
        ${piece.first ? html`<span class="title">${each.name}</span><span class="value"> ${cellText(each, layer)}</span>
          <span class="sr">. ${cellText(each, layer) === each.words ? "" : each.words}</span>` : html`<span class="title">…</span>`}
      </div>`))}
    </div>
  </div>`;
}

/** The field that a key leads to, or null. */
function fieldAfter(fields, place, key, columns) {
  const last = fields.length - 1;
  if (key === "ArrowRight") return Math.min(place + 1, last);
  if (key === "ArrowLeft") return Math.max(place - 1, 0);
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key !== "ArrowDown" && key !== "ArrowUp") return null;
  const bit = fields[place].bit + (key === "ArrowDown" ? columns : -columns);
  const found = fields.findIndex((each) => bit >= each.bit && bit < each.bit + each.width);
  return found < 0 ? (key === "ArrowDown" ? last : 0) : found === place ? Math.max(0, Math.min(last, place + (key === "ArrowDown" ? 1 : -1))) : found;
}

function cellText({value, width, words}, layer) {
  if (typeof value === "number") return String(value);
  if (width === 32 && layer.name !== "Data") return value.match(/../g).map((pair) => parseInt(pair, 16)).join(".");
  return width === 48 ? value.match(/../g).join(":") : words || value;
}

function FieldWords({layer, field}) {
  const last = field.bit + field.width - 1, from = layer.offset + (field.bit >> 3), to = layer.offset + (last >> 3);
  const bits = field.width === 1 ? `bit ${field.bit}` : `bits ${field.bit}–${last}`;
  const isNumber = typeof field.value === "number";
  const value = isNumber ? `${field.value} = 0x${field.value.toString(16).toUpperCase()}${field.width > 1 && field.width <= 16 ? ` = ${field.value.toString(2).padStart(field.width, "0").replace(/(?=(....)+$)/g, " ").trim()}` : ""}` : "";
  return html`<dl class="field">
    <div><dt>${field.name}</dt><dd>${field.words || (isNumber ? "" : field.value)}</dd></div>
    ${value && html`<div><dt>value</dt><dd class="number">${value}</dd></div>`}
    <div><dt>place</dt><dd>${bits} of the ${layer.name} ${layerClass(layer.name) === "of-data" ? "octets" : "header"};
      ${" "}${from === to ? `octet ${from}` : `octets ${from}–${to}`} of the frame${layer.rfc && html` · <span class="clause">${layer.rfc}</span>`}</dd></div>
    ${layer.error && html`<div><dt>dropped</dt><dd>A host drops it: <code>${layer.error}</code></dd></div>`}
  </dl>`;
}

/** The octets in hexadecimal, with the chosen layer and field, or the two octets that are added. */
function HexDump({octets, layers, layer, field, marked}) {
  const from = marked ? marked[0] : layer.offset + (field.bit >> 3);
  const to = marked ? marked[1] : layer.offset + ((field.bit + field.width - 1) >> 3) + 1;
  const kindAt = (at) => {
    const inside = layers.find((each) => at >= each.offset && at < each.offset + each.length);
    return `${inside ? layerClass(inside.name) : ""} ${inside === layer ? "chosen" : ""} ${at >= from && at < to ? "marked" : ""}`;
  };
  const ref = useRef(null);
  const size = useColumns(ref) / 2, lines = [];
  for (let at = 0; at < octets.length; at += size) lines.push(runsOf(octets, at, Math.min(at + size, octets.length), kindAt));
  return html`<div class="hex" ref=${ref} role="group" aria-label=${`the frame in hexadecimal; octets ${from} to ${to - 1} are marked`} tabindex="0">
    ${lines.map((runs, i) => html`<div key=${i}><span class="quiet">${String(size * i).padStart(4, "0")}</span> ${runs.map(([kind, text]) => html`<span class=${kind}>${text}</span>`)}</div>`)}
  </div>`;
}

function runsOf(octets, from, to, kindAt) {
  const runs = [];
  for (let at = from; at < to; at++) {
    const kind = kindAt(at), text = octets[at].toString(16).padStart(2, "0");
    if (runs.length && runs.at(-1)[0] === kind) runs.at(-1)[1] += ` ${text}`;
    else runs.push([kind, text]);
  }
  return runs;
}

