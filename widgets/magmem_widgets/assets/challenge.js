// A challenge above an explorer: what to reach, a hint, and whether it is reached.

/** The words before the challenge: which one it is, and how many are reached. */
export function counter(at, many, done) {
  const reached = done.filter(Boolean).length;
  return `Challenge ${at + 1} of ${many}${reached ? `, ${reached} reached` : ""}`;
}

function render({ model, el }) {
  const root = document.createElement("section");
  root.className = "mc-box mx-box";
  const head = document.createElement("div");
  head.className = "mc-head";
  const count = document.createElement("span");
  count.className = "mc-count";
  const ask = document.createElement("div");
  ask.className = "mc-ask";
  const button = (text, label, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "mc-button";
    made.textContent = text;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", () => model.send({ act }));
    return made;
  };
  const hint = button("Hint", "a hint for this challenge", "hint");
  const buttons = document.createElement("span");
  buttons.className = "mc-buttons";
  buttons.append(hint, button("‹", "the challenge before", "back"), button("›", "the next challenge", "next"));
  const said = document.createElement("div");
  said.className = "mc-said";
  said.setAttribute("role", "status");
  head.append(count, ask, buttons);
  root.append(head, said);
  el.append(root);
  const show = () => {
    const done = model.get("done");
    const at = model.get("at");
    root.setAttribute("aria-label", counter(at, model.get("many"), done));
    count.textContent = `${done[at] ? "✓ " : ""}${counter(at, model.get("many"), done)}`;
    root.classList.toggle("mc-done", Boolean(done[at]));
    ask.innerHTML = model.get("ask");
    said.innerHTML = model.get("said");
    hint.disabled = !model.get("more");
  };
  const watched = ["at", "done", "ask", "said", "more"];
  for (const name of watched) model.on(`change:${name}`, show);
  show();
  return () => {
    for (const name of watched) model.off(`change:${name}`, show);
    root.remove();
  };
}

export default { render };
