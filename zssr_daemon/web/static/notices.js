// What stands above everything: pauses, a daemon that is away, and refusals of what was asked.

import { element, setText, byId } from "./dom.js";
import { moment } from "./words.js";

/** The notices that a snapshot or status calls for: [{key, isAlert, text, cure}]. */
export function noticesOf(status, daemon, isUp) {
  if (!isUp) {
    const text = "The page's server is away. What has arrived is safe; this page tries again.";
    return [{ key: "link", isAlert: true, text }];
  }
  if (daemon === "away" || status === null) {
    const text = "The daemon is not running. What you send waits in the inbox until it is.";
    return daemon === "away" ? [{ key: "daemon", isAlert: true, text }] : [];
  }
  const found = status.faults.map((fault) => ({ key: fault, isAlert: true, text: fault }));
  if (status.pause !== null) {
    const { reason, reason_text: sentence, message, cure, since } = status.pause;
    const text = `Paused since ${moment(since)} (${reason}): ${sentence ?? message}`;
    found.push({ key: `pause ${since}`, isAlert: true, text, cure: cure ?? "" });
  }
  if (status.phase === "starting") found.push({ key: "starting", text: "The daemon is starting." });
  if (status.phase === "draining") {
    const text = "The daemon is draining: it finishes what is in work, then ends.";
    found.push({ key: "draining", text });
  }
  return found;
}

/** One notice: a box with its text and cure. */
export class Notice {
  constructor({ isAlert }) {
    this.text = element("strong");
    this.cure = element("span", { class: "cure" });
    this.root = element(
      "div",
      { class: "notice", role: isAlert ? "alert" : "status" },
      this.text,
      this.cure,
    );
    this.root.classList.toggle("alert", Boolean(isAlert));
  }

  update({ text, cure = "" }) {
    setText(this.text, text);
    setText(this.cure, cure);
  }
}

/** Tell that something which was asked for has been refused; it stays until it is dismissed. */
export function tellRefusal(error) {
  const box = element("div", { class: "notice alert", role: "alert" });
  const dismiss = element("button", { type: "button", class: "small" }, "Dismiss");
  dismiss.addEventListener("click", () => box.remove());
  box.append(
    element("strong", {}, error.message),
    element("span", { class: "cure" }, error.cure ?? ""),
    dismiss,
  );
  byId("refusals").replaceChildren(box);
}

/** Say something to those who listen to the page; it is not seen. */
export function announce(text) {
  byId("announced").textContent = text;
}
