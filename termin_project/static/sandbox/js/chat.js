// The chat page: asks the handles what is new and puts it on the screen.

import { Api } from "./api.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { byId } from "./dom.js";
import { People } from "./people.js";

const ROUND = 700; // ms between two looks while the page is in front
const HIDDEN_ROUND = 5000;

const root = byId("chat");
const texts = JSON.parse(root.dataset.texts);
const language = root.dataset.lang === "en" ? "en-GB" : root.dataset.lang;
const api = new Api(root.dataset.base);
const status = byId("bot-status");
const pageTitle = document.title;

let people = [];
let current = null;
let wake = null;
let round = 0;
let asked = false;

const conversation = new Conversation({ api, texts, language, press });
const composer = new Composer({ send });
const list = new People({ texts, language, open, add });

function person() {
  return people.find(({ chat }) => chat === current);
}

function open(chat, { show = true } = {}) {
  if (chat !== current) {
    current = chat;
    const unread = person()?.unread || 0;
    conversation.open(chat, unread);
    history.replaceState(null, "", `#${chat}`);
  }
  if (show) root.dataset.view = "chat";
  composer.focus();
  look();
}

async function add(values) {
  try {
    const { chat } = await api.post("meet", values);
    people = (await api.get("chats")).people;
    open(chat);
    return true;
  } catch (error) {
    toast(`${texts.failed} ${error.message}`);
    return false;
  }
}

async function send(what) {
  if (current === null) return;
  try {
    await api.post("say", { chat: current, ...what });
    conversation.scrollToEnd();
  } catch (error) {
    toast(`${texts.failed} ${error.message}`);
    if (what.text && !byId("text").value) byId("text").value = what.text;
  }
  look();
}

async function press(message, button, node) {
  if (node.getAttribute("aria-busy")) return;
  node.setAttribute("aria-busy", "true");
  try {
    const pressing = api.post("press", { chat: message.chat, message: message.id, data: button.data });
    soon();
    const answer = await pressing;
    if (answer.text && answer.show_alert) {
      byId("alert-text").textContent = answer.text;
      byId("alert").showModal();
    } else if (answer.text) {
      toast(answer.text);
    } else if (!answer.answered) {
      toast(texts.no_answer);
    }
    if (answer.url) window.open(answer.url, "_blank", "noopener");
  } catch (error) {
    toast(`${texts.failed} ${error.message}`);
  }
  node.removeAttribute("aria-busy");
  look();
}

let toastTimer = null;
function toast(words) {
  const node = byId("toast");
  node.textContent = words;
  node.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    node.hidden = true;
  }, 4000);
}

function drawHead(bot) {
  const me = person();
  byId("bot-name").textContent = bot.name;
  status.textContent = !bot.online ? texts.offline : me?.typing ? `${texts.typing} …` : texts.online;
  status.classList.toggle("offline", !bot.online);
  status.classList.toggle("typing-text", Boolean(bot.online && me?.typing));
  byId("as-person").textContent = me ? me.first_name : "";
  byId("as-person").hidden = !me;
  byId("menu").hidden = !me;
  byId("block").textContent = me?.blocked ? texts.unblock : texts.block;
  byId("typing").hidden = !(me?.typing && conversation.atEnd);
  if (me) conversation.introduce(bot.description);
  byId("start").hidden = !(me && me.last_id === 0);
  byId("composer").hidden = !me || me.last_id === 0 || me.blocked;
  composer.offer(me?.commands || [], me?.reply_keyboard);
}

function drawTitle() {
  const unread = people.reduce((sum, one) => sum + one.unread, 0);
  document.title = unread ? `(${unread}) ${pageTitle}` : pageTitle;
}

async function read() {
  const me = person();
  const showing = root.dataset.view === "chat" || matchMedia("(min-width: 721px)").matches;
  if (me?.unread && showing && !document.hidden && conversation.atEnd) {
    await api.post("read", { chat: current, up_to: me.last_id });
    me.unread = 0;
  }
}

/** One look: who is there, what changed in the open chat, what has been read by that. */
async function look() {
  const mine = ++round;
  clearTimeout(wake);
  try {
    const { bot, people: now } = await api.get("chats");
    if (mine !== round) return;
    people = now;
    if (current === null) first();
    if (current !== null && person()) {
      if (person().version > conversation.version) await conversation.refresh();
      await read();
    }
    drawHead(bot);
    list.draw(people, current);
    drawTitle();
  } catch {
    status.textContent = texts.unreachable;
    status.classList.add("offline");
  }
  if (mine === round) wake = setTimeout(look, document.hidden ? HIDDEN_ROUND : ROUND);
}

/** At the beginning: the person of the address, or the liveliest one, or the form to add the first. */
function first() {
  const wanted = Number(location.hash.slice(1));
  const chosen = people.find(({ chat }) => chat === wanted) || people[0];
  if (chosen) {
    current = chosen.chat;
    conversation.open(current, chosen.unread);
    if (wanted === current) root.dataset.view = "chat";
  } else if (!asked) {
    asked = true;
    list.showForm(true);
  }
}

/** Look again shortly: a tap has just been made, its effect is under way. */
function soon() {
  setTimeout(look, 150);
}

byId("start").addEventListener("click", () => send({ text: "/start" }));
byId("back").addEventListener("click", () => {
  root.dataset.view = "people";
});
byId("block").addEventListener("click", async () => {
  byId("menu").open = false;
  const me = person();
  await api.post("block", { chat: me.chat, blocked: !me.blocked });
  if (!me.blocked) toast(texts.blocked);
  look();
});
byId("log").addEventListener("scroll", () => read());
document.addEventListener("visibilitychange", () => look());
window.addEventListener("hashchange", () => {
  const wanted = Number(location.hash.slice(1));
  if (people.some(({ chat }) => chat === wanted)) open(wanted);
});

look();
