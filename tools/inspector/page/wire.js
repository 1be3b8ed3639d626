/** The panel "Wire". */
import {html} from "./vendor/preact-htm.js";

export function WirePanel({store}) {
  return html`<section class="panel" aria-labelledby="wire-title"><h2 id="wire-title">Wire</h2><p class="quiet">${store.count} events</p></section>`;
}
