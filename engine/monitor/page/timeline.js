// The chosen face's last minutes: a column a second, its probabilities on top of each other.

import { expressionColour } from "./colours.js";
import { colour } from "./theme.js";
import { expressionName, t } from "./texts.js";

const SECONDS = 180;
const canvas = document.getElementById("timeline");
let seconds = new Map();

/** Begin anew, as after a change of source. */
export function forgetTimeline() {
  seconds = new Map();
}

/** How many seconds are missing: all at first, then the newest. */
export const wantedSeconds = () => (seconds.size ? 6 : SECONDS);

/** Take seconds of the source, and draw those of the chosen face. */
export function showTimeline(newer, face, labels) {
  for (const second of newer) seconds.set(second.time, second);
  const now = Math.floor(Date.now() / 1000);
  const newest = Math.max(0, ...seconds.keys());
  // The box's clock counts, not the reader's.
  const end = Math.abs(newest - now) > 60 || !newest ? newest : Math.max(newest, now - 1);
  for (const time of seconds.keys()) if (time <= newest - SECONDS) seconds.delete(time);
  draw(end, face, labels);
  summarise(face);
}

function draw(end, face, labels) {
  const dpr = devicePixelRatio || 1;
  const width = canvas.clientWidth * dpr;
  const height = canvas.clientHeight * dpr;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.fillStyle = colour("ground");
  context.fillRect(0, 0, width, height);
  const column = width / SECONDS;
  for (const [time, second] of seconds) {
    const seen = second.faces.find((one) => one.face === face);
    if (!seen) continue;
    const left = Math.round(width - (end - time + 1) * column);
    const wide = Math.round(width - (end - time) * column) - left;
    let top = height;
    // What the model was unsure of is there, and recedes.
    context.globalAlpha = seen.unsure ? 0.3 : 1;
    for (const label of labels) {
      const tall = (seen.probabilities[label] ?? 0) * height;
      context.fillStyle = expressionColour(label);
      context.fillRect(left, top - tall, wide, tall);
      top -= tall;
    }
  }
  context.globalAlpha = 1;
  context.fillStyle = colour("line");
  for (const minute of [1, 2]) context.fillRect(width - minute * 60 * column, 0, dpr, height);
}

function summarise(face) {
  const counts = {};
  let all = 0;
  for (const second of seconds.values()) {
    const seen = second.faces.find((one) => one.face === face);
    const shown = seen?.unsure ? "unsure" : seen?.expression;
    if (!shown) continue;
    counts[shown] = (counts[shown] ?? 0) + 1;
    all += 1;
  }
  const shares = Object.entries(counts).sort((a, b) => b[1] - a[1]).slice(0, 3)
    .map(([label, count]) => `${expressionName(label)} ${Math.round((100 * count) / all)} %`);
  const text = all ? t("timeline_of", { face, shares: shares.join(", ") }) : t("timeline_empty");
  const line = document.getElementById("timeline-text");
  if (line.textContent !== text) line.textContent = text;
}
