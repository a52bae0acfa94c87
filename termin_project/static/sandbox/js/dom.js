// Small helpers for building the page out of data. Nothing here ever takes markup as text.

/** An element with attributes and children; `class`, `on…` handlers and plain text included. */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** One of the icons drawn at the top of the page. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

const TAGS = new Set(["B", "I", "U", "S", "CODE", "PRE", "BLOCKQUOTE", "A", "SPAN"]);

/** A message's HTML as nodes: only the tags a messenger knows, only links that lead to a page. */
export function formatted(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const target = document.createDocumentFragment();
  copy(parsed.body, target);
  return target;
}

function copy(from, to) {
  for (const child of from.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) {
      to.append(child.textContent);
    } else if (child.nodeType === Node.ELEMENT_NODE) {
      const next = TAGS.has(child.tagName) ? document.createElement(child.tagName) : to;
      if (child.tagName === "A") {
        const href = child.getAttribute("href") || "";
        if (/^(https?|mailto|tg):/.test(href)) next.setAttribute("href", href);
        next.setAttribute("target", "_blank");
        next.setAttribute("rel", "noopener noreferrer");
      }
      if (child.tagName === "SPAN") {
        next.className = "tg-spoiler";
        next.tabIndex = 0;
      }
      copy(child, next);
      if (next !== to) to.append(next);
    }
  }
}

export const byId = (id) => document.getElementById(id);
