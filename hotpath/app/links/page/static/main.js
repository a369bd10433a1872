// The page: connects picture, aim, panel and socket.

import * as api from "./api.js";
import { Aim } from "./aim.js";
import { Link } from "./link.js";
import { Figures, Targets, called, put } from "./panel.js";
import { View } from "./view.js";

const STILL_MS = 1000; // without a frame until the run says that it waits
const FIGURES_MS = 250; // faster figures can't be read
const byId = (id) => document.getElementById(id);

const view = new View(byId("stage"), byId("picture"), byId("overlay"), (shown) => targets.showPresence(shown, byId("picture")));
const figures = new Figures();
const targets = new Targets({
  select,
  drop: (number) => tell(api.drop(number), `${called(number)} dropped.`),
  confirm: (number) => tell(api.confirm(number), "Confirmed: this is the target."),
  reject,
});
let state = null; // the newest
let link_is = "connecting";
let frozen = false; // by the user, to aim
let adding = false; // the next box is one more target
let asking = false; // whether a new box may replace a target
let awaited = null; // number of a target that was chosen and is not in the states yet
let pointed = null; // number of the target that was tapped last
let tightened = null; // number of the target whose drawn box may be taken back
let figuresAt = 0;
let silentSince = null; // when a live source sent its last picture, by the page's clock

const link = new Link({
  state: (news) => {
    const first = !state;
    state = news;
    view.addState(news);
    if (news.ended) linkIs("ended");
    keepSelection();
    show(first);
  },
  picture: (index, bitmap) => view.addPicture(index, bitmap),
  status: (is, words) => linkIs(is, words),
});

const aim = new Aim(view, link, {
  started: () => show(),
  ended: () => {
    if (!frozen) letGo();
    show();
  },
  tapped: (frame, point, number) => {
    if (number !== null && number !== view.selected && !adding) return select(number);
    // in the selected target's box: yes if it is unsure, else the larger object around it
    return choose({ frame, point }, number !== null && !adding);
  },
  chosen: (frame, box) => choose({ frame, box, snug: true }),
});

async function choose(how, isAgain = false, mended = null) {
  const replace = mended ?? (adding || view.selected === null ? undefined : view.selected);
  asking = true;
  const agreed = replace === undefined || isAgain || await sure(`Replace target ${replace}?`,
    `It is dropped, and the new one is followed. To follow both, press Add first.`,
    "Replace");
  asking = false;
  if (!agreed) return frozen || letGo();
  const answer = await tell(api.choose({ ...how, replace }));
  if (!answer) return frozen || letGo();
  adding = false;
  awaited = answer.number;
  pointed = answer.taken === "point" ? answer.number : null;
  keepSelection();
  const what = mended !== null ? "your own box" : answer.number === replace ? "confirmed"
    : isAgain ? "the larger object there" : "chosen";
  say(`${called(answer.number)}: ${what}.`);
  setFrozen(false);
  if (answer.doubt) warn(`Target ${answer.number}: ${answer.doubt}.`);
  if (answer.taken === "snug") offerDrawn(how, answer.number);
}

// a loose box became a tight one: the user may take it back
function offerDrawn({ frame, box }, replace) {
  tightened = replace;
  link.hold(frame);
  warn("The box was tightened around the object.", "Keep my box", () => {
    choose({ frame, box, snug: false }, true, replace);
  }, () => {
    if (tightened !== replace) return; // a newer box was tightened since
    tightened = null;
    if (!frozen && !aim.aiming) letGo();
  });
}

function letGo() {
  // the frame is held until the choice was answered
  view.freeze(false);
  setTimeout(() => !aim.aiming && !asking && !frozen && tightened === null && link.hold(null), 3000);
}

function keepSelection() {
  const numbers = state.targets.map((target) => target.number);
  if (numbers.includes(awaited)) {
    view.selected = awaited;
    awaited = null;
  }
  if (!numbers.includes(view.selected)) view.selected = numbers.length ? numbers[numbers.length - 1] : null;
}

function select(number) {
  view.selected = number;
  adding = false;
  view.draw();
  show(true);
}

function setFrozen(on) {
  frozen = on;
  if (on) {
    view.freeze(true);
    link.hold(view.shown);
  } else {
    letGo();
  }
  show(true);
}

function pause() {
  if (!state || state.ended) return;
  if (!state.live) {
    tell(api.pause(!state.paused), state.paused ? "Resumed." : "Paused.");
  } else if (view.shown !== null) {
    setFrozen(!frozen);
    say(frozen ? "Picture frozen." : "Live again.");
  }
}

function reject(number) {
  tell(api.reject(number), "Dropped this object. The search goes on elsewhere.");
}

function setAdding(on) {
  adding = on;
  show(true);
}

function linkIs(is, words) {
  if (is === "live" && state?.ended) return;
  if (is === "lost" && (link_is === "ended" || link_is === "refused")) return;
  if (is === link_is) return;
  link_is = is;
  showLink();
  const veils = {
    lost: ["The tracker does not answer", "Trying again. If the program has ended, start it again and open the new link."],
    refused: ["This page is not allowed", words],
    ended: ["The run has ended", "A new run prints a new link."],
  };
  const veil = veils[is];
  byId("veil").hidden = !veil;
  if (veil) {
    put(byId("veil-title"), veil[0]);
    put(byId("veil-text"), veil[1] ?? "");
    aim.cancel();
    say(veil[0]);
  } else if (is === "live" && state) say("Connected.");
  show(true);
}

