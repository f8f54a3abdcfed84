// The treemap as a widget. In front of this stand the modules of mem.html, which draw it;
// here is only what knows Jupyter: the payload comes from the model, the koids go back to it.

function render({ model, el }) {
  const home = document.createElement("div");
  const problem = document.createElement("p");
  problem.className = "mx-problem";
  problem.setAttribute("role", "alert");
  // Arrows, Enter and Escape move in the treemap, not in the notebook.
  home.dataset.lmSuppressShortcuts = "true";
  el.append(problem, home);

  let view = null;
  let latest = 0;
  const show = async () => {
    latest += 1;
    const mine = latest;
    const text = model.get("payload");
    if (!text) return;
    const data = await readPayload(text);
    if (mine !== latest) return;
    if (view) view.update(data);
    else {
      const onSelect = (koids, label, path, said) => model.send({ koids, label, path, said });
      view = mountTreemap(home, data, { height: model.get("height"), bare: model.get("bare"), onSelect });
    }
    measure();
    choose();
  };
  const measure = () => view?.setUnit(model.get("unit"));
  const choose = () => {
    const { koids, zoom } = model.get("chosen");
    if (koids) view?.choose(koids, zoom);
  };
  const tell = () => {
    problem.textContent = model.get("error");
    problem.hidden = !model.get("error");
  };
  model.on("change:payload", show);
  model.on("change:error", tell);
  model.on("change:unit", measure);
  model.on("change:chosen", choose);
  tell();
  show();
  return () => {
    latest += 1;
    model.off("change:payload", show);
    model.off("change:error", tell);
    model.off("change:unit", measure);
    model.off("change:chosen", choose);
    view?.destroy();
  };
}

export default { render };
