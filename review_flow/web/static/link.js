// A one-time link bears its code behind the #, which browsers send nowhere. It is put into the form, taken out of the
// address and the tab's history, and sent in a body. Once htmx is there: a dead link is refused beside the form.
"use strict";
function takeCode() {
  const field = document.getElementById("link-code"), code = location.hash.slice(1);
  if (!field || !code || document.getElementById(code)) return;  // the way to the main part is no code
  history.replaceState(null, "", location.pathname);
  field.value = code;
  field.form.querySelector("button").click();
}
document.addEventListener("DOMContentLoaded", takeCode);
addEventListener("hashchange", takeCode);  // another link, put into the address of a tab that is here already
