// The picture with its faces.

import { faceColour } from "./colours.js";
import { expressionName, shownName } from "./texts.js";

const canvas = document.getElementById("picture");
const context = canvas.getContext("2d", { alpha: false });

/** Draw a picture, and a box with id and expression for each face, and its landmarks. */
export function drawPicture(header, bitmap, selected) {
  const { width, height } = header;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  context.drawImage(bitmap, 0, 0, width, height);
  const unit = Math.max(1, Math.min(width, height) / 400);
  for (const face of header.faces) drawFace(face, unit, face.id === selected);
}

function drawFace(face, unit, selected) {
  const [x, y, w, h] = face.box;
  context.lineWidth = (selected ? 3.5 : 2) * unit;
  context.strokeStyle = faceColour(face.id);
  context.strokeRect(x, y, w, h);
  context.font = `600 ${13 * unit}px system-ui, "Noto Sans CJK SC", sans-serif`;
  const text = captionOf(face);
  const wide = context.measureText(text).width + 10 * unit;
  const left = Math.max(0, Math.min(x - context.lineWidth / 2, canvas.width - wide));
  const top = Math.max(0, y - 20 * unit);
  context.fillStyle = faceColour(face.id);
  context.fillRect(left, top, wide, 19 * unit);
  context.fillStyle = "#000";
  context.textBaseline = "middle";
  context.fillText(text, left + 5 * unit, top + 10 * unit);
  drawLandmarks(face, unit);
}

function drawLandmarks(face, unit) {
  // Dots of a small face are small, that it can still be seen.
  const radius = Math.max(1, Math.min(2.2 * unit, face.box[2] / 40));
  context.lineWidth = Math.max(1, 0.4 * radius);
  context.strokeStyle = "#000";
  context.fillStyle = faceColour(face.id);
  for (const [x, y] of face.landmarks ?? []) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}

/** Id, and expression with its probability. */
export function captionOf(face) {
  if (!face.expression) return `${face.id} ${shownName(face)}`.trim();
  const percent = Math.round(100 * face.probabilities[face.expression]);
  return `${face.id} ${expressionName(face.expression)} ${percent}%`;
}

/** Say in words what the picture shows. */
export function describePicture(text) {
  if (canvas.getAttribute("aria-label") !== text) canvas.setAttribute("aria-label", text);
}

/** Make the stage black. */
export function clearPicture() {
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
}
