// Held-out answers: each prompt with the answers of the base model and of every adapter.
const ANSWERS_AT_ONCE = 20;
const answers = {rows: [], shown: 0};
const change = row => (row.answers.at(-1).rate ?? 0) - (row.answers[0].rate ?? 0);

function filteredAnswers() {
  const filter = byId("answer-filter").value, words = byId("answer-search").value.toLowerCase();
  const matches = {changed: row => change(row) !== 0, better: row => change(row) > 0, worse: row => change(row) < 0, all: () => true}[filter];
  const text = row => [row.prompt, ...row.answers.map(answer => answer.completion)].join("\n").toLowerCase();
  return data.answers.rows.filter(row => matches(row) && text(row).includes(words));
}

function showAnswer(cell, answer) {
  make(cell, "div", answer.completion.trim() || "(empty)");
  const list = make(cell, "ul", null, {class: "verdicts"});
  for (const [kind, satisfied] of answer.satisfied) make(list, "li", kind, {class: `verdict ${satisfied ? "satisfied" : "violated"}`});
}

function showMoreAnswers() {
  for (const row of answers.rows.slice(answers.shown, answers.shown + ANSWERS_AT_ONCE)) {
    const line = make(byId("answer-table").tBodies[0], "tr");
    const prompt = make(line, "td", `${row.prompt}\n`, {class: "prompt"});
    const delta = change(row);
    if (delta) make(prompt, "span", `${delta > 0 ? "+" : ""}${short(delta)}`, {class: `delta ${delta > 0 ? "better" : "worse"}`});
    for (const answer of row.answers) showAnswer(make(line, "td"), answer);
  }
  answers.shown = Math.min(answers.shown + ANSWERS_AT_ONCE, answers.rows.length);
  byId("more-answers").hidden = answers.shown === answers.rows.length;
}

function showAnswers() {
  Object.assign(answers, {rows: filteredAnswers(), shown: 0});
  const table = byId("answer-table");
  table.replaceChildren();
  const header = make(make(table, "thead"), "tr");
  for (const name of ["prompt", ...data.answers.columns]) make(header, "th", name, {scope: "col"});
  make(table, "tbody");
  byId("answer-count").textContent = `${answers.rows.length} of ${data.answers.rows.length} problems`;
  showMoreAnswers();
}

if (!removeWhenEmpty("answers", !data.answers.rows.length)) {
  if (data.answers.columns.length < 2) byId("answer-filter").value = "all";
  byId("answer-filter").addEventListener("change", showAnswers);
  byId("answer-search").addEventListener("input", showAnswers);
  byId("more-answers").addEventListener("click", showMoreAnswers);
  showAnswers();
}
