/** The panel "Host". */
import {html} from "./vendor/preact-htm.js";

export function HostPanel({store}) {
  return html`<section class="panel" aria-labelledby="host-title"><h2 id="host-title">Host</h2><p class="quiet">${store.count} events</p></section>`;
}
