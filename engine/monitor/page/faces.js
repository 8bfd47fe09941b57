// The faces in view: crops to choose from, and the probabilities of the chosen one.

import { expressionColour } from "./colours.js";
import { expressionName, shownName, t } from "./texts.js";

const CROP = 64;
const list = document.getElementById("faces");
const bars = document.getElementById("bars");
const items = new Map();
let selected = null;
let missing = 0;

export const selectedFace = () => selected;

/** Show the faces of a picture. */
export function showFaces(header, bitmap, labels) {
  const present = new Set(header.faces.map((face) => face.id));
  for (const [id, item] of items) {
    if (!present.has(id)) {
      item.remove();
      items.delete(id);
    }
  }
  chooseOne(header.faces, present);
  for (const face of header.faces) drawCrop(face, header, bitmap);
  document.getElementById("no-face").hidden = header.faces.length > 0;
  showDetails(header.faces.find((face) => face.id === selected), labels);
}

/** Forget all faces, as after a change of source. */
export function forgetFaces() {
  items.forEach((item) => item.remove());
  items.clear();
  selected = null;
  document.getElementById("no-face").hidden = false;
  document.getElementById("face").hidden = true;
}

function chooseOne(faces, present) {
  missing = present.has(selected) ? 0 : missing + 1;
  // A face that is missed for a moment stays chosen.
  if (selected === null || (missing > 30 && faces.length)) selected = faces[0]?.id ?? null;
}

function drawCrop(face, header, bitmap) {
  if (!items.has(face.id)) items.set(face.id, newItem(face.id));
  const item = items.get(face.id);
  const button = item.firstChild;
  button.setAttribute("aria-pressed", String(face.id === selected));
  const name = `${face.id} ${shownName(face)}`.trim();
  if (button.lastChild.textContent !== name) button.lastChild.textContent = name;
  const scale = bitmap.width / header.width;
  const [x, y, w, h] = face.box.map((value) => value * scale);
  const side = Math.max(w, h);
  const left = x + w / 2 - side / 2;
  const top = y + h / 2 - side / 2;
  button.firstChild.getContext("2d").drawImage(bitmap, left, top, side, side, 0, 0, CROP, CROP);
}

function newItem(id) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const crop = document.createElement("canvas");
  crop.width = crop.height = CROP;
  crop.setAttribute("aria-hidden", "true");
  button.append(crop, document.createElement("span"));
  button.addEventListener("click", () => { selected = id; });
  item.append(button);
  // In the order of ids.
  const after = [...items.keys()].filter((other) => other > id).sort((a, b) => a - b)[0];
  list.insertBefore(item, after === undefined ? null : items.get(after));
  return item;
}

function showDetails(face, labels) {
  if (!face) return;
  document.getElementById("face").hidden = !face.probabilities;
  if (!face.probabilities) return;
  write("expression", shownName(face));
  const level = document.getElementById("level");
  level.className = `level ${face.level ?? ""}`;
  write("level", face.level ? t(`level_${face.level}`) : "");
  if (bars.childElementCount !== labels.length) bars.replaceChildren(...labels.map(newBar));
  labels.forEach((label, index) => {
    const [name, track, value] = bars.children[index].children;
    const percent = 100 * (face.probabilities[label] ?? 0);
    name.textContent = expressionName(label);
    track.firstChild.style.width = `${percent}%`;
    value.textContent = `${Math.round(percent)} %`;
  });
}

function newBar(label) {
  const item = document.createElement("li");
  const [name, track, value, fill] = Array.from({ length: 4 }, () => document.createElement("span"));
  track.className = "track";
  value.className = "value";
  fill.className = "fill";
  fill.style.display = "block";
  fill.style.background = expressionColour(label);
  track.append(fill);
  track.setAttribute("aria-hidden", "true");
  item.append(name, track, value);
  return item;
}

function write(id, text) {
  const element = document.getElementById(id);
  if (element.textContent !== text) element.textContent = text;
}
