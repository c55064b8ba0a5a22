// A heatmap is a table, so that readers of screens get its numbers and their headings.

// cell(i, j) gives {text, fill, ink, tip} of a row and a column.
function heatmap({ title, rowName, columnName, rows, columns, cell }) {
  const lines = rows.map((row, i) => columns.map((column, j) => {
    const { text, fill, ink, tip: build } = cell(i, j);
    const node = h("td", { role: "gridcell", style: fill ? `background:${fill};color:${ink}` : null }, text);
    return build ? tip(node, build) : node;
  }));
  arrows(lines);
  return h("figure", {}, h("h3", {}, title), h("div", { class: "scroll" }, h(
    "table",
    { class: "map", role: "grid", "aria-label": `${title}, ${rowName} by ${columnName}` },
    h("thead", {},
      h("tr", { role: "row" }, h("th", { class: "name", scope: "col", rowspan: 2 }, rowName), h("th", { class: "name", colspan: columns.length, scope: "colgroup" }, columnName)),
      h("tr", { role: "row" }, columns.map((column) => h("th", { scope: "col" }, String(column)))),
    ),
    h("tbody", {}, lines.map((line, i) => h("tr", { role: "row" }, h("th", { scope: "row" }, String(rows[i])), line))),
  )));
}

function scaleBar(low, high, gradient, label) {
  return h("div", { class: "scale" }, h("span", {}, low), h("i", { style: `background:linear-gradient(to right, ${gradient})` }), h("span", {}, high), h("span", {}, label));
}
const VIRIDIS_BAR = [0, 0.25, 0.5, 0.75, 1].map((t) => viridis(t).fill).join(",");
const SIGNED_BAR = "var(--neg), var(--mid), var(--pos)";
