// Writing: the text field, the menu of commands, other things to send, the keyboard a bot may show.

import { byId, el } from "./dom.js";

export class Composer {
  constructor({ send }) {
    this.send = send;
    this.text = byId("text");
    this.commands = byId("commands");
    this.attachments = byId("attachments");
    this.replies = byId("reply-keyboard");
    this.openCommands = byId("open-commands");
    this.openAttachments = byId("open-attachments");
    this.known = [];
    this.chosen = -1;
    this.drawnReplies = "";
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.text.addEventListener("keydown", (event) => this.#key(event));
    this.text.addEventListener("input", () => this.#typed());
    this.openCommands.addEventListener("click", () => this.#toggle(this.commands, this.openCommands, () => this.#drawCommands(this.known)));
    this.openAttachments.addEventListener("click", () => this.#toggle(this.attachments, this.openAttachments));
    this.attachments.addEventListener("click", (event) => this.#attach(event.target.closest("button")));
    document.addEventListener("click", (event) => {
      if (!event.target.closest("#composer")) this.#close();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#close();
    });
  }

  /** What the person may use now: the bot's commands, and the keyboard it shows below the field. */
  offer(commands, keyboard) {
    this.known = commands;
    this.openCommands.hidden = commands.length === 0;
    const drawn = JSON.stringify(keyboard);
    if (drawn === this.drawnReplies) return;
    this.drawnReplies = drawn;
    const rows = keyboard?.keyboard || [];
    this.replies.hidden = rows.length === 0;
    this.replies.replaceChildren(
      ...rows.map((row) => el("div", {}, ...row.map((button) => el("button", { type: "button", onclick: () => this.#reply(button) }, button.text)))),
    );
  }

  focus() {
    if (matchMedia("(hover: hover)").matches) this.text.focus();
  }

  clear() {
    this.text.value = "";
    this.#grow();
    this.#close();
  }

  #reply(button) {
    // A phone would ask for its position here; the practice phone offers three places to be at.
    if (button.request_location) {
      this.attachments.hidden = true;
      this.#toggle(this.attachments, this.openAttachments);
      this.attachments.querySelector("[data-place]").focus();
    } else {
      this.send({ text: button.text });
    }
  }

  #submit() {
    const text = this.text.value.trim();
    if (!text) return;
    this.clear();
    this.send({ text });
  }

  #attach(button) {
    if (!button) return;
    this.#close();
    if (button.dataset.send) {
      this.send({ [button.dataset.send]: true });
    } else {
      const [latitude, longitude] = button.dataset.place.split(",").map(Number);
      this.send({ location: { latitude, longitude } });
    }
  }

  #typed() {
    this.#grow();
    const start = /^\/(\w*)$/.exec(this.text.value);
    const fitting = start ? this.known.filter(({ command }) => command.startsWith(start[1])) : [];
    if (fitting.length) {
      this.#drawCommands(fitting);
      this.commands.hidden = false;
    } else {
      this.#close();
    }
  }

  #key(event) {
    if (event.isComposing) return;
    const options = this.commands.hidden ? [] : [...this.commands.children];
    if (options.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.chosen = (this.chosen + step + options.length) % options.length;
      options.forEach((option, index) => option.setAttribute("aria-selected", String(index === this.chosen)));
      options[this.chosen].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (options[this.chosen]) options[this.chosen].querySelector("button").click();
      else this.#submit();
    }
  }

  #drawCommands(commands) {
    this.chosen = -1;
    this.commands.replaceChildren(
      ...commands.map(({ command, description }) =>
        el(
          "li",
          { role: "option", "aria-selected": "false" },
          el("button", { type: "button", onclick: () => this.#command(command) }, el("b", {}, `/${command}`), el("small", {}, description)),
        ),
      ),
    );
  }

  #command(command) {
    this.clear();
    this.send({ text: `/${command}` });
    this.focus();
  }

  #toggle(list, button, prepare) {
    const show = list.hidden;
    this.#close();
    if (!show) return;
    prepare?.();
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    list.querySelector("button")?.focus();
  }

  #close() {
    this.commands.hidden = true;
    this.attachments.hidden = true;
    this.openCommands.setAttribute("aria-expanded", "false");
    this.openAttachments.setAttribute("aria-expanded", "false");
    this.chosen = -1;
  }

  #grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight + 2}px`;
  }
}
