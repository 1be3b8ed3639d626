/** "Add up the checksum with me": the 16-bit sums of RFC 1071, one word at a time. */

import {layerSum, onesAdd} from "./dissect.js";
import {html, useEffect, useState} from "./vendor/preact-htm.js";

const SHOWN_STEPS = 6;

const word16 = (word) => `0x${word.toString(16).toUpperCase().padStart(4, "0")}`;

/** Why a checksum cannot be added up; empty if it can. */
function whyNot({sum, name}, length, data) {
  if (sum.verdict === "none") return "The checksum field is 0: the sender of this UDP datagram has computed none.";
  if (sum.whole) return "";
  if (sum.fragment) return `This is a fragment. The checksum covers the whole ${name} message, which the host puts together first.`;
  if (sum.quoted) return "An ICMP error quotes this header. Routers may have changed it, and its data is not whole.";
  const left = data.offloaded ? " And it was left to the link, which completes it when it sends." : "";
  return `Only the first octets of this frame were recorded, not all ${length}. The checksum covers octets that are not here.${left}`;
}

/**
 * @param {{octets: Uint8Array, layer: object, length: number, data: object, mark: Function}} props `mark` gets the
 *   octets [from, to) that are added now, or null
 */
export function ChecksumSteps({octets, layer, length, data, mark}) {
  const [at, setAt] = useState(0);
  const refused = whyNot(layer, length, data);
  const words = refused ? [] : layerSum(octets, layer);
  const go = (step) => setAt(Math.max(0, Math.min(words.length, step)));
  useEffect(() => {
    const word = words[at - 1];
    mark(word && word.at >= 0 ? [word.at, Math.min(word.at + 2, layer.sum.to)] : null);
    return () => mark(null);
  }, [at]);
  if (refused) return html`<div class="sums"><p>${refused}</p></div>`;
  const move = (event) => {
    const step = {ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: words.length}[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    go(step);
  };
  return html`<div class="sums" role="group" aria-label="the checksum, step by step" onKeyDown=${move}>
    <p class="quiet">${layer.name}: ${words.length} words of 16 bits are added. A carry out of the 16 bits is added at the right (RFC 1071).
      ${layer.sum.pseudo.length > 0 && " First come those of the pseudo-header, which is never sent."}</p>
    <p class="group">
      <button type="button" disabled=${at === 0} onClick=${() => go(at - 1)}>Back</button>
      <button type="button" disabled=${at === words.length} onClick=${() => go(at + 1)}>Add the next word</button>
      <button type="button" disabled=${at === words.length} onClick=${() => go(words.length)}>To the end</button>
    </p>
    <${SumTable} words=${words} at=${at} layer=${layer} />
    <p role="status">${at === words.length ? verdictOf(layer, words) : `Word ${at} of ${words.length}: the sum is ${word16(sumUntil(words, at))}.`}</p>
  </div>`;
}

const sumUntil = (words, at) => words.slice(0, at).reduce((sum, {word}) => onesAdd(sum, word), 0);

/** The field that the two octets at `at` are of; "…" if others follow in them. */
function fieldAt(layer, at) {
  const bit = 8 * (at - layer.offset);
  const field = layer.fields.find((each) => bit >= each.bit && bit < each.bit + each.width);
  return field ? field.name + (field.width < 16 ? " …" : "") : "data";
}

function SumTable({words, at, layer}) {
  const first = Math.max(0, at - SHOWN_STEPS);
  const steps = words.slice(first, at);
  let sum = sumUntil(words, first);
  return html`<table class="sum"><caption class="sr">the last additions</caption>
    <thead><tr><th scope="col">word</th><th scope="col">what</th><th scope="col">sum</th><th scope="col">carry</th></tr></thead>
    <tbody>${steps.map(({word, name, at: octet, field}, i) => {
      const total = sum + word;
      sum = onesAdd(sum, word);
      return html`<tr key=${first + i} class=${i === steps.length - 1 ? "now" : ""}><td class="number">${word16(word)}</td>
        <td>${name || `octets ${octet}, ${octet + 1}: ${field ? "the checksum itself" : fieldAt(layer, octet)}`}</td>
        <td class="number">${word16(sum)}</td><td>${total > 0xffff ? "+ 1" : ""}</td></tr>`;
    })}</tbody></table>`;
}

function verdictOf(layer, words) {
  const sum = sumUntil(words, words.length);
  const others = words.filter(({field}) => !field).reduce((before, {word}) => onesAdd(before, word), 0);
  const must = ~others & 0xffff;
  const found = words.find(({field}) => field).word;
  if (sum === 0xffff) return `The sum is 0xFFFF, all ones: the checksum is right. Without the checksum itself the sum is ${word16(others)}; its complement is ${word16(must)}.`;
  if (layer.sum.verdict === "partial") {
    return `The sum is ${word16(sum)}. The checksum was left to the link: the field has only the sum of the pseudo-header, and the device completes it to ${word16(must)}.`;
  }
  return `The sum is ${word16(sum)}, not 0xFFFF: the checksum is WRONG. The field has ${word16(found)}, these octets need ${word16(must)}.`;
}
