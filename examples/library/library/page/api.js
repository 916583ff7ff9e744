/**
 * The one way to the API, and who is signed in.
 *
 * The access token is in memory only. The refresh token is in memory too, and in the session storage for no longer than
 * the page is being left: so a reload stays signed in, and a tab that was duplicated does not get the token of the
 * other, whose second use would end the session of both.
 */
const ROOT = new URL("../", import.meta.url);
const KEPT = `library:${ROOT.pathname}`;
const TIMEOUT_MS = 15_000;
const WAITS_S = [0.5, 1, 2, 4, 8, 16];
const AWAY = new Set([502, 503, 504]);

/** An answer that is an error: a problem document. */
export class Problem extends Error {
  constructor(status, { title, detail, code, errors = [], id } = {}, retryAfterS) {
    super(detail ?? title ?? `status ${status}`);
    Object.assign(this, { status, title, detail, code, errors, id, retryAfterS });
  }
}

/** No answer. */
export class Unreachable extends Error {}

/**
 * The client. Its events: `user` (somebody signed in or out), `expired` (the session is about to end by itself),
 * `away` and `back` (the server does not answer, and does again).
 */
class Api extends EventTarget {
  user = null;
  #access = null;
  #refresh = null;
  #refreshing = null;
  #hurry = new Set();
  #missing = 0;
  #others = "BroadcastChannel" in window ? new BroadcastChannel(KEPT) : null;

  constructor() {
    super();
    this.#take();
    addEventListener("pagehide", () => this.#refresh && sessionStorage.setItem(KEPT, this.#refresh));
    addEventListener("pageshow", (event) => event.persisted && sessionStorage.removeItem(KEPT));
    addEventListener("online", () => this.hurry());
    this.#others?.addEventListener("message", () => this.user && this.#end());
  }

  get isStaff() {
    return this.user !== null && this.user.role !== "member";
  }

  /** Go on with the session of before a reload, if there is one. */
  async resume() {
    if (this.#refresh) {
      await this.#renew();
      if (this.#access) {
        this.#become((await this.get("users/me")).data);
      }
    }
  }

  async login(email, password) {
    const { data } = await this.#ask("POST", "users/login", { body: { email, password }, anonymous: true });
    this.#accept(data);
    this.#become((await this.get("users/me")).data);
  }

  register(body) {
    return this.#ask("POST", "users/register", { body, anonymous: true });
  }

  /** Sign out here and in all other tabs, each of which has a session of its own. */
  async logout() {
    this.#others?.postMessage("out");
    await this.#end();
  }

  /** Get `{data, etag}`; asks again until there is an answer. */
  get(path, { query, signal } = {}) {
    return this.#ask("GET", path, { query, signal });
  }

  /** Send something; with a `key` it is safe to send it again, and so it is until there is an answer. */
  send(method, path, body, { match, key } = {}) {
    return this.#ask(method, path, { body, match, key });
  }

  /** Do not wait any longer before asking again. */
  hurry() {
    this.#hurry.forEach((go) => go());
  }

  async #ask(method, path, options) {
    const patient = method === "GET" || options.key !== undefined;
    let refreshed = false;
    for (let tries = 0; ; tries += 1) {
      const token = options.anonymous ? null : this.#access;
      try {
        return await this.#fetch(method, path, options, token);
      } catch (error) {
        if (error.status === 401 && token && !refreshed) {
          refreshed = true;
          if (token === this.#access) {
            await this.#renew();
          }
          if (this.#access) {
            continue;
          }
        }
        const away = error instanceof Unreachable || AWAY.has(error.status);
        if (!away || !patient || tries === WAITS_S.length) {
          throw error;
        }
        await this.#wait(error.retryAfterS ?? WAITS_S[tries], options.signal);
      }
    }
  }

  async #fetch(method, path, { query, body, match, key, signal }, token) {
    const url = new URL(path, ROOT);
    // The commas between the parts of a list stay as they are; one inside a part is written as %2C.
    const sent = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== "");
    url.search = sent.map(([name, value]) => `${name}=${[value].flat().map(encodeURIComponent).join(",")}`).join("&");
    const headers = {
      Accept: "application/json, application/problem+json",
      ...(body !== undefined && { "Content-Type": "application/json" }),
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(match && { "If-Match": match }),
      ...(key && { "Idempotency-Key": key }),
    };
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const stop = signal ? AbortSignal.any([signal, timeout]) : timeout;
    let response, text;
    try {
      // What is shown is what is so: the browser's own cache only answers after the server has agreed to it.
      response = await fetch(url, { method, headers, body: JSON.stringify(body), cache: "no-cache", signal: stop });
      text = await response.text();
    } catch (error) {
      throw signal?.aborted ? signal.reason : new Unreachable(String(error));
    }
    const isJson = /^application\/(problem\+)?json/.test(response.headers.get("Content-Type"));
    const data = isJson && text ? JSON.parse(text) : undefined;
    if (!response.ok) {
      const after = response.headers.get("Retry-After");
      throw new Problem(response.status, data, after === null ? undefined : Number(after));
    }
    return { data, etag: response.headers.get("ETag") };
  }

  /** Wait, and tell that there is no answer as long as anything waits. */
  async #wait(seconds, signal) {
    this.#missing += 1;
    this.dispatchEvent(new Event("away"));
    let timer, go;
    try {
      await new Promise((resolve, reject) => {
        go = resolve;
        timer = setTimeout(go, seconds * 1000);
        this.#hurry.add(go);
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    } finally {
      clearTimeout(timer);
      this.#hurry.delete(go);
      this.#missing -= 1;
      if (this.#missing === 0) {
        this.dispatchEvent(new Event("back"));
      }
    }
  }

  /** Get the next tokens, once for all who wait for them. */
  #renew() {
    this.#refreshing ??= this.#next().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #next() {
    try {
      const body = { refresh_token: this.#refresh };
      const { data } = await this.#ask("POST", "users/refresh", { body, anonymous: true });
      this.#accept(data);
    } catch (error) {
      if (!(error instanceof Problem) || error.status >= 429) {
        throw error; // the token is as good as before
      }
      this.dispatchEvent(new Event("expired"));
      this.#forget();
    }
  }

  async #end() {
    const token = this.#access;
    this.#forget();
    if (token) {
      await this.#fetch("POST", "users/logout", {}, token).catch(() => {}); // it ends by itself soon enough
    }
  }

  #take() {
    this.#refresh = sessionStorage.getItem(KEPT);
    sessionStorage.removeItem(KEPT);
  }

  #accept({ access_token, refresh_token }) {
    this.#access = access_token;
    this.#refresh = refresh_token;
  }

  #forget() {
    this.#access = this.#refresh = null;
    sessionStorage.removeItem(KEPT);
    this.#become(null);
  }

  #become(user) {
    const changed = this.user?.id !== user?.id;
    this.user = user;
    if (changed) {
      this.dispatchEvent(new Event("user"));
    }
  }
}

export const api = new Api();

/** Make a key for a request that must be done once only. */
export function newKey() {
  // `crypto.randomUUID` is missing where the page does not come over HTTPS.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
