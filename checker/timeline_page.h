// The page around a timeline's data: markup, style and script, nothing from outside.
#pragma once

#include <string_view>

namespace bank::checker {

inline constexpr std::string_view kTimelineHead = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>History of a bank</title>
<style>
:root{color-scheme:light dark;--bg:#fbfbfa;--fg:#1d2126;--dim:#69727d;--line:#dcdfe3;--lane:#f1f2f4;
--read:#7aa7d9;--write:#6fb58a;--refused:#d3b45c;--info:#b7a0d8;--fail:#b4b9c0;--bad:#d43b3b}
@media(prefers-color-scheme:dark){:root{--bg:#15181c;--fg:#e6e8eb;--dim:#97a1ad;--line:#30363d;
--lane:#1b2026;--read:#3d6c9f;--write:#3a7d55;--refused:#8a7126;--info:#6a5391;--fail:#525a64;--bad:#ff6b6b}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);
font:14px/1.45 system-ui,"DejaVu Sans",sans-serif}
header{padding:14px 18px 10px}h1{font-size:17px;margin:0 0 4px}
.verdict{display:inline-block;padding:1px 9px;border-radius:9px;color:#fff;background:var(--dim)}
.consistent{background:#2c8a53}.inconsistent{background:#c53030}
.violation{border-left:3px solid var(--bad);padding:2px 10px;margin:8px 0;overflow-wrap:anywhere}
.violation small,.dim{color:var(--dim)}
nav{display:flex;gap:6px;align-items:center;flex-wrap:wrap;margin-top:8px}
button{font:inherit;padding:2px 10px;border:1px solid var(--line);border-radius:6px;
background:var(--lane);color:var(--fg);cursor:pointer}
.key{display:inline-flex;align-items:center;gap:4px;color:var(--dim);margin-left:8px}
.key i{width:12px;height:12px;border-radius:3px;display:inline-block}
canvas{display:block;width:100%;cursor:grab;border-top:1px solid var(--line)}
#tip{position:fixed;pointer-events:none;background:var(--bg);border:1px solid var(--line);
border-radius:6px;padding:6px 9px;box-shadow:0 2px 10px #0003;max-width:340px;display:none}
</style></head><body>
<header><h1>History <span id="verdict" class="verdict"></span></h1>
<div id="summary" class="dim"></div><div id="violations"></div>
<nav><button id="in" title="zoom in (+)">+</button><button id="out" title="zoom out (-)">&minus;</button>
<button id="left" title="earlier (left arrow)">&larr;</button><button id="right" title="later (right arrow)">&rarr;</button>
<button id="all">All</button><button id="bad">Violation</button>
<span class="key"><i style="background:var(--read)"></i>query</span>
<span class="key"><i style="background:var(--write)"></i>write</span>
<span class="key"><i style="background:var(--refused)"></i>refused</span>
<span class="key"><i style="background:var(--info)"></i>unknown</span>
<span class="key"><i style="background:var(--fail)"></i>not applied</span>
<span class="key"><i style="border:2px solid var(--bad)"></i>violation</span></nav></header>
<canvas id="view"></canvas><div id="tip"></div>
<script>
'use strict';
const data = )html";

inline constexpr std::string_view kTimelineTail = R"html(;
const $ = id => document.getElementById(id);
const ops = data.rows.map(r => ({process: r[0], id: r[1], op: r[2], account: r[3], to: r[4],
  amount: r[5], fate: r[6], answer: r[7], balance: r[8], index: r[9], start: r[10], end: r[11],
  bad: r[12] === 1}));
const text = (tag, words, name) => {
  const e = document.createElement(tag);
  e.textContent = words;
  if (name) e.className = name;
  return e;
};
$('verdict').textContent = data.verdict;
$('verdict').classList.add(data.verdict);
$('summary').textContent = data.operations + ' operations, judged by ' + data.method +
  (data.because ? ': ' + data.because : '') +
  (data.left_out ? ' \u2014 ' + data.left_out + ' operations away from the window are not drawn' : '');
for (const v of data.violations) {
  const box = text('div', v.why + ' ', 'violation');
  box.append(text('small', '(' + v.kind + ')'));
  for (const hint of v.hints) box.append(text('div', hint, 'dim'));
  $('violations').append(box);
}
$('bad').hidden = !ops.some(o => o.bad);

// One lane a customer; more rows where its operations overlap.
const lastEnd = Math.max(1, ...ops.map(o => o.end === null ? o.start : o.end));
const lanes = [];
{
  const byProcess = new Map();
  for (const o of ops) {
    if (!byProcess.has(o.process)) byProcess.set(o.process, []);
    byProcess.get(o.process).push(o);
  }
  let row = 0;
  for (const process of [...byProcess.keys()].sort((a, b) => a - b)) {
    const ends = [];
    for (const o of byProcess.get(process)) {
      const end = o.end === null ? lastEnd : o.end;
      let k = ends.findIndex(e => e <= o.start);
      if (k < 0) k = ends.push(0) - 1;
      ends[k] = end;
      o.row = row + k;
    }
    lanes.push({process, first: row, rows: ends.length});
    row += ends.length;
  }
  lanes.total = row;
}
const canvas = $('view'), tip = $('tip'), pen = canvas.getContext('2d');
const rowHeight = 26, top_ = 26, gutter = 92;
let from = 0, to = lastEnd, width = 0;
const color = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name);
const x = t => gutter + (t - from) / (to - from) * (width - gutter - 8);
const time = px => from + (px - gutter) / (width - gutter - 8) * (to - from);
const isRead = o => o.op === 'query' || o.op === 'read';
const label = o => {
  const sign = {deposit: '+', withdraw: '\u2212', transfer: '\u2192', open: 'open ', write: 'write ', cas: 'cas '}[o.op] || '';
  const name = several ? o.account + ' ' : '';
  const what = name + (isRead(o) ? '' : sign + o.amount + ' ') + (o.to ? 'to ' + o.to + ' ' : '');
  if (o.fate === 'info') return what + '?';
  if (o.fate === 'fail') return what + '\u00d7';
  return what + (o.answer === 'ok' ? '' : o.answer.replace(/_/g, ' ') + ' ') +
    (o.balance === '' ? '' : '= ' + o.balance);
};
// As much of the words as fits.
const cut = (words, room) => {
  if (pen.measureText(words).width <= room) return words;
  let n = words.length;
  while (n > 0 && pen.measureText(words.slice(0, n) + '\u2026').width > room) --n;
  return n > 2 ? words.slice(0, n) + '\u2026' : '';
};
const unit = us => data.unit ? data.unit + ' ' + us : us < 1000 ? us.toFixed(us < 10 ? 1 : 0) + ' \u00b5s'
  : us < 1e6 ? (us / 1e3).toFixed(us < 1e4 ? 2 : 1) + ' ms' : (us / 1e6).toFixed(2) + ' s';

const tick = (t, step) => {
  if (data.unit) return step < 1 ? '' : data.unit + ' ' + Math.round(t);
  const [scale, name] = Math.abs(to) < 1000 ? [1, ' \u00b5s'] : Math.abs(to) < 1e6 ? [1e3, ' ms'] : [1e6, ' s'];
  return (t / scale).toFixed(Math.max(0, Math.ceil(-Math.log10(step / scale) - 1e-9))) + name;
};
const several = new Set(ops.map(o => o.account)).size > 1;

function draw() {
  const ratio = window.devicePixelRatio || 1;
  width = canvas.clientWidth;
  const height = top_ + lanes.total * rowHeight + 12;
  canvas.style.height = height + 'px';
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = '12px system-ui,"DejaVu Sans",sans-serif';
  pen.textBaseline = 'middle';
  pen.clearRect(0, 0, width, height);
  lanes.forEach((lane, i) => {
    const y = top_ + lane.first * rowHeight;
    if (i % 2 === 0) {
      pen.fillStyle = color('lane');
      pen.fillRect(0, y, width, lane.rows * rowHeight);
    }
    pen.fillStyle = color('fg');
    pen.fillText('customer ' + lane.process, 10, y + rowHeight / 2);
  });
  const wish = (to - from) / Math.max(2, (width - gutter) / 130);
  const power = 10 ** Math.floor(Math.log10(wish));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= wish);
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
    pen.fillStyle = color('line');
    pen.fillRect(x(t), top_ - 4, 1, height);
    pen.fillStyle = color('dim');
    pen.fillText(tick(t, step), x(t) + 3, 12);
  }
  pen.save();
  pen.beginPath();
  pen.rect(gutter, 0, width - gutter, height);
  pen.clip();
  for (const pass of [false, true]) for (const o of ops) {
    if (o.bad !== pass) continue;
    const end = o.end === null ? lastEnd : o.end;
    if (end < from || o.start > to) continue;
    const left = Math.max(x(o.start), gutter - 4), right = Math.min(x(end), width + 4);
    const y = top_ + o.row * rowHeight + 3, w = Math.max(2, right - left), h = rowHeight - 6;
    pen.fillStyle = color(o.fate === 'info' ? 'info' : o.fate === 'fail' ? 'fail'
      : o.answer !== 'ok' ? 'refused' : isRead(o) ? 'read' : 'write');
    pen.fillRect(left, y, w, h);
    if (o.bad) {
      pen.strokeStyle = color('bad');
      pen.lineWidth = 3;
      pen.strokeRect(left, y, w, h);
    }
    const words = label(o);
    const at = Math.max(left, gutter);
    pen.fillStyle = color('fg');
    pen.fillText(cut(words, right - at - 8), at + 4, y + h / 2 + 1);
  }
  pen.restore();
}
function zoom(factor, at) {
  const middle = at === undefined ? (from + to) / 2 : at;
  const span = Math.min(Math.max((to - from) * factor, 0.5), lastEnd * 1.2 + 1);
  const share = (middle - from) / (to - from);
  from = middle - span * share;
  to = from + span;
  draw();
}
function pan(share) {
  const d = (to - from) * share;
  from += d;
  to += d;
  draw();
}
function show(some) {
  const first = Math.min(...some.map(o => o.start));
  const last = Math.max(...some.map(o => o.end === null ? o.start : o.end));
  const margin = Math.max((last - first) * 0.25, 0.5);
  from = first - margin;
  to = last + margin;
  draw();
}
const all = () => { from = -lastEnd * 0.02; to = lastEnd * 1.02; draw(); };
const bad = () => show(ops.filter(o => o.bad));
$('in').onclick = () => zoom(0.5);
$('out').onclick = () => zoom(2);
$('left').onclick = () => pan(-0.3);
$('right').onclick = () => pan(0.3);
$('all').onclick = all;
$('bad').onclick = bad;
onkeydown = e => {
  if (e.key === '+' || e.key === '=') zoom(0.5);
  else if (e.key === '-') zoom(2);
  else if (e.key === 'ArrowLeft') pan(-0.3);
  else if (e.key === 'ArrowRight') pan(0.3);
};
canvas.addEventListener('wheel', e => {
  if (e.shiftKey) return;
  e.preventDefault();
  if (Math.abs(e.deltaX) > Math.abs(e.deltaY)) pan(e.deltaX / 800);
  else zoom(e.deltaY > 0 ? 1.2 : 1 / 1.2, time(e.offsetX));
}, {passive: false});
let drag = null;
canvas.onpointerdown = e => { drag = e.clientX; canvas.setPointerCapture(e.pointerId); };
canvas.onpointerup = () => { drag = null; };
canvas.onpointermove = e => {
  if (drag !== null) {
    pan((drag - e.clientX) / (width - gutter));
    drag = e.clientX;
    return;
  }
  const row = Math.floor((e.offsetY - top_) / rowHeight), t = time(e.offsetX);
  const slack = 3 * (to - from) / width;
  const o = ops.find(p => p.row === row && p.start - slack <= t &&
    t <= (p.end === null ? lastEnd : p.end) + slack);
  tip.style.display = o ? 'block' : 'none';
  if (!o) return;
  tip.replaceChildren(text('b', o.process + ':' + o.id + ' ' + o.op + ' ' + o.account +
    (o.to ? ' to ' + o.to : '') + (isRead(o) ? '' : ' ' + o.amount)));
  const say = words => tip.append(text('div', words));
  say(o.fate === 'ok' ? o.answer.replace(/_/g, ' ') + (o.balance === '' ? '' : ', balance ' + o.balance)
    : o.fate === 'info' ? 'outcome unknown' : 'certainly not applied');
  if (o.index !== '') say('position ' + (o.op === 'query' ? 'of the last write before it ' : '') + o.index);
  say('from ' + unit(o.start) + (o.end === null ? ', never over' : ' to ' + unit(o.end)));
  if (o.bad) say('part of the violation');
  tip.style.left = Math.min(e.clientX + 14, innerWidth - 350) + 'px';
  tip.style.top = Math.min(e.clientY + 14, innerHeight - 120) + 'px';
};
onresize = draw;
matchMedia('(prefers-color-scheme: dark)').onchange = draw;
if (ops.some(o => o.bad)) bad(); else all();
</script></body></html>
)html";

}  // namespace bank::checker
