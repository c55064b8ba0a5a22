// The page of a results folder.

function sweepSections(data) {
  const place = Object.fromEntries(data.columns.map((column, k) => [column.key, k]));
  const state = { panel: 0, metric: "value", method: "", exact: "", first: 0, second: 1, hidden: new Set() };
  const holders = Object.fromEntries(["controls", "maps", "difference", "curves", "rows"].map((name) => [name, h("div", {})]));
  const draw = () => {
    const panel = data.panels[state.panel];
    const metric = panel.metrics.find((m) => m.key === state.metric) || panel.metrics[0];
    const view = { data, place, panel, metric, state, draw };
    holders.controls.replaceChildren(sweepControls(view));
    holders.maps.replaceChildren(...scoreMaps(view));
    holders.difference.replaceChildren(...differenceMap(view));
    holders.curves.replaceChildren(...curvePlots(view));
    holders.rows.replaceChildren(...pickedRows(view));
  };
  if (data.panels.length) draw();
  const counts = Object.entries(data.counts).map(([status, n]) => `${n} ${status}`).join(", ");
  return [
    h("div", { class: "headline" }, data.findings.map((text) => h("p", { class: "result" }, text))),
    h("p", { class: "soft" }, `${plural(data.rows.length, "cell")}: ${counts}.`),
    ...(data.panels.length ? [
      holders.controls,
      section("scores", "Scores by width and budget", holders.maps),
      section("differences", "Differences of methods", holders.difference),
      section("curves", "Scores against the budget", holders.curves),
    ] : [h("p", {}, "No cell has a result.")]),
    ...(data.axes.length ? [section("axes", "Scores against options of the task", data.axes.map(axisPlots))] : []),
    section("rows", "Rows", data.panels.length ? holders.rows : sortableTable("all rows", data.columns, data.rows)),
    section("failures", "Cells without a good end", failures(data)),
    section("command", "How to make these results again", h("p", { class: "soft" }, `Reconstructed from the rows: ${plural(data.commands.length, "command")} that together ask for just these cells. Folders of data files are not in the rows.`), codes(data.commands)),
  ];
}

function sweepControls({ data, panel, metric, state, draw }) {
  const set = (name, convert = Number) => (value) => {
    state[name] = convert(value);
    if (name === "panel") Object.assign(state, { method: "", first: 0, second: 1, hidden: new Set() });
    const label = document.activeElement?.closest("label")?.firstChild.textContent;
    draw();
    // The control was drawn anew: keep the focus where it was.
    document.querySelectorAll(".controls.main label").forEach((node) => { if (node.firstChild.textContent === label) node.querySelector("select").focus(); });
  };
  const methods = mapped(panel).map((series, k) => [k, series.label]);
  return h("div", { class: "controls main" },
    choice("Task", data.panels.map((p, k) => [k, p.title]), state.panel, set("panel")),
    choice("Metric", panel.metrics.map((m) => [m.key, m.label]), metric.key, set("metric", String)),
    choice("Method", [["", "all methods"], ...methods], state.method, set("method", String)),
    data.columns.some((column) => column.key === "exact") ? choice("Networks", [["", "all"], ["true", "exact"], ["false", "not exact"]], state.exact, set("exact", String)) : null,
  );
}

// The rows of the task and method that are picked, and only exact ones if that is wanted.
function pickedRows(view) {
  const { data, place, panel, state } = view;
  const titles = data.panels.map((one) => one.title), label = state.method === "" ? null : mapped(panel)[Number(state.method)].label;
  const picked = data.rows.filter((row) => {
    // Rows of tasks without any result have no panel to be picked by.
    const isHere = row[place.task] === panel.title || !titles.includes(row[place.task]);
    return isHere && (label === null || row[place.method] === label) && (state.exact === "" || String(row[place.exact]) === state.exact);
  });
  return sortableTable("rows of what is picked", data.columns, picked);
}
const isExact = ({ data, place }, cell) => "exact" in place && cell.rows.every((row) => data.rows[row][place.exact] === true);
// A cell counts if it has a row that is wanted.
const isWanted = ({ data, place, state }, cell) => state.exact === "" || cell.rows.some((row) => String(data.rows[row][place.exact]) === state.exact);

