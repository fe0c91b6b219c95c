// As much of a document as menu.js needs: elements with attributes, children, listeners, and one that has the focus.

class FakeElement {
  attributes = new Map();
  children = [];
  parent = null;
  hidden = false;
  textContent = '';
  #listeners = [];

  constructor(ownerDocument) {
    this.ownerDocument = ownerDocument;
  }

  setAttribute(name, value) { this.attributes.set(name, String(value)); }
  getAttribute(name) { return this.attributes.get(name) ?? null; }
  addEventListener(type, listener) { this.#listeners.push([type, listener]); }
  contains(other) { return other === this || this.children.some((child) => child.contains(other)); }

  replaceChildren(...children) {
    this.children = children;
    for (const child of children) child.parent = this;
  }

  focus() {
    if (!this.hidden) this.ownerDocument.activeElement = this;
  }

  /** The listeners' turn, from here upwards. */
  fire(type, members = {}) {
    let stopped = false;
    const event = { type, target: this, preventDefault() {}, stopPropagation() { stopped = true; }, ...members };
    for (let at = this; at && !stopped; at = at.parent) for (const [wanted, listener] of at.#listeners) if (wanted === type) listener(event);
  }

  press(key) { this.fire('keydown', { key }); }
  click() { this.fire('click'); }
}

export function fakeDocument() {
  const document = new FakeElement(null);
  document.activeElement = null;
  document.createElement = () => new FakeElement(document);
  return document;
}
