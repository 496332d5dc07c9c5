"use strict";
const form = document.getElementById("filters");
const rows = [...document.querySelectorAll("table.claims > tbody > tr")];
function show() {
  const { study, evidence, outcome, measurable, words } = Object.fromEntries(new FormData(form));
  const kinds = evidence ? [evidence] : ["published", "measured"];
  let shown = 0;
  for (const row of rows) {
    const verdicts = kinds.map((kind) => row.dataset[kind]).filter(Boolean);
    const fits =
      (!study || row.dataset.study === study) &&
      verdicts.some((verdict) => !outcome || verdict === outcome) &&
      (!measurable || row.dataset.measurable === measurable) &&
      row.textContent.toLowerCase().includes(words.toLowerCase());
    row.hidden = !fits;
    shown += fits;
  }
  document.getElementById("shown").textContent = `${shown} of ${rows.length} claims`;
}
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", openTarget);
function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const details = target && target.querySelector("details");
  if (details) details.open = true;
}
show();
openTarget();
