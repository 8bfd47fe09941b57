// Settings that change while the engine runs.

import { ask, tell } from "./api.js";

const NUMBERS = ["detect_every", "smooth_s", "min_confidence", "min_score"];
const SWITCHES = ["blur", "mirror", "landmarks"];
const valueOf = (name) => (field(name).value === "auto" ? "auto" : Number(field(name).value));
const field = (id) => document.getElementById(id);

/** Show the settings in force, but never over what somebody is typing. */
export function showSettings(settings) {
  for (const name of SWITCHES) field(name).checked = settings[name];
  if (!field("settings").open) for (const name of NUMBERS) field(name).value = settings[name];
}

/** Wire the dialog and the switches. */
export function startSettings(refresh) {
  const dialog = field("settings");
  field("settings-open").addEventListener("click", () => dialog.showModal());
  field("settings-close").addEventListener("click", () => dialog.close());
  field("settings-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const change = Object.fromEntries(NUMBERS.map((name) => [name, valueOf(name)]));
    tell(async () => {
      await ask("settings", "PATCH", change);
      dialog.close();
      await refresh();
    });
  });
  for (const name of SWITCHES) {
    field(name).addEventListener("change", () =>
      tell(() => ask("settings", "PATCH", { [name]: field(name).checked })).then(refresh));
  }
}
