// Sends a chosen file in pieces (tus). What is here already is asked of the server, so it goes on from another day,
// another browser, another phone: an unfinished upload of the same name and size in the same slot is continued.
"use strict";
const PIECE = 4 * 1024 * 1024;
const RETRY_MS = [0, 1000, 2000, 4000, 8000, 15000, 30000, 60000, 60000, 60000, 60000, 60000];

const readable = (bytes) => {
  for (const unit of ["B", "KB", "MB"]) {
    if (bytes < 1000) return `${bytes.toFixed(unit === "B" ? 0 : 1)} ${unit}`;
    bytes /= 1000;
  }
  return `${bytes.toFixed(1)} GB`;
};

const begun = (slot, file) =>
  [...slot.querySelectorAll("[data-upload]")].find(
    (one) => one.dataset.name === file.name && Number(one.dataset.size) === file.size,
  );

function send(input) {
  const slot = input.closest(".slot"), box = document.getElementById("slots"), words = box.dataset;
  const sending = slot.querySelector(".sending"), bar = sending.querySelector("progress");
  const text = sending.querySelector(".sending-text"), refused = slot.querySelector(".say-no");
  const file = input.files[0];
  if (!file) return;
  const known = begun(slot, file);
  let since = 0, first = null;
  refused.hidden = true;
  sending.hidden = false;
  slot.dataset.sending = "1";
  slot.querySelectorAll("input[type=file]").forEach((one) => { one.disabled = true; });
  const end = () => {
    delete slot.dataset.sending;
    sending.hidden = true;
    slot.querySelectorAll("input[type=file]").forEach((one) => { one.disabled = false; one.value = ""; });
  };
  const metadata = { work: words.work, slot: input.dataset.slot, filename: file.name };
  if (input.dataset.replaces) metadata.replaces = input.dataset.replaces;
  const upload = new tus.Upload(file, {
    endpoint: "/uploads",
    uploadUrl: known ? known.dataset.upload : null,
    chunkSize: PIECE,
    retryDelays: RETRY_MS,
    storeFingerprintForResuming: false,
    metadata,
    onShouldRetry: (error) => {
      const status = error.originalResponse ? error.originalResponse.getStatus() : 0;
      if (status === 0) text.textContent = words.paused;
      // Of what is refused only a wrong place (tus: 409) is asked for again; a work closed for files stays closed.
      if (status === 409) return error.originalResponse.getHeader("refusal") === "elsewhere";
      return status === 0 || status === 423 || (status >= 500 && status !== 507);
    },
    onProgress: (sent, total) => {
      const now = Date.now();
      if (first === null) { first = sent; since = now; }
      const speed = (sent - first) / Math.max(1, (now - since) / 1000), left = (total - sent) / Math.max(1, speed);
      bar.value = (100 * sent) / total;
      const share = `${Math.floor((100 * sent) / total)}%`;
      if (now - since < 800 || speed < 1) { text.textContent = first > 0 ? words.resumes.replace("{percent}", share) : share; return; }
      const span = left > 90 ? words.minutes.replace("{count}", Math.ceil(left / 60)) : words.seconds.replace("{count}", Math.ceil(left));
      text.textContent = `${share}  ${words.left.replace("{speed}", readable(speed)).replace("{left}", span)}`;
    },
    onError: (error) => {
      end();
      refused.textContent = error.originalResponse ? error.originalResponse.getBody() : words.paused;
      refused.hidden = false;
    },
    onSuccess: () => {
      end();
      htmx.ajax("GET", `/works/${words.work}/slots`, { target: "#slots", swap: "innerHTML" });
    },
  });
  upload.start();
}

document.addEventListener("change", (event) => {
  if (event.target.matches("input[type=file][data-slot]")) send(event.target);
});
// While a file is being chosen or sent the list is not drawn anew under it: a chosen file would go nowhere.
let choosing = null;
document.addEventListener("click", (event) => { if (event.target.matches("input[type=file][data-slot]")) choosing = event.target; });
for (const over of ["change", "cancel"]) document.addEventListener(over, (event) => { if (event.target === choosing) choosing = null; }, true);
document.addEventListener("htmx:beforeRequest", (event) => {
  const busy = choosing?.isConnected || document.querySelector("[data-sending]");
  if (busy && event.detail.requestConfig.path.endsWith("/slots")) event.preventDefault();
});
