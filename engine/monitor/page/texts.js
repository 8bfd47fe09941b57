// The page's words: one JSON file a language, chosen by the browser or the user.

let texts = {};
let code = "en";
const listeners = [];

export const language = () => code;

/** The text of a key, with {name} replaced; English where a language lacks it. */
export function t(key, values = {}) {
  const text = texts[code]?.[key] ?? texts.en?.[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** A label of the model in the reader's language; as it is where nobody translated it. */
export function expressionName(label) {
  return texts[code]?.[`expression_${label}`] ?? label;
}

/** The face's expression, or why there is none; empty where expressions are off. */
export function shownName(face) {
  if (face.unsure) return t(`unsure_${face.unsure}`);
  return face.expression ? expressionName(face.expression) : "";
}

/** The part of a message meant for the reader. */
export function inLanguage(byCode) {
  return byCode[code] ?? byCode.en ?? Object.values(byCode)[0] ?? "";
}

export const whenTextsChange = (listener) => listeners.push(listener);

/** Load all languages, fill the chooser, and write the page's words. */
export async function loadTexts() {
  texts = await (await fetch("languages")).json();
  const chooser = document.getElementById("language");
  for (const [key, words] of Object.entries(texts)) {
    chooser.add(new Option(words.name, key));
  }
  const wanted = [localStorage.getItem("language"), ...navigator.languages];
  choose(wanted.map((one) => one?.split("-")[0]).find((one) => one in texts) ?? "en");
  chooser.value = code;
  chooser.addEventListener("change", () => {
    localStorage.setItem("language", chooser.value);
    choose(chooser.value);
  });
}

function choose(chosen) {
  code = chosen;
  document.documentElement.lang = code;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = t(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
    element.title = t(element.dataset.label);
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) {
    element.placeholder = t(element.dataset.placeholder);
  }
  listeners.forEach((listener) => listener());
}
