// Light or dark: the system's wish until the user chooses.

const system = matchMedia("(prefers-color-scheme: dark)");

/** Apply the theme and wire its switch. */
export function startTheme(onChange = () => {}) {
  const button = document.getElementById("theme");
  const apply = () => {
    const chosen = localStorage.getItem("theme") ?? (system.matches ? "dark" : "light");
    document.documentElement.dataset.theme = chosen;
    button.setAttribute("aria-pressed", String(chosen === "dark"));
    onChange();
  };
  button.addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme === "dark";
    localStorage.setItem("theme", dark ? "light" : "dark");
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

/** A colour of the style sheet, for canvases. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
