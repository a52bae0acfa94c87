/* Keeps the dashboard up to date: fetches its moving part, swaps it in place, and says when it cannot. */

const PERIOD = 2500;
const PATIENCE = 8000;

const live = document.getElementById("live");
const connection = document.getElementById("connection");
const announcement = document.getElementById("announcement");

let timer = 0;
let signedOut = false;

/* States: "live", "lost", "out", "paused". The region is polite and only written to when the state changes. */
function show(state) {
  if (connection.dataset.state === state) return;
  connection.dataset.state = state;
  connection.querySelector(".connection__text").textContent = connection.dataset[state];
  connection.classList.toggle("connection--lost", state === "lost" || state === "out");
  connection.classList.toggle("connection--paused", state === "paused");
  live.classList.toggle("is-stale", state === "lost" || state === "out");
}

/* Whoever reads or uses the old part keeps their place: opened tables, their scroll, the focus. */
function swap(html) {
  const open = [...live.querySelectorAll("details[open]")].map((element) => [
    element.id,
    element.querySelector(".scroll")?.scrollTop ?? 0,
  ]);
  const before = live.querySelector("#headline")?.textContent;
  const focused = live.contains(document.activeElement) ? document.activeElement : null;
  const focusedIn = focused?.closest("[id]")?.id;
  const focusedAs = focused?.tagName;

  const parsed = new DOMParser().parseFromString(html, "text/html");
  live.replaceChildren(...parsed.body.childNodes);

  for (const [id, top] of open) {
    const element = document.getElementById(id);
    if (!element) continue;
    element.open = true;
    element.querySelector(".scroll")?.scrollTo(0, top);
  }
  if (focusedIn && focusedIn !== "live") {
    const home = document.getElementById(focusedIn);
    const target = home?.tagName === focusedAs ? home : home?.querySelector(focusedAs);
    target?.focus({ preventScroll: true });
  }
  const after = live.querySelector("#headline")?.textContent;
  if (after && after !== before) announcement.textContent = after;
}

async function refresh() {
  try {
    const response = await fetch(live.dataset.address, {
      headers: { Accept: "text/html" },
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (response.status === 401) {
      signedOut = true;
      show("out");
      return;
    }
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    swap(await response.text());
    show("live");
  } catch {
    show("lost");
  }
}

async function tick() {
  clearTimeout(timer);
  if (document.hidden) {
    show("paused");
    return;
  }
  await refresh();
  clearTimeout(timer);
  if (!signedOut && !document.hidden) timer = setTimeout(tick, PERIOD);
}

document.addEventListener("visibilitychange", () => {
  if (!signedOut) tick();
});

timer = setTimeout(tick, PERIOD);
