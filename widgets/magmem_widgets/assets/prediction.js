// A question with an input for the guess. Python judges; this shows the question, takes what is typed
// or chosen, and says the verdict. The answer reaches the page only after the guess.

/** What the form holds: text, the chosen option, or a list of chosen options; null if nothing yet. */
export function guessOf(kind, fields) {
  const chosen = fields.filter((field) => field.checked).map((field) => field.value);
  if (kind === "which") return chosen;
  if (kind === "choice") return chosen[0] ?? null;
  const text = (fields[0]?.value ?? "").trim();
  return text === "" ? null : text;
}

/** What stands before the question: where it is in a row of questions, or an invitation. */
export function heading(model) {
  return model.get("place") || "Your guess first";
}

let groups = 0;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The fields of a question: one line of text, or a radio button or box for each option. */
function makeFields(model, group) {
  const kind = model.get("kind");
  if (kind === "size" || kind === "count") {
    const field = element("input", { type: "text", class: "mp-text", placeholder: model.get("form"), "aria-label": `your guess, ${model.get("form")}`, maxlength: 60, autocomplete: "off" });
    return { fields: [field], node: field };
  }
  const type = kind === "which" ? "checkbox" : "radio";
  const fields = model.get("options").map((option) => element("input", { type, name: group, value: option }));
  const rows = fields.map((field) => element("label", { class: "mp-option" }, field, element("span", {}, field.value)));
  return { fields, node: element("div", { class: "mp-options" }, ...rows) };
}

function render({ model, el }) {
  groups += 1;
  const legend = element("legend", { class: "mp-ask" });
  const form = element("form", { class: "mp-form" });
  const set = element("fieldset", { class: "mp-set" }, legend);
  const status = element("div", { class: "mp-status", role: "status" });
  const root = element("div", { class: "mp-box mx-box" }, form, status);
  form.append(set);
  el.append(root);
  let fields = [];
  let buttons = null;

  const build = () => {
    const made = makeFields(model, `mp-${groups}-${Math.random()}`);
    fields = made.fields;
    const send = element("button", { type: "submit", class: "mp-button mp-main" }, "Guess");
    const skip = element("button", { type: "button", class: "mp-button mp-skip" }, model.get("skip"));
    skip.addEventListener("click", () => model.send({ act: "skip" }));
    buttons = element("div", { class: "mp-buttons" }, send, ...(model.get("skip") ? [skip] : []));
    const short = element("p", { class: "mp-heading" }, heading(model));
    const ask = element("div", {});
    ask.innerHTML = model.get("ask");
    legend.replaceChildren(short, ask);
    set.replaceChildren(legend, element("div", { class: "mp-answer" }, made.node, buttons));
    show();
  };
  const show = () => {
    const done = model.get("done");
    const kept = model.get("kept");
    set.disabled = done;
    root.classList.toggle("mp-done", done);
    if (buttons) buttons.hidden = done;
    if (done && kept !== null) {
      for (const field of fields) {
        if (field.type === "text") field.value = kept;
        else field.checked = [kept].flat().includes(field.value);
      }
    }
    const error = model.get("error");
    const said = element("div", { class: error ? "mp-error" : `mp-verdict mp-${model.get("mark") || "none"}` });
    if (error) said.textContent = error;
    else said.innerHTML = model.get("verdict");
    status.replaceChildren(...(error || model.get("verdict") ? [said] : []));
    if (model.get("next")) {
      const next = element("button", { type: "button", class: "mp-button mp-main" }, model.get("next"));
      next.addEventListener("click", () => model.send({ act: "next" }));
      status.append(next);
      if (root.contains(document.activeElement) || document.activeElement === document.body) next.focus({ preventScroll: true });
    }
  };
  const submit = (event) => {
    event.preventDefault();
    event.stopPropagation();
    const guess = guessOf(model.get("kind"), fields);
    if (guess === null) fields[0]?.focus();
    else model.send({ act: "guess", guess });
  };
  form.addEventListener("submit", submit);
  // A notebook takes Enter for itself before a form would be submitted.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.localName === "input") submit(event);
  });
  model.on("change:ask", build);
  for (const name of ["done", "verdict", "error", "next"]) model.on(`change:${name}`, show);
  build();
  return () => {
    model.off("change:ask", build);
    for (const name of ["done", "verdict", "error", "next"]) model.off(`change:${name}`, show);
    root.remove();
  };
}

export default { render };
