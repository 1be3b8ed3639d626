/** Paper: a report prints its static table, and of it the rows of the connection that the page shows. */

export function printChosen(store) {
  addEventListener("beforeprint", () => {
    const table = document.querySelector(".static-rows"), said = document.getElementById("printed");
    if (!table || !said) return;
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      row.hidden = Boolean(store.follow) && row.cells[3].querySelector("span")?.textContent !== store.follow;
      if (!row.hidden) shown += 1;
    }
    const none = " The table holds none: make the report with --connection.";
    said.textContent = store.follow ? `Of the rows of the table, those of connection ${store.follow}.${shown ? "" : none}` : "";
  });
}
