// The history page: a day by hour, its sessions, and its rows to take away.

import { ask, tell } from "./api.js";
import { expressionColour } from "./colours.js";
import { expressionName, language, loadTexts, t, whenTextsChange } from "./texts.js";
import { colour, startTheme } from "./theme.js";

const HOUR_S = 3600;
const byId = (id) => document.getElementById(id);
let day = null;

async function show(date) {
  day = await tell(() => ask(`history/day?day=${date}`));
  write();
}

function write() {
  if (!day) return;
  const labels = [...new Set(day.shares.map((share) => share.expression ?? ""))].sort();
  const total = sum(day.shares.map((share) => share.seconds));
  byId("summary").textContent = t("day_summary", {
    minutes: minutesText(total), sessions: day.sessions.length,
    shares: sharesText(countBy(day.shares, (share) => share.expression ?? "")),
  });
  byId("legend").replaceChildren(...labels.map(legendOf));
  drawHours(labels);
  fillTable(labels);
  byId("sessions").replaceChildren(...day.sessions.map(sessionOf));
  for (const format of ["csv", "parquet"]) {
    byId(format).href =
      `api/v1/history/export?first=${day.date}&last=${day.date}&format=${format}`;
  }
}

const minutesText = (seconds) => (seconds < 600 ? (seconds / 60).toFixed(1) : Math.round(seconds / 60));
const sum = (values) => values.reduce((total, value) => total + value, 0);
const nameOf = (label) => (label ? expressionName(label) : t("unclassified"));

function countBy(shares, key) {
  const counts = {};
  for (const share of shares) counts[key(share)] = (counts[key(share)] ?? 0) + share.seconds;
  return counts;
}

function sharesText(counts) {
  const total = sum(Object.values(counts));
  return Object.entries(counts).sort((a, b) => b[1] - a[1])
    .map(([label, seconds]) => `${nameOf(label)} ${Math.round((100 * seconds) / total)} %`)
    .join(", ");
}

function legendOf(label) {
  const item = document.createElement("li");
  const mark = document.createElement("i");
  mark.style.background = expressionColour(label);
  item.append(mark, nameOf(label));
  return item;
}

function hours() {
  const count = Math.round((day.end - day.start) / HOUR_S);
  return Array.from({ length: count }, (_, index) => {
    const start = day.start + index * HOUR_S;
    return { start, shares: day.shares.filter((share) => share.start === start) };
  });
}

// The box's hours, whatever zone the reader is in.
const hourText = (start) => `${String(Math.round((start - day.start) / HOUR_S)).padStart(2, "0")}`;

function drawHours(labels) {
  const canvas = byId("hours");
  const dpr = devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * dpr;
  canvas.height = canvas.clientHeight * dpr;
  const context = canvas.getContext("2d");
  const [foot, head] = [22 * dpr, 18 * dpr];
  const height = canvas.height - foot - head;
  const all = hours();
  const most = Math.max(1, ...all.map((hour) => sum(hour.shares.map((share) => share.seconds))));
  const column = canvas.width / all.length;
  context.font = `${12 * dpr}px system-ui, sans-serif`;
  context.textAlign = "left";
  context.fillStyle = colour("dim");
  context.fillText(t("minutes", { minutes: minutesText(most) }), 0, head - 6 * dpr);
  context.textAlign = "center";
  all.forEach((hour, index) => {
    let top = head + height;
    const counts = countBy(hour.shares, (share) => share.expression ?? "");
    for (const label of labels) {
      const tall = ((counts[label] ?? 0) / most) * height;
      context.fillStyle = expressionColour(label);
      context.fillRect(index * column + column * 0.1, top - tall, column * 0.8, tall);
      top -= tall;
    }
    context.fillStyle = colour("line");
    context.fillRect(index * column, head + height, column, dpr);
    context.fillStyle = colour("dim");
    if (column > 22 * dpr || index % 3 === 0) {
      context.fillText(hourText(hour.start), (index + 0.5) * column, canvas.height - 6 * dpr);
    }
  });
}

function fillTable(labels) {
  const row = (cells, kind) => {
    const line = document.createElement("tr");
    cells.forEach((text, index) => {
      const cell = document.createElement(index === 0 ? "th" : kind);
      cell.scope = kind === "th" ? "col" : index === 0 ? "row" : "";
      cell.textContent = text;
      line.append(cell);
    });
    return line;
  };
  const [head, body] = [byId("table").tHead, byId("table").tBodies[0]];
  head.replaceChildren(row([t("hour"), ...labels.map(nameOf)], "th"));
  body.replaceChildren(
    ...hours().filter((hour) => hour.shares.length).map((hour) => {
      const counts = countBy(hour.shares, (share) => share.expression ?? "");
      const minutes = labels.map((label) => ((counts[label] ?? 0) / 60).toFixed(1));
      return row([`${hourText(hour.start)}:00`, ...minutes], "td");
    }),
  );
}

function sessionOf(session) {
  const box = document.createElement("article");
  box.className = "session";
  const title = document.createElement("h3");
  title.textContent = `${session.id} · ${session.source}`;
  const when = document.createElement("p");
  const text = (time) => new Date(1000 * time).toLocaleString(language());
  when.textContent = `${text(session.started)} – ${text(session.ended)}`;
  const facts = document.createElement("p");
  facts.textContent = t("session_facts", { seconds: session.seconds, faces: session.faces });
  const strip = document.createElement("div");
  strip.className = "strip";
  strip.setAttribute("aria-hidden", "true");
  const total = sum(Object.values(session.shares)) || 1;
  for (const [label, seconds] of Object.entries(session.shares).sort((a, b) => b[1] - a[1])) {
    const part = document.createElement("span");
    part.style.width = `${(100 * seconds) / total}%`;
    part.style.background = expressionColour(label);
    strip.append(part);
  }
  const shares = document.createElement("p");
  shares.textContent = sharesText(session.shares);
  const levels = document.createElement("p");
  levels.className = "dim";
  const all = sum(Object.values(session.levels)) || 1;
  levels.textContent = Object.entries(session.levels)
    .map(([level, seconds]) => `${t(`level_${level}`)} ${Math.round((100 * seconds) / all)} %`)
    .join(", ");
  box.append(title, when, facts, strip, shares, levels);
  return box;
}

startTheme(write);
await loadTexts();
whenTextsChange(write);
const days = (await tell(() => ask("history/days"))) ?? [];
byId("none").hidden = days.length > 0;
byId("day").replaceChildren(...days.map((date) => new Option(date, date)));
byId("day").addEventListener("change", () => show(byId("day").value));
byId("print").addEventListener("click", () => print());
addEventListener("resize", write);
if (days.length) await show(days[0]);
