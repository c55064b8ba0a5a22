// The page of a model.

function modelSections(data) {
  const { facts } = data;
  const { left_out: hidden } = data.graph;
  const { machine } = data;
  return [
    headline(data),
    h("dl", { class: "facts" }, data.summary.map(({ name, value }) => h("div", {}, h("dt", {}, name), h("dd", {}, typeof value === "number" ? value.toLocaleString("en") : value)))),
    facts.scores?.length ? section("scores", "Scores", scoreTable(facts)) : null,
    machine ? section("try", "Try values", tryBox(machine)) : null,
    machine ? section("effects", "What each column does", h("p", { class: "soft" }, `${capital(mainName(machine))} as one column changes, all others being as usual: numbers at their mean, categories at their first level. Largest effects first.`), effectCurves(machine)) : null,
    section("network", "Network",
      h("p", { class: "soft" }, h("i", { class: "key", style: "background:var(--pos)" }), "adds", h("i", { class: "key", style: "background:var(--neg)" }), `subtracts; the wider, the larger the weight.${hidden ? ` The ${data.graph.edges.length} largest weights are drawn, ${hidden} are not.` : ""}`),
      networkPicture(data.graph)),
    section("formulas", "Formulas", h("p", { class: "soft" }, `Of the outputs, ${data.link}.`), formulaList(data.formulas)),
    data.pictures ? section("pictures", "Weights as pictures", h("p", { class: "soft" }, "One picture for each unit, and each output with a skip connection, those with most weights first; blue adds, orange subtracts."), pictures(data.pictures)) : null,
    facts.path?.some((p) => p.nnz > 0) ? section("path", `${capital(facts.path_measure)} against the number of weights`, pathPlot(facts.path, facts.path_measure, data.nnz)) : null,
    facts.importances?.length ? section("importances", "How much columns matter", plainTable(`How much the ${facts.measures?.[0]?.[1] ?? "score"} falls when the values of a column are shuffled between held-out rows.`, columnsOf([["name", "column"], ["loss", "loss", "g"]]), facts.importances.map((entry) => [entry.name, entry.loss]))) : null,
    facts.confusion ? section("confusion", "Confusions", confusion(facts.confusion)) : null,
    facts.pairs ? section("pairs", "Predictions and truth", scatter(facts.pairs)) : null,
    facts.pairs ? section("residuals", "Residuals", residuals(facts.pairs)) : null,
    section("layers", "Nonzeros by layer", plainTable("Share is that of the numbers a dense layer would have.",
      columnsOf([["name", "layer"], ["inputs", "inputs", "d"], ["units", "units", "d"], ["weights", "weights", "d"], ["biases", "biases", "d"], ["share", "share", "g"]]),
      data.layers.map((layer) => Object.values(layer)))),
    section("columns", "Columns in use", sortableTable("columns in use",
      columnsOf([["name", "column"], ["kind", "kind"], ["mean", "mean", "g"], ["scale", "scale", "g"], ["inputs", "inputs", "d"], ["weights", "weights", "d"]]),
      data.columns.map((column) => Object.values(column))), unusedColumns(data.unused)),
    facts.command ? section("command", "How to make this model again", codes([facts.command])) : null,
  ];
}

// What the model is of, how good it is, and the whole of it in a line.
function headline({ formula, target, facts }) {
  const [own, ...others] = facts.scores || [];
  const [key, name] = facts.measures?.[0] || ["score", "score"];
  const best = others.filter((entry) => entry[key] != null).sort((a, b) => b[key] - a[key])[0];
  const size = (entry) => (entry.numbers == null ? "" : ` with ${plural(entry.numbers, "number")}`);
  return h("div", { class: "headline" },
    own ? h("p", { class: "result" }, h("strong", {}, target), `: ${name} `, h("strong", {}, number(own[key])), `${size(own)} on held-out rows`,
      best ? `; the best other model, ${best.name}, has ${number(best[key])}${size(best)}.` : ".") : h("p", { class: "result" }, "A model of ", h("strong", {}, target), "."),
    formula ? h("pre", { tabindex: 0, role: "group", "aria-label": "formula" }, formula) : null);
}

const columnsOf = (entries) => entries.map(([key, label, digits]) => ({ key, label, digits: digits || "" }));

function unusedColumns(names) {
  if (!names.length) return h("p", {}, "All columns are used.");
  return h("details", {}, h("summary", {}, `${plural(names.length, "column")} not used`), h("p", {}, names.join(", ")));
}

