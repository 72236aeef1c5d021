// The login: the token of a link, or one that is typed, is exchanged for a cookie.

import { byId } from "./dom.js";
import { post } from "./http.js";

const MARK = "token=";

/** The token in a link, or the text itself. */
function tokenIn(text) {
  const at = text.indexOf(MARK);
  return (at < 0 ? text : text.slice(at + MARK.length)).trim();
}

/** Where the reader wanted to go; only a path of this page. */
function target() {
  const path = sessionStorage.getItem("after-login") ?? "/";
  sessionStorage.removeItem("after-login");
  return path.startsWith("/") && !path.startsWith("//") ? path : "/";
}

async function logIn(token) {
  byId("login-error").textContent = "";
  try {
    await post("/login", { token });
    location.replace(target());
  } catch (error) {
    byId("login-error").textContent = [error.message, error.cure].filter(Boolean).join(" ");
    byId("token").focus();
  }
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  logIn(tokenIn(byId("token").value));
});

if (location.hash.includes(MARK)) {
  const token = tokenIn(location.hash);
  history.replaceState(null, "", location.pathname); // the token stays in no history
  logIn(token);
} else {
  byId("token").focus();
}
window.addEventListener("hashchange", () => location.hash.includes(MARK) && location.reload());