const isSilent = () => link_is === "live" && silentSince !== null;

function showLink() {
  const is = isSilent() ? "silent" : link_is;
  const texts = {
    live: "connected", lost: "connecting again", refused: "refused", ended: "ended", silent: "no picture",
  };
  put(byId("link"), texts[is] ?? is);
  byId("link").dataset.is = is;
}

function show(atOnce = false) {
  if (!state) return;
  const off = link_is !== "live";
  silentSince = state.waiting !== "frames" ? null : silentSince ?? performance.now() - STILL_MS;
  showLink();
  byId("stage").classList.toggle("silent", isSilent());
  const first = state.waiting === "target"; // a target comes first, and not this button
  const stood = state.live ? frozen : state.paused && !first;
  const name = state.live ? state.source : state.source.replace(/\/+$/, "").split("/").pop();
  put(byId("source"), name);
  byId("source").title = state.source;
  document.title = `${name} · Hotpath`;
  button("pause", stood || (first && !state.live) ? "i-play" : "i-pause", stood
    ? (state.live ? "Live" : "Resume") : (state.live ? "Freeze" : first ? "Play" : "Pause"), stood, off);
  byId("stop").disabled = off;
  byId("add").setAttribute("aria-pressed", adding);
  byId("add").disabled = off || !state.targets.length;
  put(byId("hint"), hint());
  const mode = isSilent() ? "NO PICTURE" : frozen ? "FROZEN" : state.paused && state.waiting !== "target" ? "PAUSED" : "";
  byId("mode").hidden = off || !mode;
  put(byId("mode"), mode);
  byId("mode").classList.toggle("bad", isSilent());
  byId("hint").classList.toggle("ask", !off && !isSilent() && !aim.aiming && (!state.targets.length || adding));
  const now = performance.now();
  if (atOnce || now - figuresAt > FIGURES_MS) {
    figuresAt = now;
    targets.show(state.targets, view.selected, {
      can: state.can_lose, asked: state.confirm, off, silent: isSilent(),
    });
    figures.show(state);
    if (view.state) targets.showPresence(view.state, byId("picture"));
  }
}

function hint() {
  if (link_is !== "live") return "";
  if (aim.aiming) return aim.byTouch ? "Lift the finger to choose" : "Release to choose · Esc cancels";
  if (isSilent()) {
    const seconds = Math.round((performance.now() - silentSince) / 1000);
    return `Nothing for ${seconds} s: this is the last picture`;
  }
  if (!state.targets.length) return "Tap the target, or drag a box";
  if (adding) return "Tap one more target, or drag a box";
  const [held] = Object.entries(state.holds);
  if (held) return `${held[0]} holds: ${held[1]}`;
  const target = state.targets.find((one) => one.number === view.selected);
  if ((frozen || state.paused) && target?.state !== "unsure") {
    return state.targets.length > 1 ? `Tap or drag a new box for ${called(view.selected)}` : "Tap or drag a new box";
  }
  if (target?.lost) return "Searching. Red dashes: its last place";
  if (target?.state === "unsure") return "It may be another object";
  if (pointed !== null && pointed === view.selected) return "Tap in the box for a larger object";
  return "";
}

function button(id, icon, text, pressed, disabled) {
  const node = byId(id);
  const use = node.querySelector("use");
  if (use.getAttribute("href") !== `#${icon}`) use.setAttribute("href", `#${icon}`);
  put(node.querySelector("span"), text);
  node.setAttribute("aria-pressed", pressed);
  node.disabled = disabled;
}

// send a request, and tell the user what became of it
async function tell(asked, done) {
  try {
    const answer = (await asked) ?? true;
    if (done) say(done);
    return answer;
  } catch (error) {
    warn(error.message);
    return null;
  }
}

// a message for some seconds; with a button, if `word` names one
function warn(text, word = "", act = null, gone = () => {}) {
  const toast = document.createElement("p");
  toast.textContent = text;
  const end = () => {
    if (toast.isConnected) gone();
    toast.remove();
  };
  if (act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = word;
    button.addEventListener("click", () => {
      end();
      act();
    });
    toast.append(" ", button);
  }
  byId("toasts").append(toast);
  setTimeout(end, 6000);
}

function say(text) {
  byId("status").textContent = text;
}

async function sure(title, text, yes) {
  const dialog = byId("sure");
  put(byId("sure-title"), title);
  put(byId("sure-text"), text);
  put(byId("sure-yes"), yes);
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  return dialog.returnValue === "yes";
}

async function stop() {
  const text = "The tracker ends and its files are finished.";
  if (await sure("Stop the run?", text, "Stop the run")) tell(api.stop(), "Stopping.");
}

byId("pause").addEventListener("click", pause);
byId("stop").addEventListener("click", stop);
byId("add").addEventListener("click", () => setAdding(!adding));
byId("help").addEventListener("click", () => byId("how").showModal());

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  aim.cancel();
  setAdding(false);
});
