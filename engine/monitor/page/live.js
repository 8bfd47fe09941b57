// The live page: state once a second, pictures as they come.

import { ask, complain, tell } from "./api.js";
import { forgetFaces, selectedFace, showFaces } from "./faces.js";
import { PictureSocket } from "./pictures.js";
import { showSettings, startSettings } from "./settings.js";
import { showSources, startAdding, stateText } from "./sources.js";
import { captionOf, clearPicture, describePicture, drawPicture } from "./stage.js";
import { inLanguage, language, loadTexts, t, whenTextsChange } from "./texts.js";
import { startTheme } from "./theme.js";
import { forgetTimeline, showTimeline, wantedSeconds } from "./timeline.js";

const STATE_EVERY_MS = 1000;
const TEXT_EVERY_MS = 500;
const byId = (id) => document.getElementById(id);

let state = null;
let chosen = null;
let socket = null;
let writtenAt = 0;
let lastSaid = 0;

/** Look at a source from now on. */
function look(source) {
  if (source === chosen) return;
  socket?.close();
  chosen = source;
  forgetFaces();
  forgetTimeline();
  clearPicture();
  byId("badge-age").textContent = "";
  socket = source === null ? null : new PictureSocket(source, showPicture, complain);
  showState();
}

function showPicture(header, bitmap) {
  drawPicture(header, bitmap, selectedFace());
  showFaces(header, bitmap, state?.labels ?? []);
  byId("picture").dispatchEvent(new CustomEvent("picture", { detail: header }));
  const now = performance.now();
  if (now - writtenAt < TEXT_EVERY_MS) return;
  writtenAt = now;
  byId("badge-age").textContent = t("age", { ms: Math.round(header.shown_ms) });
  describePicture(
    header.faces.length
      ? t("picture_of", { faces: header.faces.map(captionOf).join(", ") })
      : t("no_face"),
  );
}

async function refresh() {
  try {
    state = await ask("state");
    document.body.dataset.connected = "true";
  } catch (problem) {
    document.body.dataset.connected = "false";
    complain(t("lost", { why: problem.message }));
    return;
  }
  const known = state.sources.some((source) => source.source === chosen);
  if (!known) look(state.sources[0]?.source ?? null);
  showState();
  if (chosen !== null) await refreshTimeline();
}

async function refreshTimeline() {
  const source = chosen;
  const newer = await ask(`sources/${source}/timeline?seconds=${wantedSeconds()}`).catch(() => []);
  if (source === chosen) showTimeline(newer, selectedFace(), state.labels);
}

function showState() {
  if (!state) return;
  showSources(state.sources, chosen, look, refresh);
  showSettings(state.settings);
  showMessages(state.messages);
  const source = state.sources.find((one) => one.source === chosen);
  byId("empty").hidden = Boolean(source?.size);
  byId("empty").textContent = source ? source.message || t(`state_${source.state}`) : t("idle");
  byId("badge-state").textContent = source ? t(`state_${source.state}`) : "";
  byId("badge-fps").textContent = source?.state === "running" ? `${source.fps.toFixed(0)} fps` : "";
  if (source?.state !== "running") byId("badge-age").textContent = "";
  byId("start").disabled = !source || ["running", "opening"].includes(source.state);
  byId("pause").disabled = source?.state !== "running";
  byId("stop").disabled = !source || ["stopped", "ended"].includes(source.state);
  byId("figures").replaceChildren(...(source ? figures(source) : []));
}

function figures(source) {
  const ms = (seconds) => (seconds === null ? "–" : `${(1000 * seconds).toFixed(1)} ms`);
  const size = source.size ? source.size.join(" × ") : "–";
  return [
    ["detection", ms(source.detect_s)], ["tracking", ms(source.track_s)], ["size", size],
    ["captured", source.captured], ["dropped", source.dropped],
    ...(source.reconnects ? [["reconnects", source.reconnects]] : []),
    ...(state.history ? [["history", state.history]] : []),
  ].map(([key, value]) => {
    const pair = document.createElement("div");
    const [term, description] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = t(key);
    description.textContent = value;
    pair.append(term, description);
    return pair;
  });
}

function showMessages(messages) {
  byId("no-message").hidden = messages.length > 0;
  const list = byId("messages");
  for (const message of messages.filter((one) => one.id > lastSaid)) {
    const item = document.createElement("li");
    item.dataset.texts = JSON.stringify(message.text);
    const time = document.createElement("time");
    const when = new Date(1000 * message.time);
    time.dateTime = when.toISOString();
    time.textContent = when.toLocaleTimeString(language());
    const text = document.createElement("span");
    text.textContent = inLanguage(message.text);
    item.append(time, text);
    list.prepend(item);
    lastSaid = message.id;
  }
  while (list.childElementCount > 50) list.lastChild.remove();
}

function control(name) {
  byId(name).addEventListener("click", () =>
    tell(() => ask(`sources/${chosen}/${name}`, "POST")).then(refresh));
}

function rewrite() {
  showState();
  for (const item of byId("messages").children) {
    item.lastChild.textContent = inLanguage(JSON.parse(item.dataset.texts));
  }
}

/** The token has done its work: it need not stay in the address bar or be bookmarked. */
function hideToken() {
  const address = new URL(location.href);
  if (address.searchParams.has("token")) {
    address.searchParams.delete("token");
    history.replaceState(null, "", address);
  }
}

hideToken();
startTheme();
await loadTexts();
whenTextsChange(rewrite);
["start", "pause", "stop"].forEach(control);
startSettings(refresh);
await refresh();
await tell(() => startAdding((source) => { refresh().then(() => look(source)); }));
setInterval(refresh, STATE_EVERY_MS);
