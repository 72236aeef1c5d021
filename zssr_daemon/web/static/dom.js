// The document: elements made, changed and kept in order, never from text that is parsed.

/** Make an element; `null` children are left out. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Change a text only if it differs, so that nobody's selection is lost. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
  node.hidden = text === "";
}

export const byId = (id) => document.getElementById(id);

/**
 * Make the children of `parent` match `items`, keeping elements (and the focus in them).
 *
 * keyOf: item to a key. make: item to an object with `root` and `update(item)`.
 */
export class KeyedList {
  #made = new Map();

  constructor(parent, keyOf, make) {
    this.parent = parent;
    this.keyOf = keyOf;
    this.make = make;
  }

  show(items) {
    const wanted = new Map(items.map((item) => [this.keyOf(item), item]));
    for (const [key, part] of this.#made) {
      if (wanted.has(key)) continue;
      part.root.remove();
      this.#made.delete(key);
    }
    let at = this.parent.firstElementChild;
    for (const [key, item] of wanted) {
      const part = this.#made.get(key) ?? this.make(item);
      this.#made.set(key, part);
      part.update(item);
      if (part.root === at) at = at.nextElementSibling;
      else this.parent.insertBefore(part.root, at);
    }
  }
}
