"use strict";
// The console's page. The branch sends one kind of message (branch/console/view.h): what all
// branches are now, the points of the charts since the last message, and new events. The browser
// reconnects by itself and names the last message it had, so that no point is missed.

const WINDOW_SECONDS = 600;
const EVENTS_MAX = 200;
// Told apart by people who see few colours (Okabe and Ito); further branches repeat them, dashed.
const COLORS = ["#2f6fde", "#d9730d", "#1a9c6b", "#b84fb0", "#c9a100", "#4fb3e8", "#8a8f99", "#c23b22"];

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en-US");
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const known = (value) => value !== null && value !== undefined;
const count = (value) => (known(value) ? number.format(Math.round(value)) : "–");
const milliseconds = (value) =>
  known(value) ? (value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : number.format(Math.round(value))) : "–";
const color = (index) => COLORS[index % COLORS.length];
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function say(id, text, kind) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
  if (kind !== undefined) {
    element.classList.remove("good", "warn", "bad", "wait");
    element.classList.add(kind);
  }
}

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// --- Points: one row a second, one column for each branch and quantity. ------------------------

const points = {
  first: 0,             // the second of row 0
  columns: new Map(),   // "branch/quantity" -> values of WINDOW_SECONDS rows, null where unknown

  column(branch, quantity) {
    const name = branch + "/" + quantity;
    let values = this.columns.get(name);
    if (!values) this.columns.set(name, (values = new Array(WINDOW_SECONDS).fill(null)));
    return values;
  },
  advance(second) {
    if (this.first === 0) this.first = second - WINDOW_SECONDS + 1;
    const shift = second - (this.first + WINDOW_SECONDS - 1);
    if (shift <= 0) return;
    this.first += shift;
    const gone = Math.min(shift, WINDOW_SECONDS);
    for (const values of this.columns.values()) {
      values.splice(0, gone);
      for (let i = 0; i < gone; ++i) values.push(null);
    }
  },
  add(point) {
    const second = Math.floor(point.t / 1000);
    this.advance(second);
    const row = second - this.first;
    if (row < 0) return;
    for (const [quantity, value] of Object.entries(point.v)) this.column(point.b, quantity)[row] = value;
  },
  seconds() {
    return Array.from({ length: WINDOW_SECONDS }, (_, row) => this.first + row);
  },
};

// --- Charts ------------------------------------------------------------------------------------

const CHARTS = [
  { at: "service-charts", title: "Operations per second", quantities: [["ops", ""]], unit: "/s" },
  { at: "service-charts", title: "Latency, ms", quantities: [["p50", " median"], ["p99", " 99 %"]], unit: " ms" },
  { at: "service-charts", title: "Replication lag, entries", quantities: [["lag", ""]], unit: "" },
  { at: "service-charts", title: "Disk sync, 99th percentile, ms", quantities: [["sync", ""]], unit: " ms" },
  { at: "host-charts", title: "CPU busy, %", quantities: [["cpu", ""]], unit: " %", max: 100 },
  { at: "host-charts", title: "Memory used, %", quantities: [["mem", ""]], unit: " %", max: 100 },
  { at: "host-charts", title: "Disk, KB/s", quantities: [["dr", " read"], ["dw", " write"]], unit: " KB/s" },
  { at: "host-charts", title: "Network, KB/s", quantities: [["ni", " in"], ["no", " out"]], unit: " KB/s" },
];
let shownBranches = "";
let charts = [];

function buildCharts(branches) {
  for (const chart of charts) chart.plot.destroy();
  charts = [];
  for (const id of new Set(CHARTS.map((chart) => chart.at))) byId(id).replaceChildren();
  for (const definition of CHARTS) {
    const box = make("div", undefined, "chart");
    box.append(make("h3", definition.title));
    byId(definition.at).append(box);
    const columns = [];
    const series = [{ label: "time", value: (_, v) => (known(v) ? new Date(v * 1000).toLocaleTimeString() : "–") }];
    branches.forEach((branch, index) => {
      definition.quantities.forEach(([quantity, suffix], nth) => {
        columns.push([branch.id, quantity]);
        series.push({
          label: "branch " + branch.id + suffix,
          stroke: color(index),
          width: 1.5,
          dash: nth > 0 || index >= COLORS.length ? [4, 3] : undefined,
          spanGaps: false,
          points: { show: false },
          value: (_, v) => (known(v) ? (v >= 1000 ? short.format(v) : +v.toFixed(2)) + definition.unit : "–"),
        });
      });
    });
    const axis = { stroke: style("--quiet"), grid: { stroke: style("--grid"), width: 1 }, ticks: { stroke: style("--grid") } };
    const plot = new uPlot(
      {
        width: box.clientWidth - 28,
        height: 170,
        series,
        cursor: { sync: { key: "bank" }, points: { size: 6 } },
        legend: { show: branches.length * definition.quantities.length <= 12 },
        scales: { y: { range: (_, low, high) => [0, definition.max || Math.max(1, (known(high) ? high : 0) * 1.1)] } },
        axes: [{ ...axis, space: 72 }, { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => short.format(tick)) }],
      },
      [[], ...columns.map(() => [])],
      box,
    );
    charts.push({ plot, columns, box });
  }
}

function drawCharts() {
  const seconds = points.seconds();
  for (const { plot, columns } of charts) {
    plot.setData([seconds, ...columns.map(([branch, quantity]) => points.column(branch, quantity))]);
    // Without a pointer over the chart its legend tells the newest whole second.
    if (!known(plot.cursor.idx)) plot.setLegend({ idx: WINDOW_SECONDS - 2 });
  }
}

