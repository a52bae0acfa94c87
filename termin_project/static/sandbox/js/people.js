// The list of people and the form that adds one.

import { clock } from "./bubble.js";
import { byId, el } from "./dom.js";

export class People {
  constructor({ texts, language, open, add }) {
    Object.assign(this, { texts, language, open });
    this.list = byId("people");
    this.form = byId("person-form");
    this.button = byId("add-person");
    this.button.addEventListener("click", () => this.showForm(this.form.hidden));
    this.form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const values = Object.fromEntries(new FormData(this.form));
      values.first_name = values.first_name.trim();
      if (values.first_name && (await add(values))) {
        this.form.reset();
        this.showForm(false);
      }
    });
    this.drawn = "";
  }

  showForm(show) {
    this.form.hidden = !show;
    this.button.setAttribute("aria-expanded", String(show));
    if (show) this.form.elements.first_name.focus();
  }

  draw(people, current) {
    byId("people-hint").hidden = people.length > 1;
    const drawn = JSON.stringify([people, current]);
    if (drawn === this.drawn) return; // the list is left alone, and with it the keyboard's place in it
    this.drawn = drawn;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.chat : null;
    this.list.replaceChildren(...people.map((person) => el("li", {}, this.#row(person, current))));
    if (focused) this.list.querySelector(`[data-chat="${focused}"]`)?.focus();
  }

  #row(person, current) {
    const { texts } = this;
    const name = [person.first_name, person.last_name].filter(Boolean).join(" ");
    const last = person.last_text ? (person.last_from === "user" ? `${texts.you}: ${person.last_text}` : person.last_text) : texts.no_messages;
    return el(
      "button",
      { type: "button", class: "person", "data-chat": person.chat, "aria-current": String(person.chat === current), onclick: () => this.open(person.chat) },
      el("span", { class: `avatar hue-${person.chat % 7}`, "aria-hidden": "true" }, [...person.first_name][0].toUpperCase()),
      el("span", { class: "person-name" }, name, el("small", {}, person.language_code)),
      person.last_at ? el("time", { datetime: person.last_at }, clock(person.last_at, this.language)) : el("span"),
      person.typing ? el("span", { class: "person-last typing-text" }, `${texts.typing} …`) : el("span", { class: "person-last" }, last),
      person.unread ? el("span", { class: "badge" }, String(person.unread), el("span", { class: "hidden" }, ` ${texts.unread}`)) : el("span"),
    );
  }
}
