// The conversation of one person: asks for what changed, keeps the place, marks what is new.

import { bubble } from "./bubble.js";
import { byId, el } from "./dom.js";

const NEAR_END = 60; // pixels from the end within which the reader counts as being there

export class Conversation {
  constructor({ api, texts, language, press }) {
    Object.assign(this, { api, texts, language, press });
    this.log = byId("log");
    this.toEnd = byId("to-end");
    this.toEndCount = byId("to-end-count");
    this.log.addEventListener("scroll", () => this.#scrolled());
    this.toEnd.addEventListener("click", () => this.scrollToEnd("smooth"));
    this.chat = null;
  }

  /** Show another person's chat from its beginning; `unread` messages at its end are marked as new. */
  open(chat, unread) {
    this.chat = chat;
    this.unread = unread;
    this.version = 0;
    this.nodes = new Map();
    this.days = new Map();
    this.missed = 0;
    this.first = true;
    this.log.replaceChildren();
    this.log.setAttribute("aria-live", "off"); // an old chat is not read out from its beginning
  }

  /** Before the first message: what the bot says about itself. */
  introduce(words) {
    const card = this.log.querySelector(".about");
    if (!this.empty || !words) card?.remove();
    else if (!card) this.log.append(el("div", { class: "about" }, el("b", {}, this.texts.about), words));
  }

  get atEnd() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR_END;
  }

  get empty() {
    return this.nodes.size === 0;
  }

  scrollToEnd(behavior = "auto") {
    this.log.scrollTo({ top: this.log.scrollHeight, behavior });
    this.missed = 0;
    this.#scrolled();
  }

  /** Fetch and draw what changed; true when something did. */
  async refresh() {
    const chat = this.chat;
    const changed = await this.api.get("messages", { chat, since_version: this.version });
    if (chat !== this.chat || !changed.length) {
      this.first = this.first && chat !== this.chat;
      return false;
    }
    const wasAtEnd = this.atEnd || this.first;
    for (const message of changed) {
      this.version = Math.max(this.version, message.version);
      this.#draw(message, wasAtEnd);
    }
    if (this.first) this.#markNew(changed);
    else if (wasAtEnd) this.scrollToEnd("smooth");
    this.first = false;
    this.#scrolled();
    requestAnimationFrame(() => this.log.setAttribute("aria-live", "polite"));
    return true;
  }

  #draw(message, wasAtEnd) {
    const old = this.nodes.get(message.id);
    if (message.deleted) {
      old?.remove();
      this.nodes.delete(message.id);
      return;
    }
    const node = bubble(message, this);
    if (old) {
      const seenOnly = message.from === "user";
      const focused = old.contains(document.activeElement) ? document.activeElement.dataset.data : null;
      old.replaceWith(node);
      if (!seenOnly) node.classList.add("changed");
      if (focused) this.#keepFocus(node, focused);
    } else {
      this.#day(message);
      if (!this.first) node.classList.add("arrived");
      this.log.append(node);
      if (!wasAtEnd && message.from === "bot") this.missed += 1;
    }
    this.nodes.set(message.id, node);
  }

  #keepFocus(node, data) {
    const same = [...node.querySelectorAll("button")].find((button) => button.dataset.data === data);
    const next = same || node.querySelector(".buttons button, .buttons a") || this.log;
    next.focus({ preventScroll: true });
  }

  #day(message) {
    const options = { timeZone: "Europe/Berlin", weekday: "long", day: "numeric", month: "long" };
    const label = (when) => when.toLocaleDateString(this.language, options);
    const words = label(new Date(message.sent_at));
    if (this.days.has(words)) return;
    const today = words === label(new Date());
    const yesterday = words === label(new Date(Date.now() - 86_400_000));
    const line = el("div", { class: "day" }, today ? this.texts.today : yesterday ? this.texts.yesterday : words);
    this.days.set(words, line);
    this.log.append(line);
  }

  #markNew(messages) {
    const fromBot = messages.filter((message) => message.from === "bot" && !message.deleted);
    const first = this.unread ? fromBot.at(-this.unread) : null;
    this.scrollToEnd();
    if (!first) return;
    const line = el("div", { class: "new-line" }, this.texts.new);
    this.nodes.get(first.id).before(line);
    if (this.log.scrollHeight > this.log.clientHeight) line.scrollIntoView({ block: "start" });
  }

  #scrolled() {
    if (this.atEnd) this.missed = 0;
    this.toEnd.hidden = this.atEnd;
    this.toEndCount.textContent = this.missed || "";
  }
}