new ResizeObserver(() => {
  for (const { plot, box } of charts) plot.setSize({ width: box.clientWidth - 28, height: 170 });
}).observe(byId("service-charts"));

// --- Branches ----------------------------------------------------------------------------------

const MARKS = { live: "good", suspect: "warn", dead: "bad" };

function showBranch(branch, index) {
  const card = make("article", undefined, branch.liveness);
  card.id = "branch-" + branch.id;
  card.style.setProperty("--mark", color(index));
  const head = make("header");
  head.append(make("h3", "Branch " + branch.id), make("span", branch.liveness, "pill " + MARKS[branch.liveness]));
  if (branch.leads) head.append(make("span", "leads", "pill good"));
  card.append(head);
  const facts = make("dl");
  const fact = (name, value) => facts.append(make("dt", name), make("dd", value));
  fact("host", branch.host || "–");
  fact("role", branch.liveness === "dead" ? "–" : branch.role || "–");
  fact("serves", branch.liveness === "dead" ? "no" : known(branch.ready) ? (branch.ready ? "yes" : "no") : "–");
  fact("operations", known(branch.ops) ? count(branch.ops) + "/s" : "–");
  fact("latency, 99 %", known(branch.p99) ? milliseconds(branch.p99) + " ms" : "–");
  fact("lag", known(branch.lag) ? count(branch.lag) + (branch.lag === 1 ? " entry" : " entries") : "–");
  fact("position", count(branch.position));
  fact("digest", branch.digest || "–");
  card.append(facts);
  return card;
}

const INVARIANT = {
  holds: ["good", "equal on all branches"],
  partial: ["warn", "equal on the branches that answer"],
  unknown: ["wait", "not compared yet"],
  broken: ["bad", "BRANCHES DIFFER"],
};

function showBank(update) {
  const live = update.branches.filter((branch) => branch.liveness !== "dead");
  const leader = live.find((branch) => branch.leads);
  say("serves", update.serves ? "serves" : "does not serve", update.serves ? "good" : "bad");
  say("leader", leader ? "branch " + leader.id + " leads, term " + count(leader.term) : "no leader");
  document.title = (update.serves ? "" : "! ") + "Bank";

  const sum = (quantity) => {
    const values = live.map((branch) => branch[quantity]).filter(known);
    return values.length ? values.reduce((a, b) => a + b, 0) : null;
  };
  const worst = (quantity) => {
    const values = live.map((branch) => branch[quantity]).filter(known);
    return values.length ? Math.max(...values) : null;
  };
  say("ops", count(sum("ops")));
  say("ops-read", count(sum("ops_read")));
  say("ops-write", count(sum("ops_write")));
  say("p50", milliseconds(worst("p50")));
  say("p99", milliseconds(worst("p99")));

  say("total", known(update.money.total) ? number.format(BigInt(update.money.total)) : "–");
  const [kind, text] = INVARIANT[update.money.state] || INVARIANT.unknown;
  say("invariant", text, kind);
  say("invariant-detail", update.money.detail);
  byId("balances").tBodies[0].replaceChildren(
    ...update.balances.map(([name, balance]) => {
      const row = make("tr");
      row.append(make("td", name), make("td", number.format(BigInt(balance))));
      return row;
    }),
  );
  say("accounts", known(update.accounts) ? count(update.accounts) + (update.accounts === 1 ? " account" : " accounts") : "");
  say("asked", "Seen from branch " + update.branch + ".");
  byId("branches").replaceChildren(...update.branches.map(showBranch));
}

// --- Events ------------------------------------------------------------------------------------

const seenEvents = new Set();

function showEvents(events) {
  const list = byId("events");
  for (const event of events) {
    const key = event.agent + "/" + event.incarnation + "/" + event.number;
    if (seenEvents.has(key)) continue;
    seenEvents.add(key);
    const item = make("li");
    const time = make("time", new Date(event.t).toLocaleTimeString());
    time.dateTime = new Date(event.t).toISOString();
    item.append(time, make("span", event.kind), make("span", event.agent + ": " + event.text));
    list.querySelector(".none")?.remove();
    // Newest first; a branch that was away tells of older ones late.
    item.at = event.t;
    list.insertBefore(item, [...list.children].find((other) => !(other.at > event.t)) || null);
  }
  while (list.children.length > EVENTS_MAX) list.lastChild.remove();
  if (!list.children.length) list.append(make("li", "Nothing has happened yet.", "none"));
}

// --- The stream --------------------------------------------------------------------------------

function show(update) {
  for (const point of update.points) points.add(point);
  points.advance(Math.floor(update.t / 1000));
  const ids = update.branches.map((branch) => branch.id).join();
  if (ids !== shownBranches) {
    shownBranches = ids;
    buildCharts(update.branches);
  }
  showBank(update);
  showEvents(update.events);
  drawCharts();
}

let lastUpdate = 0;
const AGAIN_MS = 3000;

// What is on the page was so when it was last heard, and may be so no more.
function lose(why) {
  say("link", why, "bad");
  say("serves", "unknown", "wait");
  document.body.classList.add("stale");
}

function listen() {
  const source = new EventSource("api/stream");
  source.addEventListener("update", (message) => {
    lastUpdate = Date.now();
    document.body.classList.remove("stale");
    say("link", "live", "good");
    show(JSON.parse(message.data));
  });
  source.addEventListener("error", () => {
    lose("connection lost, trying again");
    // The browser tries again by itself, but not after a refusal: too many pages, say.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
  });
}
listen();
setInterval(() => {
  if (lastUpdate && Date.now() - lastUpdate > 3000) {
    lose("nothing heard for " + Math.round((Date.now() - lastUpdate) / 1000) + " s");
  }
}, 1000);

const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;
byId("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
  shownBranches = "";
});
