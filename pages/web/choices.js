// What the user has chosen on this page, kept by the browser where it lets us.

const PREFIX = 'casement-';

export function chosen(name, otherwise = null) {
  try {
    return localStorage.getItem(PREFIX + name) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function choose(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // The browser keeps nothing for us: then it holds for as long as the page.
  }
}
