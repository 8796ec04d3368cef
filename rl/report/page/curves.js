// Curves: a small chart for each metric, both arms in one frame, one cursor for all.
const FRAME = {width: 360, height: 132, left: 42, right: 352, top: 8, bottom: 112};
const charts = [];

function smoothed(values) {
  let average = null;
  return values.map(value => average = average === null ? value : 0.8 * average + 0.2 * value);
}

function drawChart(chart) {
  const {svg, lines} = chart, smooth = byId("smooth").checked;
  svg.replaceChildren();
  const lows = lines.flatMap(line => line.curve.low), highs = lines.flatMap(line => line.curve.high);
  let low = Math.min(...lows), high = Math.max(...highs);
  if (low === high) { low -= Math.abs(low) * 0.1 || 1; high += Math.abs(high) * 0.1 || 1; }
  const firstStep = Math.min(...lines.map(line => line.curve.steps[0]));
  const lastStep = Math.max(...lines.map(line => line.curve.steps.at(-1)), firstStep + 1);
  const x = step => FRAME.left + (FRAME.right - FRAME.left) * (step - firstStep) / (lastStep - firstStep);
  const y = value => FRAME.bottom - (FRAME.bottom - FRAME.top) * (value - low) / (high - low);
  for (const value of [low, (low + high) / 2, high]) {
    make(svg, "line", null, {class: "gridline", x1: FRAME.left, x2: FRAME.right, y1: y(value), y2: y(value)});
    make(svg, "text", short(value), {x: FRAME.left - 5, y: y(value) + 3.5, "text-anchor": "end"});
  }
  make(svg, "text", short(firstStep), {x: FRAME.left, y: FRAME.bottom + 14});
  make(svg, "text", `step ${short(lastStep)}`, {x: FRAME.right, y: FRAME.bottom + 14, "text-anchor": "end"});
  for (const {arm, curve} of lines) {
    const point = (step, value) => `${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
    if (curve.low.some((value, index) => value !== curve.high[index])) {
      const upper = curve.steps.map((step, index) => point(step, curve.high[index]));
      const lower = curve.steps.map((step, index) => point(step, curve.low[index])).reverse();
      make(svg, "path", null, {class: `band-${arm}`, d: `M${upper.concat(lower).join("L")}Z`});
    }
    const values = smooth ? smoothed(curve.values) : curve.values;
    make(svg, "path", null, {class: `curve curve-${arm}`, d: "M" + curve.steps.map((step, index) => point(step, values[index])).join("L")});
  }
  chart.cursor = make(svg, "line", null, {class: "cursor", y1: FRAME.top, y2: FRAME.bottom, visibility: "hidden"});
  Object.assign(chart, {x, firstStep, lastStep});
}

function valueAt(curve, step) {
  let nearest = 0;
  curve.steps.forEach((other, index) => {
    if (Math.abs(other - step) < Math.abs(curve.steps[nearest] - step)) nearest = index;
  });
  return curve.values[nearest];
}

function showValuesAt(step) {
  for (const chart of charts) {
    const shown = step === null ? Infinity : step;
    const values = chart.lines.map(({curve}) => short(step === null ? curve.values.at(-1) : valueAt(curve, shown)));
    chart.value.textContent = values.join(" | ") + (step === null ? "" : `  at ${Math.round(step)}`);
    const inside = step !== null && step >= chart.firstStep && step <= chart.lastStep;
    chart.cursor.setAttribute("visibility", inside ? "visible" : "hidden");
    if (inside) for (const end of ["x1", "x2"]) chart.cursor.setAttribute(end, chart.x(step));
  }
}

function addChart(parent, name, lines) {
  const card = make(parent, "div", null, {class: "card chart"});
  const title = make(card, "div", null, {class: "name"});
  make(title, "span", name);
  const value = make(title, "span", "", {class: "value"});
  const summary = lines.map(({arm, curve}) =>
    `${data.arms[arm].name} from ${short(curve.values[0])} to ${short(curve.values.at(-1))}`).join("; ");
  const svg = make(card, "svg", null, {viewBox: `0 0 ${FRAME.width} ${FRAME.height}`, role: "img", "aria-label": `${name}: ${summary}`});
  const chart = {svg, lines, value};
  charts.push(chart);
  drawChart(chart);
  svg.addEventListener("pointermove", event => {
    const box = svg.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * FRAME.width - FRAME.left) / (FRAME.right - FRAME.left);
    showValuesAt(chart.firstStep + Math.min(Math.max(share, 0), 1) * (chart.lastStep - chart.firstStep));
  });
  svg.addEventListener("pointerleave", () => showValuesAt(null));
}

function showCurves() {
  const metrics = new Map();
  data.arms.forEach((arm, index) => arm.curves.forEach(curve => {
    if (!metrics.has(curve.name)) metrics.set(curve.name, {heading: curve.heading, order: curve.order, lines: []});
    metrics.get(curve.name).lines.push({arm: index, curve});
  }));
  const constants = [];
  const headings = new Map();
  for (const [name, {heading, order, lines}] of metrics) {
    const values = new Set(lines.flatMap(({curve}) => [...curve.low, ...curve.high]));
    if (values.size === 1) constants.push(`${name} ${short([...values][0])}`);
    else headings.set(heading, [...headings.get(heading) ?? [], {name, order, lines}]);
  }
  headings.forEach(members => members.sort((a, b) => a.order - b.order));
  for (const [heading, members] of [...headings].sort((a, b) => a[1][0].order - b[1][0].order)) {
    make(byId("curve-groups"), "h3", heading);
    const grid = make(byId("curve-groups"), "div", null, {class: "grid"});
    for (const {name, lines} of members) addChart(grid, name, lines);
  }
  byId("constants").textContent = constants.join(",  ") || "none";
  byId("smooth").addEventListener("change", () => { charts.forEach(drawChart); showValuesAt(null); });
  showValuesAt(null);
}

if (!removeWhenEmpty("curves", data.arms.every(arm => !arm.curves.length))) showCurves();
