// Held-out answers: the same prompt answered by the base model and by each adapter.
const ANSWERS_AT_ONCE = 20;
const answers = {rows: [], shown: 0};
const change = row => (row.answers.at(-1).rate ?? 0) - (row.answers[0].rate ?? 0);

function wantedAnswers() {
  const filter = place("answer-filter").value, words = place("answer-search").value.toLowerCase();
  const fits = {changed: row => change(row) !== 0, better: row => change(row) > 0, worse: row => change(row) < 0, all: () => true}[filter];
  const text = row => [row.prompt, ...row.answers.map(answer => answer.completion)].join("\n").toLowerCase();
  return data.answers.rows.filter(row => fits(row) && text(row).includes(words));
}

function showAnswer(cell, answer) {
  make(cell, "div", answer.completion.trim() || "(nothing)");
  const list = make(cell, "ul", null, {class: "verdicts"});
  for (const [kind, held] of answer.satisfied) make(list, "li", kind, {class: `verdict ${held ? "held" : "broken"}`});
}

function showMoreAnswers() {
  for (const row of answers.rows.slice(answers.shown, answers.shown + ANSWERS_AT_ONCE)) {
    const line = make(place("answer-table").tBodies[0], "tr");
    const prompt = make(line, "td", `${row.prompt}\n`, {class: "prompt"});
    const delta = change(row);
    if (delta) make(prompt, "span", `${delta > 0 ? "+" : ""}${short(delta)}`, {class: `delta ${delta > 0 ? "better" : "worse"}`});
    for (const answer of row.answers) showAnswer(make(line, "td"), answer);
  }
  answers.shown = Math.min(answers.shown + ANSWERS_AT_ONCE, answers.rows.length);
  place("more-answers").hidden = answers.shown === answers.rows.length;
}

function showAnswers() {
  Object.assign(answers, {rows: wantedAnswers(), shown: 0});
  const table = place("answer-table");
  table.replaceChildren();
  const header = make(make(table, "thead"), "tr");
  for (const name of ["prompt", ...data.answers.columns]) make(header, "th", name, {scope: "col"});
  make(table, "tbody");
  place("answer-count").textContent = `${answers.rows.length} of ${data.answers.rows.length} problems`;
  showMoreAnswers();
}

if (!removeWhenEmpty("answers", !data.answers.rows.length)) {
  if (data.answers.columns.length < 2) place("answer-filter").value = "all";
  place("answer-filter").addEventListener("change", showAnswers);
  place("answer-search").addEventListener("input", showAnswers);
  place("more-answers").addEventListener("click", showMoreAnswers);
  showAnswers();
}
