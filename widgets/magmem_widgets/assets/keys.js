// Keys pressed in an explorer are the explorer's. In a notebook a plain letter or arrow is a shortcut
// (b adds a cell, an arrow leaves for the next one), wherever in the output the focus is. JupyterLab
// spares an element that has the attribute below, if it is the one with the focus. Shortcuts with
// Ctrl, Alt, Shift or ⌘ stay the notebook's.

const SPARED = "data-lm-suppress-shortcuts";

/** Whether a key event is a plain key: what it means is up to the control that has the focus. */
export function isPlain(event) {
  return !(event.ctrlKey || event.altKey || event.metaKey || event.shiftKey);
}

/** Let explorers keep plain keys; once a page, however many there are. */
export function keepKeys(page) {
  if (page.magmemKeepsKeys) return;
  page.magmemKeepsKeys = true;
  const listen = (event) => {
    if (event.target.closest?.(".mx-box")) event.target.toggleAttribute(SPARED, isPlain(event));
  };
  page.addEventListener("keydown", listen, true);
}

if (typeof window !== "undefined") keepKeys(window);
