// Kinds of constraints: pass rates before and after training, and over the training as a table of coloured cells.
function showRatesByKind(holder, summary) {
  const kinds = Object.keys(summary.after).filter(kind => summary.before[kind]);
  const rate = (side, kind) => summary[side][kind].satisfied / summary[side][kind].of;
  kinds.sort((a, b) => (rate("after", b) - rate("before", b)) - (rate("after", a) - rate("before", a)));
  const row = 19, left = 250, right = 610, height = row * kinds.length + 24;
  const x = share => left + (right - left) * share;
  const svg = make(holder, "svg", null, {viewBox: `0 0 680 ${height}`, role: "img",
    "aria-label": "Pass rate of each kind: " + kinds.map(kind => `${kind} ${short(rate("before", kind))} to ${short(rate("after", kind))}`).join(", ")});
  for (const share of [0, 0.5, 1]) {
    make(svg, "line", null, {class: "gridline", x1: x(share), x2: x(share), y1: 2, y2: height - 18});
    make(svg, "text", short(share), {x: x(share), y: height - 5, "text-anchor": "middle"});
  }
  kinds.forEach((kind, index) => {
    const y = row * index + 12, before = rate("before", kind), after = rate("after", kind);
    make(svg, "text", kind, {x: left - 12, y: y + 4, "text-anchor": "end"});
    make(svg, "line", null, {class: "link", x1: x(before), x2: x(after), y1: y, y2: y});
    make(svg, "circle", null, {class: "dot-before", cx: x(before), cy: y, r: 4});
    make(svg, "circle", null, {class: "dot-after", cx: x(after), cy: y, r: 4.5});
    make(svg, "text", `of ${summary.after[kind].of}`, {x: right + 16, y: y + 4});
  });
  make(holder, "p", "○ before   ● after, by kind of constraint, the largest gain first", {class: "legend"});
}

function showKindTable(parent, caption, rows) {
  const highest = Math.max(1e-9, ...rows.flatMap(row => row.cells.filter(cell => cell !== null)));
  const table = make(make(parent, "div", null, {class: "scroll"}), "table", null, {class: "heat"});
  make(table, "caption", `${caption} (full colour is ${short(Math.max(highest, 0))})`);
  for (const {kind, cells, mean} of rows) {
    const line = make(table, "tr");
    make(line, "th", kind, {scope: "row", title: kind});
    for (const cell of cells) {
      const shown = cell === null ? {class: "empty"} : {title: `${kind}: ${short(cell)}`, style: `background:${withOpacity("--arm-0", 0.06 + 0.94 * Math.max(cell, 0) / highest)}`};
      make(line, "td", null, shown);
    }
    make(line, "td", short(mean), {class: "mean", title: "mean over the training"});
  }
}

function showKinds() {
  for (const arm of data.arms)
    for (const [metric, rows] of Object.entries(arm.kinds)) {
      const name = metric.replaceAll("_", " ");
      showKindTable(byId("kind-tables"), data.arms.length > 1 ? `${arm.name}: ${name}` : name, rows);
    }
}

for (const holder of document.querySelectorAll(".rates")) showRatesByKind(holder, data.arms[holder.dataset.arm].held_out);
if (!removeWhenEmpty("kinds", data.arms.every(arm => !Object.keys(arm.kinds).length))) showKinds();
