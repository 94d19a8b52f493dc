// A button with `data-copy` copies the text of that element, and shows a confirmation for a moment.
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

// htmx checks this form while a person types. Its button sends it as an ordinary form.
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-plain-submit]")) event.stopImmediatePropagation();
}, true);

// A table with live updates. New rows come first, and the oldest rows are removed.
const MAX_ROWS = 500;
document.addEventListener("DOMContentLoaded", () => {
  const rows = document.querySelector("[data-live]");
  if (!rows) return;
  const source = new EventSource(rows.dataset.live);
  source.onmessage = (event) => {
    const received = document.createElement("tbody");
    received.innerHTML = event.data;
    for (const row of [...received.children].reverse()) {
      if (rows.querySelector(`[data-seq="${row.dataset.seq}"]`)) continue;
      row.classList.add("new");
      rows.prepend(row);
    }
    while (rows.children.length > MAX_ROWS) rows.lastElementChild.remove();
  };
  addEventListener("pagehide", () => source.close());
});