const mapped = (panel) => panel.series.filter((series) => series.cells.some((cell) => cell.nnz !== null));
const cellAt = (series, hidden, nnz) => series.cells.find((cell) => cell.hidden === hidden && cell.nnz === nnz);
const statusesOf = ({ data, place }, cell) => [...new Set(cell.rows.map((row) => data.rows[row][place.status]))];

// What stands in a cell: its mean, with a star where seeds lack a value, or why there is none.
function cellText(view, cell, value, digits) {
  if (!cell) return "·";
  if (value !== null) return number(value, digits) + (cell.stats[view.metric.key][2] < cell.rows.length ? "*" : "");
  return statusesOf(view, cell).some((status) => status !== "skipped") ? "×" : "–";
}
const MARKS = "Marks: · no run, – skipped, × failed, * mean of fewer seeds.";

function cellTip(view, series, cell) {
  const { data, place, panel, metric } = view;
  const [mean, se, n] = cell.stats[metric.key];
  const shown = [...new Set(["value", metric.key, "train_value", "seconds", "nnz_found", "status"])].filter((key) => key in place);
  const rows = cell.rows.map((row) => data.rows[row]);
  const notes = [...new Set(rows.map((row) => ("note" in place ? row[place.note] : "")).filter(Boolean))];
  const budget = cell.nnz === null ? "no budget" : `budget ${cell.nnz}`;
  return [
    h("strong", {}, `${series.label}, ${cell.hidden} ${panel.width_name}, ${budget}`),
    h("div", {}, `${metric.label}: mean ${number(mean)}, standard error ${number(se)}, ${plural(n, "seed")}`),
    h("table", {},
      h("tr", {}, h("th", {}, "seed"), shown.map((key) => h("th", {}, data.columns[place[key]].label))),
      rows.map((row) => h("tr", {}, h("td", {}, String(row[place.seed])), shown.map((key) => {
        const { digits } = data.columns[place[key]];
        return h("td", {}, digits ? number(row[place[key]], digits) : String(row[place[key]]));
      }))),
    ),
    ...notes.slice(0, 2).map((note) => h("div", { class: "soft" }, cut(note, 160))),
  ];
}

function scoreMaps(view) {
  const { panel, metric, state } = view;
  const all = mapped(panel);
  const chosen = state.method === "" ? all : [all[Number(state.method)]];
  const scale = scaleOf(all.flatMap((series) => series.cells.filter((c) => c.nnz !== null).map((cell) => cell.stats[metric.key][0])), metric.log, metric.limits);
  const sense = { 1: ", higher is better", "-1": ", lower is better", 0: "" }[metric.better];
  const maps = chosen.map((series) => heatmap({
    title: series.label, rowName: panel.width_name, columnName: "budget (nonzero weights)", rows: panel.hidden, columns: panel.nnz,
    cell: (i, j) => {
      const found = cellAt(series, panel.hidden[i], panel.nnz[j]);
      const cell = found && isWanted(view, found) ? found : undefined;
      const value = cell ? cell.stats[metric.key][0] : null;
      const color = value === null ? {} : isExact(view, cell) ? { fill: "#009e73", ink: "#000" } : viridis(scale.at(value));
      return { text: cellText(view, cell, value, metric.digits), ...color, tip: cell && (() => cellTip(view, series, cell)) };
    },
  }));
  return [
    h("p", { class: "soft" }, `Mean over seeds of ${metric.label}${sense}. ${"exact" in view.place ? "Green: every network is exactly the true one. " : ""}${MARKS}`),
    scale ? scaleBar((scale.below ? "≤ " : "") + number(scale.low), (scale.above ? "≥ " : "") + number(scale.high), VIRIDIS_BAR, metric.log ? `${metric.label}, logarithmic` : metric.label) : null,
    h("div", { class: "maps" }, maps),
  ].filter(Boolean);
}

