// Marking by keyboard: digits tick the items of the criterion one is at, arrows go from criterion to criterion, in a
// mark they change it by a point, Enter goes to the next field, Ctrl+Enter hands in.
"use strict";
const told = (field) => field.dispatchEvent(new Event("input", { bubbles: true }));

function inMark(event, mark, rubric) {
  if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    const now = Number(mark.value || 0), step = (event.shiftKey ? 5 : 1) * (event.key === "ArrowUp" ? 1 : -1);
    if (Number.isFinite(now)) { mark.value = String(Math.min(100, Math.max(0, now + step))); told(mark); }
  } else if (event.key === "Enter") {
    const fields = [...rubric.querySelectorAll(".mark, select, textarea")];
    (fields[fields.indexOf(mark) + 1] || mark).focus();
  } else { return false; }
  return true;
}

function outside(event, rubric) {
  const criteria = [...rubric.querySelectorAll("[data-keys]")];
  const at = criteria.findIndex((one) => one.contains(document.activeElement));
  if (event.key >= "1" && event.key <= "9") {
    const box = (criteria[at] || criteria[0])?.querySelectorAll("input[type=checkbox]")[Number(event.key) - 1];
    if (!box) return false;
    box.checked = !box.checked;
    box.focus();
    box.dispatchEvent(new Event("change", { bubbles: true }));
  } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    const next = criteria[Math.min(criteria.length - 1, Math.max(0, at + (event.key === "ArrowDown" ? 1 : -1)))];
    next?.querySelector("input")?.focus();
  } else if (event.key === "Enter") {
    criteria[Math.max(0, at)]?.querySelector(".mark")?.focus();
  } else { return false; }
  return true;
}

document.addEventListener("keydown", (event) => {
  const rubric = document.querySelector("[data-rubric]"), on = event.target;
  if (!rubric || event.altKey || event.metaKey || event.isComposing) return;
  if (event.ctrlKey) {
    if (event.key === "Enter") { event.preventDefault(); rubric.requestSubmit(); }
    return;
  }
  const done = on.matches(".mark") ? inMark(event, on, rubric)
    : on.matches("textarea, select, video, summary, a, button, input:not([type=checkbox])") ? false
    : outside(event, rubric);
  if (done) event.preventDefault();
});

// While a form is being handed in nothing of its draft is sent: that would come too late, and be refused.
document.addEventListener("submit", (event) => {
  if (!event.target.matches?.("[data-rubric]")) return;
  event.target.dataset.sent = "1";
  event.target.querySelectorAll("[hx-post]").forEach((one) => htmx.trigger(one, "htmx:abort"));
}, true);
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.requestConfig.path.endsWith("/draft") && document.querySelector("[data-sent]")) event.preventDefault();
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.xhr.status === 200) document.getElementById("signed-out")?.remove(); // signed in again meanwhile
  if (event.target.matches?.("[data-rubric]")) delete event.target.dataset.sent;
});

// A form that was refused: its fields are named in the refusal, and marked until somebody mends them.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "refusal") return;
  document.querySelectorAll("[aria-invalid]").forEach((one) => one.removeAttribute("aria-invalid"));
  for (const link of event.detail.target.querySelectorAll("a[href^='#']")) {
    const field = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (field?.matches("input, select, textarea")) field.setAttribute("aria-invalid", "true");
  }
});
document.addEventListener("input", (event) => event.target.removeAttribute("aria-invalid"));
