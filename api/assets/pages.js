// Copies what a button names, and says so on the button for a while.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  navigator.clipboard.writeText(text).then(() => {
    const label = button.textContent;
    button.textContent = button.dataset.copied;
    button.disabled = true;
    setTimeout(() => { button.textContent = label; button.disabled = false; }, 1500);
  });
});

// A form that is checked while it is typed is sent like any other when its button is pressed.
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-plain-submit]")) event.stopImmediatePropagation();
}, true);

// A table that grows while it is watched: newer rows come on top, and those that fall off the end are left out.
const MOST_ROWS = 500;
document.addEventListener("DOMContentLoaded", () => {
  const rows = document.querySelector("[data-live]");
  if (!rows) return;
  const source = new EventSource(rows.dataset.live);
  source.onmessage = (event) => {
    const coming = document.createElement("tbody");
    coming.innerHTML = event.data;
    for (const row of [...coming.children].reverse()) {
      if (rows.querySelector(`[data-seq="${row.dataset.seq}"]`)) continue;
      row.classList.add("new");
      rows.prepend(row);
    }
    while (rows.children.length > MOST_ROWS) rows.lastElementChild.remove();
  };
  addEventListener("pagehide", () => source.close());
});
