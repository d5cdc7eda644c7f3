// Copies what a button names. Plain HTTP has no clipboard interface: there what is shown is selected and copied as
// by hand, and where even that is refused it stays selected.
"use strict";
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const shown = document.getElementById(button.dataset.copy), said = document.getElementById(`${button.dataset.copy}-copied`);
  let done = false;
  if (navigator.clipboard) done = await navigator.clipboard.writeText(shown.textContent).then(() => true, () => false);
  if (!done) {
    getSelection().selectAllChildren(shown);
    done = document.execCommand("copy");
  }
  said.hidden = !done;
});