function differenceMap(view) {
  const { panel, metric, state, draw } = view;
  const all = mapped(panel);
  if (all.length < 2) return [h("p", { class: "soft" }, "There is one method only.")];
  const [first, second] = [all[state.first], all[state.second]];
  const f = metric.log ? (v) => Math.log10(Math.max(v, 1e-17)) : (v) => v;
  const both = (i, j) => [first, second].map((series) => cellAt(series, panel.hidden[i], panel.nnz[j]));
  const difference = (i, j) => {
    const [a, b] = both(i, j).map((cell) => (cell ? cell.stats[metric.key][0] : null));
    return a === null || b === null ? null : f(a) - f(b);
  };
  const known = panel.hidden.flatMap((_, i) => panel.nnz.map((_, j) => difference(i, j))).filter((v) => v !== null).map(Math.abs).sort((a, b) => a - b);
  // A few large differences are not to spoil the colours for the others.
  const most = known[Math.floor(0.9 * (known.length - 1))] || known.at(-1) || 1;
  const digits = metric.log ? "+.1f" : metric.digits === "g" ? "+g" : `+${metric.digits}`;
  const options = all.map((series, k) => [k, series.label]);
  const set = (name) => (value) => { state[name] = Number(value); draw(); document.getElementById(`pick-${name}`).focus(); };
  const picks = [["First method", "first"], ["Second method", "second"]].map(([label, name]) => {
    const node = choice(label, options, state[name], set(name));
    node.querySelector("select").id = `pick-${name}`;
    return node;
  });
  const better = metric.better < 0 ? "second" : "first";
  const meaning = metric.better ? `Blue: the ${better} method is better; orange: the other one.` : "Blue: the first method has more.";
  return [
    h("div", { class: "controls" }, picks),
    h("p", { class: "soft" }, `First minus second: ${metric.label}${metric.log ? ", in powers of ten" : ""}. ${meaning}`),
    scaleBar(`≤ ${number(-most, digits)}`, `≥ ${number(most, digits)}`, SIGNED_BAR, "difference"),
    h("div", { class: "maps" }, heatmap({
      title: `${first.label} minus ${second.label}`, rowName: panel.width_name, columnName: "budget (nonzero weights)", rows: panel.hidden, columns: panel.nnz,
      cell: (i, j) => {
        const value = difference(i, j), cells = both(i, j);
        const missing = cells.map((cell) => cellText(view, cell, cell ? cell.stats[metric.key][0] : null, "g")).find((text) => "·–×".includes(text)) || "·";
        return {
          text: value === null ? missing : number(value, digits), ...(value === null ? {} : signed(value / most)),
          tip: cells.some(Boolean) && (() => cells.flatMap((cell, k) => (cell ? cellTip(view, [first, second][k], cell) : []))),
        };
      },
    })),
  ];
}

function curveSeries(view, hidden) {
  const { panel, metric, state } = view;
  const drawn = panel.series.map((series, k) => {
    const cells = series.cells.filter((cell) => cell.hidden === hidden && cell.stats[metric.key][0] !== null);
    const point = (cell) => ({ x: cell.nnz, y: cell.stats[metric.key][0], se: cell.stats[metric.key][1], tip: () => cellTip(view, series, cell) });
    const level = cells.find((cell) => cell.nnz === null);
    const points = cells.filter((cell) => cell.nnz !== null).map(point).sort((a, b) => a.x - b.x);
    return { label: series.label, k, dash: series.budgeted ? "" : "1 4", points, level: level && point(level) };
  });
  const constants = (panel.constants[metric.key] || []).filter((c) => c[0] === hidden).map(([, x, y]) => ({ x, y })).sort((a, b) => a.x - b.x);
  if (constants.length) drawn.push({ label: "best constant", k: drawn.length, dash: "4 4", points: constants });
  return drawn.filter((series) => !state.hidden.has(series.label));
}

