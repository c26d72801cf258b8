"use strict";

// Adds new requests to the list. Without this script, the page has a link to reload it.
(() => {
  const table = document.querySelector("table[data-rows]");
  if (!table) return;
  const EVERY = 2000, AFTER_ERROR = 10000, SAY_EVERY = 10000; // milliseconds
  const find = (id) => document.getElementById(id);
  const pause = find("pause"), state = find("state"), news = find("news"), empty = find("empty");
  const pulse = document.querySelector(".pulse");
  let isPaused = false, said = 0, unsaid = 0;

  const show = (text, kind) => {
    if (state.textContent !== text) state.textContent = text;
    pulse.className = "pulse " + kind;
  };

  // A screen reader says at most one number in SAY_EVERY, however many requests arrive.
  const say = (count) => {
    unsaid += count;
    if (!unsaid || Date.now() - said < SAY_EVERY) return;
    news.textContent = unsaid === 1 ? "1 new request" : `${unsaid} new requests`;
    unsaid = 0;
    said = Date.now();
  };

  const merge = (html) => {
    const template = document.createElement("template");
    template.innerHTML = `<table>${html}</table>`;
    const added = template.content.querySelector("tbody"), body = table.tBodies[0];
    const rows = [...added.rows];
    if (added.hasAttribute("data-whole")) body.replaceChildren();
    rows.forEach((row) => row.classList.add("fresh"));
    body.prepend(...rows);
    body.dataset.newest = added.dataset.newest;
    while (body.rows.length > Number(table.dataset.most)) body.rows[body.rows.length - 1].remove();
    empty.hidden = body.rows.length > 0;
    say(rows.length);
  };

  const poll = async () => {
    const url = new URL(table.dataset.rows, location.href);
    url.searchParams.set("after", table.tBodies[0].dataset.newest);
    const response = await fetch(url);
    if (response.status === 200) merge(await response.text());
    else if (response.status !== 204) throw new Error(response.status);
    say(0);
  };

  const run = async () => {
    let wait = EVERY;
    if (!isPaused && !document.hidden) {
      try {
        await poll();
        if (!isPaused) show("Live", "");
      } catch {
        wait = AFTER_ERROR;
        show("The server does not respond", "lost");
      }
    }
    setTimeout(run, wait);
  };

  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    show(isPaused ? "Paused" : "Live", isPaused ? "off" : "");
  });
  pause.hidden = pulse.hidden = false;
  find("reload").hidden = true;
  show("Live", "");
  setTimeout(run, EVERY);
})();

// Adds a button that copies a command, where the browser allows it: on loopback or with TLS.
if (navigator.clipboard) {
  for (const block of document.querySelectorAll(".copyable")) {
    const text = block.textContent, button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    });
    block.append(button);
  }
}
