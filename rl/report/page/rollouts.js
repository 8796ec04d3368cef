// Rollouts: the best and worst completion of a group, tokens coloured by a reading, evidence shown on request.
const ATTENTION = "attention to constraint ", CHANNEL = "channel";
// Readings whose neutral value is 1; the others start at 0.
const isRelative = reading => ["credit", "ratio", "boundary"].includes(reading) || reading.startsWith(ATTENTION);
const MEANINGS = {
  credit: "the token's share of the completion's advantage; 1 is an equal share",
  ratio: "probability under the trained policy over that under the policy that sampled; 1 is unchanged",
  entropy: "how undecided the policy was, in nats",
  mask: "1 where the token is trained",
  fai: "future attention influence: how much later tokens attend to this one",
  channel: "the constraint whose share of the advantage moved the token most, stronger the more credit it got; grey: none",
  boundary: "how differently later tokens treat what lies before and behind this token; 1 is alike",
  waad: "windowed average attention distance, in tokens: how far back this token attends",
};
const meaningOf = reading => reading.startsWith(ATTENTION)
  ? "the token's attention to the words that state the constraint, over its attention to the rest of the prompt"
  : MEANINGS[reading] ?? "as recorded";
const state = {reading: null, steps: []};

// The distance from the neutral value that gets the strongest colour: the largest in the group.
function scaleReach(members) {
  const reading = state.reading === CHANNEL ? "credit" : state.reading;
  const values = members.flatMap(member => member.readings[reading] ?? []).filter(value => value !== null);
  if (state.reading === CHANNEL) return Math.max(1, ...values);
  return Math.max(0, ...values.map(value => isRelative(state.reading) ? Math.abs(value - 1) : value));
}

function colourOf(reading, value, reach) {
  if (value === null || value === undefined) return "";
  const distance = isRelative(reading) ? Math.abs(value - 1) : Math.max(value, 0);
  const smallest = isRelative(reading) ? data.scale.smallest_reach : 1e-9;
  const colour = isRelative(reading) && value < 1 ? "--less" : "--more";
  return withOpacity(colour, data.scale.strongest * Math.min(distance / Math.max(reach, smallest), 1));
}

// None of the hues is that of a satisfied or a violated verdict; what is left for no constraint is grey.
const HUES = [210, 30, 280, 180, 55, 325];
const channelColour = channel => channel > 0 ? `hsl(${HUES[(channel - 1) % HUES.length]} 75% 50%)` : "var(--quiet)";
const channelName = (member, channel) => channel > 0 ? member.verdicts[channel - 1]?.id ?? "?" : "no constraint";

// The colour of a piece of text: that of the token with the highest value, for channels of the one with most credit.
function colourOfPiece(member, tokens, reach) {
  const values = member.readings[state.reading] ?? [];
  if (state.reading !== CHANNEL) return colourOf(state.reading, tokens.length ? Math.max(...tokens.map(token => values[token])) : null, reach);
  const credit = member.readings.credit;
  const token = tokens.reduce((best, other) => best === null || credit[other] > credit[best] ? other : best, null);
  if (token === null || values[token] === undefined) return "";
  const share = Math.round(100 * data.scale.strongest * Math.min(credit[token] / reach, 1));
  return `color-mix(in srgb, ${channelColour(values[token])} ${share}%, transparent)`;
}

function nameChannels(span, member, tokens) {
  const channels = member.readings[CHANNEL];
  if (channels && tokens.length) span.title = [...new Set(tokens.map(token => channelName(member, channels[token])))].join(", ");
}

// Split the text where a token or a piece of evidence begins or ends, so that both can be marked.
function splitText(member, evidence) {
  const edges = new Set([0, member.answer_start, member.completion.length]);
  for (const [start, end] of [...member.spans, ...evidence]) { edges.add(start); edges.add(end); }
  const sorted = [...edges].filter(edge => edge <= member.completion.length).sort((a, b) => a - b);
  const pieces = sorted.slice(1).map((end, index) => ({start: sorted[index], end, tokens: []}));
  const starting = new Map(pieces.map(piece => [piece.start, piece]));
  member.spans.forEach(([start, end], token) => {
    if (start === end) return;
    for (let piece = starting.get(start); piece && piece.start < end; piece = starting.get(piece.end)) piece.tokens.push(token);
  });
  return pieces;
}

// The thought before an answer is folded; opened, it stays open while evidence is shown.
function showThought(holder, member) {
  const thought = make(holder, "details", null, {class: "thought"});
  thought.open = Boolean(holder.thoughtOpen);
  thought.addEventListener("toggle", () => { holder.thoughtOpen = thought.open; });
  const tokens = member.spans.filter(([start, end]) => start < end && end <= member.answer_start).length;
  make(thought, "summary", `thought, ${tokens} tokens`);
  return thought;
}

