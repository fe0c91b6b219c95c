// The bar's menu: what the page can do beyond showing. Keys as WAI-ARIA's menu button pattern has them.

/** In this order, a line between; an item without a group stands last. */
const GROUPS = ['keys', 'input', 'clipboard', 'power', 'view'];

export class Menu {
  #items = [];
  #button = null;
  #list = null;

  /** Puts the menu on the page: the button that opens it, and the `role=menu` element it fills. */
  attach(button, list) {
    this.#button = button;
    this.#list = list;
    list.hidden = true;
    button.setAttribute('aria-haspopup', 'menu');
    button.setAttribute('aria-expanded', 'false');
    button.addEventListener('click', () => (this.#isOpen() ? this.close() : this.#open(0)));
    button.addEventListener('keydown', (event) => {
      if (event.key === 'ArrowDown') this.#take(event, () => this.#open(0));
      else if (event.key === 'ArrowUp') this.#take(event, () => this.#open(-1));
    });
    list.addEventListener('keydown', (event) => this.#key(event));
    list.addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget && relatedTarget !== button && !list.contains(relatedTarget)) this.close();
    });
    button.ownerDocument.addEventListener('pointerdown', ({ target }) => {
      if (!list.contains(target) && !button.contains(target)) this.close();
    });
    this.refresh();
  }

  /**
   * Adds an item: `label` (text), `act` (called once the menu is closed and its button has the focus); where they are
   * there, `checked` (the item can be on or off), `hidden`, `group` (see GROUPS). `label`, `checked` and `hidden` may be
   * functions, asked whenever the menu is opened or refreshed. Returns what takes the item out again.
   */
  add(item) {
    this.#items.push(item);
    this.refresh();
    return () => {
      this.#items = this.#items.filter((other) => other !== item);
      this.refresh();
    };
  }

  /** Something that items depend on has changed. */
  refresh() {
    if (!this.#button) return;
    this.#button.hidden = this.#shown().length === 0;
    if (!this.#isOpen()) return;
    const at = this.#entries().indexOf(this.#list.ownerDocument.activeElement);
    if (this.#button.hidden) this.close();
    else this.#open(at);
  }

  close() {
    if (!this.#isOpen()) return;
    const held = this.#list.contains(this.#list.ownerDocument.activeElement);
    this.#list.hidden = true;
    this.#button.setAttribute('aria-expanded', 'false');
    if (held) this.#button.focus();
  }

  #isOpen() {
    return !this.#list.hidden;
  }

  #shown() {
    const place = ({ group }) => (GROUPS.includes(group) ? GROUPS.indexOf(group) : GROUPS.length);
    return this.#items.filter(({ hidden }) => !asked(hidden)).sort((a, b) => place(a) - place(b));
  }

  #entries() {
    return [...this.#list.children].filter((child) => child.getAttribute('role') !== 'separator');
  }

  /** Opens with the focus on the entry at `index`, counted from the end where it is negative. */
  #open(index) {
    const document = this.#list.ownerDocument;
    const children = [];
    let group = null;
    for (const item of this.#shown()) {
      if (children.length > 0 && item.group !== group) {
        const line = document.createElement('div');
        line.setAttribute('role', 'separator');
        children.push(line);
      }
      group = item.group;
      const entry = document.createElement('button');
      entry.type = 'button';
      entry.tabIndex = -1;
      entry.textContent = asked(item.label);
      entry.setAttribute('role', item.checked === undefined ? 'menuitem' : 'menuitemcheckbox');
      if (item.checked !== undefined) entry.setAttribute('aria-checked', String(Boolean(asked(item.checked))));
      entry.addEventListener('click', () => {
        this.close();
        item.act();
      });
      children.push(entry);
    }
    this.#list.replaceChildren(...children);
    this.#list.hidden = false;
    this.#button.setAttribute('aria-expanded', 'true');
    this.#entries().at(index)?.focus();
  }

  #key(event) {
    const entries = this.#entries();
    const at = entries.indexOf(this.#list.ownerDocument.activeElement);
    const go = (index) => this.#take(event, () => entries.at(index % entries.length)?.focus());
    if (event.key === 'ArrowDown') go(at + 1);
    else if (event.key === 'ArrowUp') go(at - 1);
    else if (event.key === 'Home') go(0);
    else if (event.key === 'End') go(-1);
    else if (event.key === 'Escape') this.#take(event, () => this.close());
    else if (event.key === 'Tab') this.close();
    else if (event.key.length === 1 && event.key !== ' ' && !event.ctrlKey && !event.altKey && !event.metaKey) {
      const from = [...entries.slice(at + 1), ...entries.slice(0, at + 1)];
      this.#take(event, () => from.find((entry) => entry.textContent.toLowerCase().startsWith(event.key.toLowerCase()))?.focus());
    } else event.stopPropagation(); // Enter and Space are the entry's own
  }

  /** The key is the menu's: neither the page's nor the desktop's. */
  #take(event, act) {
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

function asked(value) {
  return typeof value === 'function' ? value() : value;
}

/** The page's one. */
export const menu = new Menu();