function curvePlots(view) {
  const { panel, metric, state, draw } = view;
  const every = panel.hidden.map((hidden) => curveSeries(view, hidden));
  const points = every.flat().flatMap((series) => [...series.points, ...(series.level ? [series.level] : [])]);
  const ends = points.flatMap((p) => [p.y - (p.se || 0), p.y, p.y + (p.se || 0)]);
  const domains = { xDomain: [panel.nnz[0], panel.nnz.at(-1)], xLog: true, xTicks: panel.nnz, yDomain: padded(ends, metric.log), yLog: metric.log };
  const names = { xName: "budget (nonzero weights)", yName: metric.label };
  const labels = [...panel.series.map((series, k) => [series.label, k, series.budgeted ? "" : "1 4"])];
  if ((panel.constants[metric.key] || []).length) labels.push(["best constant", labels.length, "4 4"]);
  const buttons = labels.map(([label, k, dash]) => h("button", {
    type: "button", "aria-pressed": state.hidden.has(label) ? "false" : "true",
    onclick: (event) => {
      if (!state.hidden.delete(label)) state.hidden.add(label);
      const at = [...event.currentTarget.parentNode.children].indexOf(event.currentTarget);
      draw();
      document.querySelectorAll("#curves .legend button")[at].focus();
    },
  }, keyLine(k, dash), label));
  return [
    h("p", { class: "soft" }, `Mean over seeds; the band is one standard error to either side${points.some((p) => p.se) ? "" : " (here there is one seed for each cell, so none)"}. A press on a name hides or shows it.`),
    h("div", { class: "legend", role: "group", "aria-label": "Methods shown" }, buttons),
    h("div", { class: "plots" }, panel.hidden.map((hidden, k) => lines(`${hidden} ${panel.width_name}`, names, domains, every[k]))),
  ];
}

// Means along an option of the task, a plot for each width and budget.
function axisPlots(axis) {
  const dash = (budgeted) => (budgeted ? "" : "1 4");
  const drawn = axis.plots.map((plot) => plot.curves.map((curve, k) => ({
    label: axis.labels[k][0], k, dash: dash(axis.labels[k][1]),
    points: curve.map(([x, y, se, n]) => ({ x, y, se, tip: () => [h("strong", {}, axis.labels[k][0]), h("div", {}, `${axis.name} ${number(x)}: ${axis.metric} ${number(y)}, ${plural(n, "seed")}`)] })),
  })));
  const ends = drawn.flat().flatMap((series) => series.points).flatMap((p) => [p.y - (p.se || 0), p.y + (p.se || 0)]);
  const domains = { xDomain: [axis.values[0], axis.values.at(-1)], xLog: axis.wide, xTicks: axis.values, yDomain: padded(ends, axis.log), yLog: axis.log };
  return h("div", {},
    h("h3", {}, `${axis.title} against ${axis.name}`),
    h("div", { class: "legend" }, axis.labels.map(([label, budgeted], k) => h("span", {}, keyLine(k, dash(budgeted)), label))),
    h("div", { class: "plots" }, axis.plots.map((plot, k) => lines(`${plot.hidden} hidden${plot.nnz === null ? "" : `, budget ${plot.nnz}`}`, { xName: axis.name, yName: axis.metric }, domains, drawn[k]))),
  );
}

function failures(data) {
  if (!data.failures.length) return h("p", {}, "Every cell ended well: none failed, diverged or was skipped.");
  const columns = [["status", "status"], ["task", "task"], ["method", "method"], ["cells", "cells", "d"], ["where", "hidden × nnz, seed"], ["note", "note"]]
    .map(([key, label, digits]) => ({ key, label, digits: digits || "" }));
  const place = (cells) => cut(cells.map(([hidden, nnz, seed]) => `${hidden} × ${nnz ?? "–"}, ${seed}`).join("; "), 160);
  const rows = data.failures.map((f) => [f.status, f.task, f.method, f.cells.length, place(f.cells), f.note]);
  return plainTable("Skipped cells could not be run; diverged ones keep their last finite network.", columns, rows);
}