function showTokens(holder, member, reach, verdict = null) {
  holder.replaceChildren();
  holder.spansOf = member.ids.map(() => []);
  const evidence = verdict ? verdict.evidence : [];
  const thought = member.answer_start ? showThought(holder, member) : null;
  for (const {start, end, tokens} of splitText(member, evidence)) {
    const isEvidence = evidence.some(([from, to]) => start >= from && end <= to);
    const span = make(end <= member.answer_start ? thought : holder, "span", member.completion.slice(start, end), {class: isEvidence ? `evidence-${outcome(verdict)}` : "", style: `background:${colourOfPiece(member, tokens, reach)}`});
    nameChannels(span, member, tokens);
    tokens.forEach(token => holder.spansOf[token].push(span));
  }
  member.spans.forEach(([start, end], token) => {
    if (start !== end || token < member.ids.length - 1) return;
    const span = make(holder, "span", "end", {class: "special", style: `background:${colourOfPiece(member, [token], reach)}`});
    nameChannels(span, member, [token]);
    holder.spansOf[token].push(span);
  });
}

function readout(member, token) {
  const [start, end] = member.spans[token];
  const shown = Object.entries(member.readings).map(([name, values]) => `${name} ${name === CHANNEL ? channelName(member, values[token]) : short(values[token])}`);
  return [`token ${token} of ${member.ids.length}`, JSON.stringify(member.completion.slice(start, end)), `id ${member.ids[token]}`, ...shown].join("   ");
}

const outcome = verdict => verdict.satisfied === null ? "inapplicable" : verdict.satisfied ? "satisfied" : "violated";

function showPrompt(holder, prompt, spans) {
  holder.replaceChildren();
  make(holder, "span", "prompt", {class: "who"});
  let written = 0;
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    if (start < written) continue;
    holder.append(prompt.slice(written, start));
    make(holder, "span", prompt.slice(start, end), {class: "states"});
    written = end;
  }
  holder.append(prompt.slice(written));
}

function walkTokens(holder, readoutLine, member) {
  let current = -1;
  const select = token => {
    holder.querySelectorAll(".here").forEach(span => span.classList.remove("here"));
    current = token;
    holder.spansOf[token].forEach(span => span.classList.add("here"));
    readoutLine.textContent = readout(member, token);
  };
  holder.addEventListener("pointermove", event => {
    const token = holder.spansOf.findIndex(spans => spans.includes(event.target));
    if (token >= 0 && token !== current) select(token);
  });
  holder.addEventListener("keydown", event => {
    const move = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!move) return;
    event.preventDefault();
    select(Math.min(Math.max(current + move, 0), member.ids.length - 1));
  });
}

function showVerdicts(parent, member, group, tokens, prompt, reach) {
  const list = make(parent, "ul", null, {class: "verdicts", "aria-label": "Verdicts"});
  for (const [index, verdict] of member.verdicts.entries()) {
    const item = make(list, "li", null, {class: `verdict ${outcome(verdict)}`, tabindex: 0});
    if (state.reading === CHANNEL) item.style.borderColor = channelColour(index + 1);
    item.append(`${verdict.id} `);
    const word = outcome(verdict) === "inapplicable" ? "does not apply" : outcome(verdict);
    const attention = verdict.attention === undefined || verdict.attention === null ? "" : `, attention × ${short(verdict.attention)}`;
    make(item, "small", outcome(verdict) === "inapplicable" ? word : `margin ${short(verdict.margin)}${attention}`);
    item.setAttribute("aria-label", `${verdict.id}: ${word}, margin ${short(verdict.margin)}${attention}`);
    const show = () => { showTokens(tokens, member, reach, verdict); showPrompt(prompt, group.prompt, verdict.spans); };
    const hide = () => { showTokens(tokens, member, reach); showPrompt(prompt, group.prompt, []); };
    for (const kind of ["pointerenter", "focus"]) item.addEventListener(kind, show);
    for (const kind of ["pointerleave", "blur"]) item.addEventListener(kind, hide);
  }
}

// The confusion matrix: each segment's attention to the constraints, as shares of its attention to all of them.
function showListening(parent, member) {
  if (!member.listening) return;
  const {constraints, segments, shares, margins} = member.listening;
  const box = make(make(parent, "details", null, {class: "listening"}), "summary", "What each segment listens to").parentNode;
  const table = make(box, "table"), header = make(table, "tr");
  for (const text of ["", ...segments.map(([first, last]) => textOf(member, first, last)), "margin"]) make(header, "th", text);
  constraints.forEach((constraint, row) => {
    const verdict = member.verdicts[constraint], line = make(table, "tr");
    make(line, "th", verdict.id, {class: outcome(verdict)});
    for (const share of shares[row]) make(line, "td", short(share), {style: `background:${withOpacity("--more", data.scale.strongest * share)}`});
    make(line, "td", short(margins[row]), {title: "its share in the segments aligned to it minus the strongest other's; below 0 they attend to another constraint"});
  });
}

