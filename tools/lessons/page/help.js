/** The help of a lesson's ladder, in the language of the lesson: its keys, what is drawn, and the filter. */

import {html, useEffect, useRef} from "../page/vendor/preact-htm.js";
import {inline} from "./markdown.js";

const LINES = ["data", "ack", "syn", "fin", "rst", "other", "data again", "data lost"];

/** `help_keys` and `help_lines` of the words have a line for each: what is drawn before "|", what it means behind it. */
export function LessonHelp({words, close}) {
  const ref = useRef(null);
  useEffect(() => ref.current.showModal(), []);
  return html`<dialog ref=${ref} class="help" lang=${words.lang} aria-labelledby="help-title" onClose=${close}>
    <h2 id="help-title">${words.help}</h2>
    <dl>${words.help_keys.split("\n").map((line) => line.split("|")).map(([key, what]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>
    <h3>${words.help_drawn}</h3>
    <dl>${words.help_lines.split("\n").map((what, n) => html`<div key=${what}><dt><span class=${`arrow in ${LINES[n]}`} aria-hidden="true"><i class="line"></i>
      ${LINES[n] === "data lost" ? html`<i class="cross">✕</i><i class="gone"></i>` : html`<i class="tip"></i>`}</span></dt><dd>${what}</dd></div>`)}</dl>
    <p class="quiet">${words.help_bands}</p>
    <p class="quiet">${inline(words.help_filter)}</p>
    <button type="button" onClick=${() => ref.current.close()}>${words.close}</button>
  </dialog>`;
}
