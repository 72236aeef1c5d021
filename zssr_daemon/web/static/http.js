// Requests to the page's server: JSON both ways, and a refusal as an error in words.

/** A request that was refused, or that did not get through; `status` is 0 without an answer. */
class RefusedError extends Error {
  constructor(message, cure = null, status = 0) {
    super(message);
    this.cure = cure;
    this.status = status;
  }
}

const BROKEN = "The page's server does not answer.";
const BROKEN_CURE = "Wait a moment, and try again.";

/** The error for an answer that is no success; `text` is its body. */
export function refusal(status, text) {
  if (status === 0) return new RefusedError(BROKEN, BROKEN_CURE, 0);
  try {
    const { error, cure } = JSON.parse(text);
    if (error) return new RefusedError(error, cure ?? null, status);
  } catch {
    // Not JSON: something between browser and server has answered.
  }
  return new RefusedError(`The server answered ${status}.`, BROKEN_CURE, status);
}

/** What every write carries: no form of another site can send it. */
export const WRITE_HEADERS = { "X-ZSSR": "1" };

/** Send a request, and return what the answer's JSON says; null for an empty one. */
export async function send(method, path, body = null, headers = {}) {
  const given = method === "GET" ? {} : { ...WRITE_HEADERS };
  let payload = body;
  if (body !== null && !(body instanceof Blob)) {
    given["Content-Type"] = "application/json";
    payload = JSON.stringify(body);
  }
  let response, text;
  try {
    response = await fetch(path, { method, body: payload, headers: { ...given, ...headers } });
    text = await response.text();
  } catch {
    throw refusal(0, "");
  }
  if (response.status === 401 && location.pathname !== "/login") askToLogIn();
  if (!response.ok) throw refusal(response.status, text);
  return text === "" ? null : JSON.parse(text);
}

/** Fetch a picture, and return the address of it in this browser; to be revoked. */
export async function pictureAt(path) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw refusal(0, "");
  }
  if (response.status === 401) askToLogIn();
  if (!response.ok) throw refusal(response.status, await response.text());
  return URL.createObjectURL(await response.blob());
}

/** Where a part of a job's source or result is, {x, y, w, h} in pixels of the result. */
export function cropPath(id, side, part) {
  return `/jobs/${id}/crop?${new URLSearchParams({ side, ...part })}`;
}

/** Go to the login, and come back to this view afterwards. */
export function askToLogIn() {
  sessionStorage.setItem("after-login", location.pathname + location.search);
  location.assign("/login");
}

export const get = (path) => send("GET", path);
export const post = (path, body = {}) => send("POST", path, body);