const textOf = (member, first, last) => member.completion.slice(member.spans[first][0], member.spans[last - 1][1]).trim();

function showMember(parent, member, group, prompt, reach) {
  const box = make(parent, "div", null, {class: `member ${member.which}`});
  const title = make(box, "div", null, {class: "score"});
  make(title, "span", {best: "best", worst: "worst", equal: "equal rewards"}[member.which], {class: "who"});
  title.append(`reward ${short(member.reward)}, advantage ${member.advantage >= 0 ? "+" : ""}${short(member.advantage)}, ${member.ids.length} tokens`);
  const tokens = make(box, "div", null, {class: "tokens", tabindex: 0, "aria-label": `${member.which} completion: ${member.completion}`});
  const line = make(box, "p", "", {class: "readout", "aria-live": "polite"});
  showTokens(tokens, member, reach);
  walkTokens(tokens, line, member);
  showVerdicts(box, member, group, tokens, prompt, reach);
  showListening(box, member);
}

function showGroup(parent, group) {
  const card = make(parent, "article", null, {class: "card group", "aria-label": `Group of ${group.problem_id}`});
  const prompt = make(card, "p", null, {class: "prompt"});
  showPrompt(prompt, group.prompt, []);
  const members = make(card, "div", null, {class: "members"});
  const reach = scaleReach(group.members);
  for (const member of group.members) showMember(members, member, group, prompt, reach);
}

function matchesFilters(group) {
  const kind = byId("kind-filter").value;
  if (kind && !group.members.some(member => member.verdicts.some(verdict => verdict.id === kind))) return false;
  return !byId("differing").checked || group.members.length > 1;
}

function showStep() {
  const step = state.steps[byId("step").value];
  const total = Math.max(...data.arms.map(arm => arm.recorded_steps));
  byId("step-shown").textContent = `${step} (${state.steps.length} of ${total} shown)`;
  const holder = byId("groups");
  holder.replaceChildren();
  const columns = data.arms.length > 1 ? make(holder, "div", null, {class: "pair"}) : holder;
  data.arms.forEach((arm, index) => {
    const column = data.arms.length > 1 ? make(columns, "div") : columns;
    if (data.arms.length > 1) make(column, "h3", arm.name, {class: `arm-${index}`});
    const groups = arm.groups.filter(group => group.step === step && matchesFilters(group));
    groups.forEach(group => showGroup(column, group));
    if (!groups.length) make(column, "p", "Nothing that was recorded at this step matches.", {class: "help"});
  });
}

function showLegend() {
  const legend = byId("legend"), reading = state.reading;
  legend.replaceChildren();
  legend.append(`${reading}: ${meaningOf(reading)}. `);
  if (reading === CHANNEL) return;
  const full = data.scale.strongest, relative = isRelative(reading);
  legend.append(relative ? "below 1" : "0");
  const stops = [relative ? withOpacity("--less", full) : "transparent", ...(relative ? ["transparent"] : []), withOpacity("--more", full)];
  make(legend, "span", null, {class: "scale", style: `background:linear-gradient(90deg,${stops.join(",")})`});
  legend.append(relative ? "above 1, strongest where a value is the farthest from 1 in its group" : "the highest of the group");
}

function showRollouts() {
  const groups = data.arms.flatMap(arm => arm.groups);
  state.steps = [...new Set(groups.map(group => group.step))].sort((a, b) => a - b);
  const members = groups.flatMap(group => group.members);
  const names = [...new Set(members.flatMap(member => Object.keys(member.readings)))];
  for (const name of names) make(byId("reading"), "option", name, {value: name});
  const kinds = [...new Set(members.flatMap(member => member.verdicts.map(verdict => verdict.id)))].sort();
  for (const kind of kinds) make(byId("kind-filter"), "option", kind, {value: kind});
  state.reading = byId("reading").value = names.includes(CHANNEL) ? CHANNEL : names[0];
  Object.assign(byId("step"), {max: state.steps.length - 1});
  byId("step").value = state.steps.length - 1;
  byId("reading").addEventListener("change", event => { state.reading = event.target.value; showLegend(); showStep(); });
  for (const [id, kind] of [["step", "input"], ["kind-filter", "change"], ["differing", "change"]]) byId(id).addEventListener(kind, showStep);
  showLegend();
  showStep();
}

if (!removeWhenEmpty("rollouts", data.arms.every(arm => !arm.groups.length))) showRollouts();
