// Rollouts: a group's best and worst side by side, tokens coloured by a reading, evidence on request.
const ATTENTION = "attention to rule ";
const isAroundOne = reading => ["credit", "ratio"].includes(reading) || reading.startsWith(ATTENTION);
const MEANINGS = {
  credit: "share of the completion's advantage: 1 is an equal share",
  ratio: "policy over sampler probability: 1 is unchanged",
  entropy: "how undecided the policy was, in nats",
  mask: "1 where the token is trained",
  fai: "future attention influence: how much later tokens look back to it",
  waad: "windowed average attention distance, in tokens: how far back it looks",
};
const meaningOf = reading => reading.startsWith(ATTENTION)
  ? "what the token pays to the words that state the rule, over what it pays to the rest of the prompt"
  : MEANINGS[reading] ?? "as recorded";
const state = {reading: null, steps: []};

function colourOf(reading, value, highest) {
  if (value === null || value === undefined) return "";
  if (!isAroundOne(reading)) return mixed("--high", 0.75 * Math.min(Math.max(value / (highest || 1), 0), 1));
  const share = Math.min(Math.abs(value - 1) / Math.max(highest - 1, 0.05), 1);
  return mixed(value >= 1 ? "--high" : "--low", 0.72 * share);
}

function highestOf(members) {
  return Math.max(...members.flatMap(member => member.readings[state.reading] ?? [0]));
}

// Characters are cut where a token or a piece of evidence begins or ends, so that both can be marked.
function pieces(member, evidence) {
  const edges = new Set([0, member.completion.length]);
  for (const [start, end] of [...member.spans, ...evidence]) { edges.add(start); edges.add(end); }
  const sorted = [...edges].filter(edge => edge <= member.completion.length).sort((a, b) => a - b);
  const found = sorted.slice(1).map((end, index) => ({start: sorted[index], end, tokens: []}));
  const starting = new Map(found.map(piece => [piece.start, piece]));
  member.spans.forEach(([start, end], token) => {
    if (start === end) return;
    for (let piece = starting.get(start); piece && piece.start < end; piece = starting.get(piece.end)) piece.tokens.push(token);
  });
  return found;
}

function showTokens(holder, member, highest, verdict = null) {
  holder.replaceChildren();
  holder.spansOf = member.ids.map(() => []);
  const values = member.readings[state.reading] ?? [];
  const evidence = verdict ? verdict.evidence : [];
  for (const {start, end, tokens} of pieces(member, evidence)) {
    const value = tokens.length ? Math.max(...tokens.map(token => values[token])) : null;
    const proves = evidence.some(([from, to]) => start >= from && end <= to);
    const span = make(holder, "span", member.completion.slice(start, end), {class: proves ? `evidence-${outcome(verdict)}` : "", style: `background:${colourOf(state.reading, value, highest)}`});
    tokens.forEach(token => holder.spansOf[token].push(span));
  }
  member.spans.forEach(([start, end], token) => {
    if (start !== end || token < member.ids.length - 1) return;
    const span = make(holder, "span", "end", {class: "special", style: `background:${colourOf(state.reading, values[token], highest)}`});
    holder.spansOf[token].push(span);
  });
}

function readout(member, token) {
  const [start, end] = member.spans[token];
  const shown = Object.entries(member.readings).map(([name, values]) => `${name} ${short(values[token])}`);
  return [`token ${token} of ${member.ids.length}`, JSON.stringify(member.completion.slice(start, end)), `id ${member.ids[token]}`, ...shown].join("   ");
}

const outcome = verdict => verdict.satisfied === null ? "silent" : verdict.satisfied ? "held" : "broken";

function showPrompt(holder, prompt, spans) {
  holder.replaceChildren();
  make(holder, "span", "prompt", {class: "who"});
  let at = 0;
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    if (start < at) continue;
    holder.append(prompt.slice(at, start));
    make(holder, "span", prompt.slice(start, end), {class: "asks"});
    at = end;
  }
  holder.append(prompt.slice(at));
}

function walkTokens(holder, readoutLine, member) {
  let here = -1;
  const point = token => {
    holder.querySelectorAll(".here").forEach(span => span.classList.remove("here"));
    here = token;
    holder.spansOf[token].forEach(span => span.classList.add("here"));
    readoutLine.textContent = readout(member, token);
  };
  holder.addEventListener("pointermove", event => {
    const token = holder.spansOf.findIndex(spans => spans.includes(event.target));
    if (token >= 0 && token !== here) point(token);
  });
  holder.addEventListener("keydown", event => {
    const move = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!move) return;
    event.preventDefault();
    point(Math.min(Math.max(here + move, 0), member.ids.length - 1));
  });
}

