// One message as it looks in the conversation.

import { el, formatted, icon } from "./dom.js";

const SIGNS = { photo: "🖼️", sticker: "🙂", voice: "🎙️" };

const ZONE = { timeZone: "Europe/Berlin", hourCycle: "h23" };

export function clock(iso, language) {
  return new Date(iso).toLocaleTimeString(language, { ...ZONE, hour: "2-digit", minute: "2-digit" });
}

export function moment(iso, language) {
  return new Date(iso).toLocaleString(language, { ...ZONE, dateStyle: "medium", timeStyle: "medium" });
}

/** The node of a message. `press(button, node)` is called for an inline button. */
export function bubble(message, { texts, language, press }) {
  const node = el("article", { class: `message ${message.from}`, "data-id": message.id });
  if (message.buttons.length) node.classList.add("has-buttons");
  const body = el("div", { class: "bubble" });
  if (message.from === "user") body.append(el("span", { class: "hidden" }, `${texts.you}: `));
  if (message.document) body.append(file(message, texts));
  if (message.venue) body.append(place(message.venue, message.venue.title, message.venue.address, texts));
  if (message.location) body.append(place(message.location, texts.place, coordinates(message.location), texts));
  if (message.attachment) body.append(attachment(message, texts));
  if (message.text) body.append(el("div", { class: "words" }, formatted(message.html)));
  body.append(foot(message, texts, language));
  node.append(body);
  if (message.buttons.length) node.append(keyboard(message, press, texts));
  return node;
}

function foot(message, texts, language) {
  const line = el("div", { class: "foot" });
  if (message.edited) line.append(el("span", { title: moment(message.edited_at, language) }, texts.edited));
  line.append(el("time", { datetime: message.sent_at, title: moment(message.sent_at, language) }, clock(message.sent_at, language)));
  if (message.from === "user") {
    const seen = message.seen_at ? `${texts.seen} ${moment(message.seen_at, language)}` : texts.sent;
    line.append(el("span", { title: seen }, icon(message.seen_at ? "checks" : "check"), el("span", { class: "hidden" }, seen)));
  }
  return line;
}

function keyboard(message, press, texts) {
  const rows = message.buttons.map((row) => {
    const items = row.map((button) => {
      if (button.url) {
        return el("a", { href: button.url, target: "_blank", rel: "noopener noreferrer", title: texts.opens }, button.text, icon("out"));
      }
      return el("button", { type: "button", "data-data": button.data, onclick: (event) => press(message, button, event.currentTarget) }, button.text);
    });
    return el("div", {}, ...items);
  });
  return el("div", { class: "buttons", role: "group" }, ...rows);
}

function file(message, texts) {
  const size = message.document_size < 1024 ? `${message.document_size} B` : `${Math.round(message.document_size / 1024)} kB`;
  return el(
    "a",
    { class: "file", href: message.document_url, download: message.document },
    el("span", { class: "icon-disc" }, icon("file")),
    el("span", {}, el("b", {}, message.document), el("small", {}, `${texts.download} · ${size}`)),
  );
}

function coordinates(point) {
  return `${point.latitude.toFixed(4)}, ${point.longitude.toFixed(4)}`;
}

function place(point, title, address, texts) {
  const { latitude, longitude } = point;
  const href = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=17/${latitude}/${longitude}`;
  return el(
    "a",
    { class: "place", href, target: "_blank", rel: "noopener noreferrer" },
    el("span", { class: "map", "aria-hidden": "true" }, icon("pin")),
    el("span", { class: "place-words" }, el("b", {}, title), el("small", {}, address), el("span", { class: "link" }, texts.open_map)),
  );
}

function attachment(message, texts) {
  const words = texts[message.attachment];
  if (message.photo_url) return el("span", { class: "attachment" }, el("img", { src: message.photo_url, alt: words }));
  return el("span", { class: "attachment" }, el("span", { class: "sign", "aria-hidden": "true" }, SIGNS[message.attachment]), el("span", {}, words));
}
