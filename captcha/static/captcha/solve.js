// Fetch the challenge, let the official widget solve it, hand the solution in. Everything it says comes translated
// from the server.

const task = document.querySelector("[data-start]");
const status = task.querySelector("[data-status]");
const place = task.querySelector("[data-widget]");
const again = task.querySelector("[data-again]");
const close = task.querySelector("[data-close]");

// Telegram opens a Mini App with its signed launch data behind the "#"; no script of theirs is needed to read them.
const launch = new URLSearchParams(location.hash.slice(1));
const initData = launch.get("tgWebAppData") || "";
const BUSY_WAIT = 4000;
const BUSY_TRIES = 8;

function tellTelegram(name) {
  const proxy = window.TelegramWebviewProxy;
  if (proxy) {
    proxy.postEvent(name, "{}");
  } else if (window.parent !== window) {
    window.parent.postMessage(JSON.stringify({ eventType: name, eventData: {} }), "https://web.telegram.org");
  }
}

function say(text, tone) {
  status.textContent = text;
  status.className = "solve__status" + (tone ? ` solve__status--${tone}` : "");
}

async function ask(address, body) {
  try {
    const answer = await fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ initData, ...body }),
      credentials: "same-origin",
    });
    return await answer.json();
  } catch {
    return { problem: task.dataset.offline, reason: "offline" };
  }
}

function offerAgain(address) {
  again.hidden = !address;
  // The launch data go along, so that the next page knows its visitor, too.
  again.onclick = () =>
    address === location.pathname ? location.reload() : location.assign(address + location.hash);
}

function finish(answer) {
  place.replaceChildren();
  say(answer.watched || answer.problem, answer.watched ? "good" : "bad");
  offerAgain(answer.next);
  close.hidden = !initData;
}

async function handIn(payload) {
  say(task.dataset.sending);
  const answer = await ask(task.dataset.handIn, { payload });
  if (answer.reason === "offline") {
    // Whether it arrived is not known; the page tells the truth when it is opened again.
    answer.next = location.pathname;
  }
  finish(answer);
}

async function begin(tries = 0) {
  say(task.dataset.working);
  const answer = await ask(task.dataset.start, {});
  if (answer.reason === "busy" && tries < BUSY_TRIES) {
    say(answer.problem);
    setTimeout(begin, BUSY_WAIT, tries + 1);
    return;
  }
  if (!answer.challenge) {
    if (answer.reason === "offline") {
      answer.next = location.pathname;
    }
    finish(answer);
    return;
  }
  const widget = document.createElement("altcha-widget");
  widget.setAttribute("challenge", JSON.stringify(answer.challenge));
  widget.setAttribute("language", task.dataset.language);
  widget.setAttribute("configuration", JSON.stringify({ humanInteractionSignature: false, hideFooter: true }));
  if (initData) {
    // The person has just pressed a button for this in the chat; whoever comes by a link ticks the box.
    widget.setAttribute("auto", "onload");
  }
  let handed = false;
  widget.addEventListener("statechange", (event) => {
    if (event.detail.state === "verified" && event.detail.payload && !handed) {
      handed = true;
      handIn(event.detail.payload);
    }
  });
  say("");
  place.replaceChildren(widget);
}

close.onclick = () => tellTelegram("web_app_close");
tellTelegram("web_app_ready");
tellTelegram("web_app_expand");
begin();
