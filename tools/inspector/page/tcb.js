/** The panel "TCB". */
import {html} from "./vendor/preact-htm.js";

export function TcbPanel({store}) {
  return html`<section class="panel" aria-labelledby="tcb-title"><h2 id="tcb-title">TCB</h2><p class="quiet">${store.count} events</p></section>`;
}
