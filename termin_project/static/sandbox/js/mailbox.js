// The mailbox page: lists what the simulated city has sent and shows one mail with its link.

import { Api } from "./api.js";
import { clock, moment } from "./bubble.js";
import { byId, el, icon } from "./dom.js";

const ROUND = 1500;
const HIDDEN_ROUND = 8000;
const READ_KEY = "sandbox-mails-read";

const root = byId("mailbox");
const texts = JSON.parse(root.dataset.texts);
const language = root.dataset.lang === "en" ? "en-GB" : root.dataset.lang;
const api = new Api(root.dataset.base);
const select = byId("address");
const listNode = byId("mails");
const nothing = byId("nothing");
const readIds = new Set(JSON.parse(localStorage.getItem(READ_KEY) || "[]"));

let mails = [];
let current = null;
let drawn = "";

function key(mail) {
  return `${mail.id}/${mail.sent_at}`;
}

/** The text with its links as links; nothing else in it is markup. */
function withLinks(text) {
  const node = el("div", { class: "mail-text", lang: "de" });
  for (const part of text.split(/(https?:\/\/\S+)/)) {
    node.append(/^https?:\/\//.test(part) ? el("a", { href: part }, part) : part);
  }
  return node;
}

function show(mail) {
  current = key(mail);
  readIds.add(current);
  localStorage.setItem(READ_KEY, JSON.stringify([...readIds].slice(-500)));
  root.dataset.view = "mail";
  byId("mail").replaceChildren(
    el("h2", { lang: "de" }, mail.subject),
    el("dl", { class: "mail-facts" },
      el("dt", {}, texts.from), el("dd", {}, texts.city),
      el("dt", {}, texts.to), el("dd", {}, mail.to),
      el("dt", {}, texts.sent), el("dd", {}, moment(mail.sent_at, language)),
    ),
    withLinks(mail.text),
  );
  draw();
}

function draw() {
  const state = JSON.stringify([mails.map(key), current, [...readIds].length]);
  if (state === drawn) return;
  drawn = state;
  const focused = listNode.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  listNode.replaceChildren(
    ...mails.map((mail) =>
      el("li", {},
        el("button",
          { type: "button", class: readIds.has(key(mail)) ? "mail-row" : "mail-row new", "data-key": key(mail), "aria-current": String(key(mail) === current), onclick: () => show(mail) },
          el("b", { lang: "de" }, mail.subject),
          el("time", { datetime: mail.sent_at }, clock(mail.sent_at, language)),
          el("small", {}, mail.to),
        ),
      ),
    ),
  );
  if (focused) [...listNode.querySelectorAll("button")].find((row) => row.dataset.key === focused)?.focus();
  nothing.textContent = mails.length ? "" : texts.empty;
  nothing.hidden = mails.length > 0;
  if (current === null) {
    byId("mail").replaceChildren(el("p", { class: "choose" }, icon("mail"), el("br"), mails.length ? texts.choose : ""));
  }
}

function drawAddresses(addresses) {
  const known = [...select.options].map((option) => option.value);
  for (const { address, count } of addresses) {
    const words = `${address} (${count})`;
    const option = [...select.options].find((one) => one.value === address);
    if (option) option.textContent = words;
    else if (!known.includes(address)) select.append(el("option", { value: address }, words));
  }
  const wanted = new URLSearchParams(location.search).get("to");
  if (wanted && !select.dataset.used && known.concat(addresses.map((one) => one.address)).includes(wanted)) {
    select.value = wanted;
    select.dataset.used = "1";
  }
}

async function look() {
  try {
    drawAddresses(await api.get("mail/addresses"));
    mails = (await api.get("mail", select.value ? { to: select.value } : {})).reverse();
    draw();
  } catch {
    nothing.textContent = texts.unreachable;
    nothing.hidden = false;
    drawn = "";
  }
  setTimeout(look, document.hidden ? HIDDEN_ROUND : ROUND);
}

select.addEventListener("change", async () => {
  mails = (await api.get("mail", select.value ? { to: select.value } : {})).reverse();
  draw();
});
byId("back").addEventListener("click", () => {
  root.dataset.view = "list";
});

look();