function showVerdicts(parent, member, group, tokens, prompt, highest) {
  const list = make(parent, "ul", null, {class: "verdicts", "aria-label": "Verdicts"});
  for (const verdict of member.verdicts) {
    const item = make(list, "li", null, {class: `verdict ${outcome(verdict)}`, tabindex: 0});
    item.append(`${verdict.id} `);
    const told = {held: "kept", broken: "broken", silent: "does not apply"}[outcome(verdict)];
    const looked = verdict.attention === undefined || verdict.attention === null ? "" : `, looked at × ${short(verdict.attention)}`;
    make(item, "small", outcome(verdict) === "silent" ? told : `margin ${short(verdict.margin)}${looked}`);
    item.setAttribute("aria-label", `${verdict.id}: ${told}, margin ${short(verdict.margin)}${looked}`);
    const show = () => { showTokens(tokens, member, highest, verdict); showPrompt(prompt, group.prompt, verdict.spans); };
    const hide = () => { showTokens(tokens, member, highest); showPrompt(prompt, group.prompt, []); };
    for (const kind of ["pointerenter", "focus"]) item.addEventListener(kind, show);
    for (const kind of ["pointerleave", "blur"]) item.addEventListener(kind, hide);
  }
}

function showMember(parent, member, group, prompt, highest) {
  const box = make(parent, "div", null, {class: `member ${member.which}`});
  const title = make(box, "div", null, {class: "score"});
  make(title, "span", {best: "best", worst: "worst", equal: "all alike"}[member.which], {class: "who"});
  title.append(`reward ${short(member.reward)}, advantage ${member.advantage >= 0 ? "+" : ""}${short(member.advantage)}, ${member.ids.length} tokens`);
  const tokens = make(box, "div", null, {class: "tokens", tabindex: 0, "aria-label": `${member.which} completion: ${member.completion}`});
  const line = make(box, "p", "", {class: "readout", "aria-live": "polite"});
  showTokens(tokens, member, highest);
  walkTokens(tokens, line, member);
  showVerdicts(box, member, group, tokens, prompt, highest);
}

function showGroup(parent, group) {
  const card = make(parent, "article", null, {class: "card group", "aria-label": `Group of ${group.problem_id}`});
  const prompt = make(card, "p", null, {class: "prompt"});
  showPrompt(prompt, group.prompt, []);
  const members = make(card, "div", null, {class: "members"});
  const highest = highestOf(group.members);
  for (const member of group.members) showMember(members, member, group, prompt, highest);
}

function wanted(group) {
  const kind = place("kind-filter").value;
  if (kind && !group.members.some(member => member.verdicts.some(verdict => verdict.id === kind))) return false;
  return !place("differing").checked || group.members.length > 1;
}

function showStep() {
  const step = state.steps[place("step").value];
  const total = Math.max(...data.arms.map(arm => arm.recorded_steps));
  place("step-shown").textContent = `${step} (${state.steps.length} of ${total} shown)`;
  const holder = place("groups");
  holder.replaceChildren();
  const columns = data.arms.length > 1 ? make(holder, "div", null, {class: "pair"}) : holder;
  data.arms.forEach((arm, index) => {
    const column = data.arms.length > 1 ? make(columns, "div") : columns;
    if (data.arms.length > 1) make(column, "h3", arm.name, {class: `arm-${index}`});
    const groups = arm.groups.filter(group => group.step === step && wanted(group));
    groups.forEach(group => showGroup(column, group));
    if (!groups.length) make(column, "p", "Nothing recorded at this step fits.", {class: "help"});
  });
}

function showLegend() {
  const legend = place("legend"), reading = state.reading;
  legend.replaceChildren();
  legend.append(`${reading}: ${meaningOf(reading)}. `);
  const around = isAroundOne(reading);
  legend.append(around ? "less" : "0");
  const stops = around ? [mixed("--low", 0.72), "transparent", mixed("--high", 0.72)] : ["transparent", mixed("--high", 0.75)];
  make(legend, "span", null, {class: "scale", style: `background:linear-gradient(90deg,${stops.join(",")})`});
  legend.append("the group's highest");
}

function showRollouts() {
  const groups = data.arms.flatMap(arm => arm.groups);
  state.steps = [...new Set(groups.map(group => group.step))].sort((a, b) => a - b);
  const members = groups.flatMap(group => group.members);
  const names = [...new Set(members.flatMap(member => Object.keys(member.readings)))];
  for (const name of names) make(place("reading"), "option", name, {value: name});
  const kinds = [...new Set(members.flatMap(member => member.verdicts.map(verdict => verdict.id)))].sort();
  for (const kind of kinds) make(place("kind-filter"), "option", kind, {value: kind});
  state.reading = names[0];
  Object.assign(place("step"), {max: state.steps.length - 1});
  place("step").value = state.steps.length - 1;
  place("reading").addEventListener("change", event => { state.reading = event.target.value; showLegend(); showStep(); });
  for (const [id, kind] of [["step", "input"], ["kind-filter", "change"], ["differing", "change"]]) place(id).addEventListener(kind, showStep);
  showLegend();
  showStep();
}

if (!removeWhenEmpty("rollouts", data.arms.every(arm => !arm.groups.length))) showRollouts();
