// The list of sources, and what can be added.

import { ask, tell } from "./api.js";
import { t } from "./texts.js";

const list = document.getElementById("sources");

/** Show the sources; `pick` is called with the number of one that is chosen. */
export function showSources(sources, chosen, pick, refresh) {
  const items = sources.map((source) => itemOf(source, source.source === chosen, pick, refresh));
  // Without a change the list stays as it is, and so does the focus in it.
  const text = items.map((item) => item.outerHTML).join();
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  list.replaceChildren(...items);
  if (focused) list.querySelector(`[data-key="${focused}"]`)?.focus();
}

function itemOf(source, chosen, pick, refresh) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "pick";
  button.dataset.key = `pick-${source.source}`;
  button.setAttribute("aria-pressed", String(chosen));
  const dot = document.createElement("span");
  dot.className = `dot ${source.state}`;
  dot.setAttribute("aria-hidden", "true");
  const name = document.createElement("span");
  name.textContent = `${source.source} · ${source.name}`;
  button.append(dot, name);
  button.addEventListener("click", () => pick(source.source));
  const state = document.createElement("span");
  state.className = "state";
  state.textContent = stateText(source);
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "icon";
  remove.dataset.key = `remove-${source.source}`;
  remove.textContent = "✕";
  remove.setAttribute("aria-label", t("remove", { name: source.name }));
  remove.addEventListener("click", () =>
    tell(() => ask(`sources/${source.source}`, "DELETE")).then(refresh));
  item.append(button, state, remove);
  if (source.message) {
    const why = document.createElement("p");
    why.className = "why";
    why.textContent = source.message;
    item.append(why);
  }
  return item;
}

/** The state of a source in words, with its speed. */
export function stateText(source) {
  const state = t(`state_${source.state}`);
  return source.state === "running" ? `${state} · ${Math.round(source.fps)} fps` : state;
}

/** Offer the cameras and files of the box, and wire the form. */
export async function startAdding(added) {
  const add = (uri) => tell(() => ask("sources", "POST", { uri })).then((source) => {
    if (source) {
      document.getElementById("uri").value = "";
      added(source.source);
    }
  });
  const form = document.getElementById("add");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    add(document.getElementById("uri").value);
  });
  // Sent before this, by the browser itself, the source and its password end in the address bar.
  form.querySelector("button").disabled = false;
  const { cameras, files } = await ask("offers");
  document.getElementById("offers").replaceChildren(
    ...[...cameras, ...files, "demo"].map((uri) => new Option(uri, uri)),
  );
  document.getElementById("offer-buttons").replaceChildren(
    ...[...cameras, "demo", ...files.slice(0, 6)].map((uri) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `+ ${uri.split("/").pop()}`;
      button.title = uri;
      button.addEventListener("click", () => add(uri));
      return button;
    }),
  );
}