function scoreTable({ scores, measures }) {
  const sizes = scores.some((entry) => entry.numbers != null) ? [["numbers", "numbers in it", "d"]] : [];
  const columns = [["name", "model"], ...measures.map(([key, label]) => [key, label, "g"]), ...sizes];
  return plainTable("As they were measured when the model was made.", columnsOf(columns), scores.map((entry) => columns.map(([key]) => entry[key])));
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function pathPlot(whole, measure, nnz) {
  // The axis is of logarithms, which has no place for a model without weights.
  const path = whole.filter((p) => p.nnz > 0);
  const points = path.map((p) => ({
    x: p.nnz, y: p.score, se: p.se,
    tip: () => [h("strong", {}, `${p.nnz} nonzeros`), h("div", {}, `${measure} ${number(p.score)}, standard error ${number(p.se)}`)],
  }));
  const ends = path.flatMap((p) => [p.score - (p.se || 0), p.score + (p.se || 0)]);
  const xs = path.map((p) => p.nnz);
  const domains = { xDomain: [Math.max(1, Math.min(...xs)), Math.max(...xs)], xLog: true, xTicks: xs, yDomain: padded(ends, false), yLog: false };
  const at = points.reduce((a, b) => (Math.abs(Math.log(a.x / nnz)) <= Math.abs(Math.log(b.x / nnz)) ? a : b));
  const chosen = { label: "chosen", k: 1, dash: "", points: [{ ...at, se: null }] };
  return [h("p", { class: "soft" }, `The orange point is the size that was chosen: ${plural(nnz, "nonzero")}.`),
    h("div", { class: "plots" }, lines(capital(measure), { xName: "nonzeros", yName: measure }, domains, [{ label: measure, k: 0, dash: "", points }, chosen]))];
}

function confusion({ labels, counts }) {
  const totals = counts.map((row) => row.reduce((a, b) => a + b, 0) || 1);
  const right = counts.reduce((sum, row, i) => sum + row[i], 0), n = counts.flat().reduce((a, b) => a + b, 0);
  return [
    h("p", { class: "soft" }, `${right} of ${n} rows are right (${number(n ? (100 * right) / n : null)} %). Colours are shares of the rows of a true class.`),
    h("div", { class: "maps" }, heatmap({
      title: "Rows by true and predicted class", rowName: "true", columnName: "predicted", rows: labels, columns: labels,
      cell: (i, j) => ({
        text: String(counts[i][j]),
        ...(counts[i][j] ? signed(i === j ? counts[i][j] / totals[i] : (-1.5 * counts[i][j]) / totals[i]) : {}),
        tip: () => [h("strong", {}, `${labels[i]} taken for ${labels[j]}`), h("div", {}, `${plural(counts[i][j], "row")}, ${number((100 * counts[i][j]) / totals[i])} % of ${labels[i]}`)],
      }),
    })),
  ];
}

function scatter({ points, of, name }) {
  const domain = padded(points.flat(), false);
  const { svg, x, y } = frame({ label: `predictions of ${name} against the truth`, xName: `true ${cut(name, 30)}`, yName: "predicted", xDomain: domain, yDomain: domain });
  svg.append(s("line", { x1: x.at(domain[0]), y1: y.at(domain[0]), x2: x.at(domain[1]), y2: y.at(domain[1]), stroke: "var(--soft)", "stroke-dasharray": "4 4" }));
  for (const [a, b] of points) svg.append(tip(s("circle", { cx: x.at(a), cy: y.at(b), r: 2.6, fill: "var(--c0)", "fill-opacity": 0.55 }), () => [h("div", {}, `true ${number(a)}, predicted ${number(b)}`)], undefined, false));
  const part = points.length < of ? ` ${points.length} of ${of} rows are drawn.` : "";
  return [h("p", { class: "soft" }, `On the dashed line predictions are right.${part}`), h("div", { class: "plots" }, h("figure", {}, h("h3", {}, name), svg))];
}

function residuals({ points, name }) {
  const pairs = points.map(([truth, guess]) => [guess, truth - guess]);
  const most = Math.max(...pairs.map(([, rest]) => Math.abs(rest)), 1e-300);
  const { svg, x, y } = frame({ label: `residuals of ${name} against predictions`, xName: `predicted ${cut(name, 30)}`, yName: "truth less prediction", xDomain: padded(pairs.map(([guess]) => guess), false), yDomain: [-1.06 * most, 1.06 * most] });
  svg.append(s("line", { x1: x.at(x.low), x2: x.at(x.high), y1: y.at(0), y2: y.at(0), stroke: "var(--soft)", "stroke-dasharray": "4 4" }));
  for (const [a, b] of pairs) svg.append(tip(s("circle", { cx: x.at(a), cy: y.at(b), r: 2.6, fill: "var(--c0)", "fill-opacity": 0.55 }), () => [h("div", {}, `predicted ${number(a)}, off by ${number(b, "+g")}`)], undefined, false));
  return [h("p", { class: "soft" }, "A cloud without a shape says that nothing is left to find in the predictions."), h("div", { class: "plots" }, h("figure", {}, h("h3", {}, name), svg))];
}
