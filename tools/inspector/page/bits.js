/** The panel "Bits". */
import {html} from "./vendor/preact-htm.js";

export function BitsPanel({store}) {
  return html`<section class="panel" aria-labelledby="bits-title"><h2 id="bits-title">Bits</h2><p class="quiet">${store.count} events</p></section>`;
}
