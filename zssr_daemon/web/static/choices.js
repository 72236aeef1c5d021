// The choices of a batch, read from the form, and kept by the browser for the next visit.

const KEPT = "choices";

export class Choices {
  constructor(form) {
    this.form = form;
    this.size = form.elements.size;
    this.#restore();
    form.addEventListener("input", () => this.#changed());
    form.addEventListener("submit", (event) => event.preventDefault());
    this.#changed();
  }

  /** The batches that files go to: one, or two where a second preset is chosen. */
  batches() {
    const first = this.#read();
    const also = this.form.elements.also.value;
    return also === "" || also === first.preset ? [first] : [first, { ...first, preset: also }];
  }

  /** What is chosen; what is left out stays as the daemon's settings have it. */
  #read() {
    const { preset, scale, auto, format, report } = this.form.elements;
    const chosen = { preset: preset.value, scale: scale.value, format: format.value };
    if (chosen.scale === "size") chosen.scale = this.size.value.trim();
    for (const [key, value] of Object.entries(chosen)) if (value === "") delete chosen[key];
    if (auto.value !== "") chosen.auto = auto.value === "true";
    if (report.checked) chosen.report = true;
    return chosen;
  }

  #changed() {
    const isSize = this.form.elements.scale.value === "size";
    this.size.closest("label").hidden = !isSize;
    this.size.required = isSize;
    const values = {};
    for (const field of this.form.elements) {
      if (field.name) values[field.name] = field.type === "checkbox" ? field.checked : field.value;
    }
    localStorage.setItem(KEPT, JSON.stringify(values));
  }

  #restore() {
    let values;
    try {
      values = JSON.parse(localStorage.getItem(KEPT)) ?? {};
    } catch {
      return;
    }
    for (const [name, value] of Object.entries(values)) {
      const field = this.form.elements[name];
      if (field === undefined) continue;
      if (field.type === "checkbox") field.checked = value === true;
      else if (
        field.tagName !== "SELECT" ||
        [...field.options].some((each) => each.value === value)
      ) {
        field.value = value;
      }
    }
  }
}
