// Talking to the handles: JSON in, JSON out; an error carries the words of the answer.

export class ApiError extends Error {}

export class Api {
  constructor(base) {
    this.base = base;
  }

  async get(path, query = {}) {
    return this.#answer(fetch(`${this.base}${path}?${new URLSearchParams(query)}`, { cache: "no-store" }));
  }

  async post(path, body) {
    return this.#answer(
      fetch(`${this.base}${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
  }

  async #answer(request) {
    const response = await request;
    const body = await response.json();
    if (!response.ok) throw new ApiError(body.error || response.statusText);
    return body;
  }
}
