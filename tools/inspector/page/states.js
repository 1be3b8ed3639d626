/** The panel "States". */
import {html} from "./vendor/preact-htm.js";

export function StatesPanel({store}) {
  return html`<section class="panel" aria-labelledby="states-title"><h2 id="states-title">States</h2><p class="quiet">${store.count} events</p></section>`;
}
