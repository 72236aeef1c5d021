// A question with a few answers, in a dialog that the keyboard reaches, and Escape closes.

import { element } from "./dom.js";

/**
 * Ask, and return the value of the answer; null when the dialog was closed without one.
 * answers: [{label, value, isGrave}], the safe one first: it has the focus.
 */
export function ask(title, text, answers) {
  const buttons = answers.map(({ label, isGrave }) =>
    element("button", { type: "button", class: isGrave ? "grave" : null }, label),
  );
  const dialog = element(
    "dialog",
    { "aria-labelledby": "ask-title", "aria-describedby": "ask-text" },
    element("h2", { id: "ask-title" }, title),
    element("p", { id: "ask-text" }, text),
    element("div", { class: "actions" }, ...buttons),
  );
  document.body.append(dialog);
  return new Promise((resolve) => {
    let chosen = null;
    buttons.forEach((button, at) =>
      button.addEventListener("click", () => {
        chosen = answers[at].value;
        dialog.close();
      }),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(chosen);
    });
    dialog.showModal();
  });
}
