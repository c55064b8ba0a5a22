// Tables of rows: plain ones, and ones that sort and filter.
const AT_ONCE = 300;

function cellsOf(row, columns) {
  return columns.map((column, k) => {
    const kind = `${column.digits ? "number" : ["note", "where"].includes(column.key) ? "text" : "short"} of-${column.key}`;
    const bad = column.key === "status" && ["failed", "diverged"].includes(row[k]) ? " bad" : "";
    const text = column.digits ? number(row[k], column.digits) : row[k] === null ? "" : typeof row[k] === "boolean" ? (row[k] ? "yes" : "no") : String(row[k]);
    return h("td", { class: kind + bad }, text);
  });
}
const headClass = (column) => `${column.digits ? "number " : ""}of-${column.key}`;

function plainTable(caption, columns, rows) {
  return [h("p", { class: "soft" }, caption), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `table: ${caption}` }, h(
    "table",
    { class: "list", "aria-label": caption },
    h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col", class: headClass(c) }, c.label)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, cellsOf(row, columns)))),
  ))];
}

// "aiht hidden=10 score>30": each word must be in the row, each comparison must hold.
function matcher(text, columns) {
  const tests = text.trim().toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const parts = word.match(/^([^<>=!]+)(<=|>=|!=|=|<|>)(.+)$/);
    const at = parts ? columns.findIndex((c) => [c.key, c.label.replaceAll(" ", "_")].includes(parts[1])) : -1;
    if (at < 0) return (row) => row.some((value) => value !== null && String(value).toLowerCase().includes(word));
    const want = columns[at].digits ? Number(parts[3]) : parts[3];
    const compare = {
      "=": (a) => a === want, "!=": (a) => a !== want,
      "<": (a) => a < want, ">": (a) => a > want, "<=": (a) => a <= want, ">=": (a) => a >= want,
    }[parts[2]];
    return (row) => row[at] !== null && compare(typeof row[at] === "string" ? row[at].toLowerCase() : row[at]);
  });
  return (row) => tests.every((test) => test(row));
}

function compareValues(a, b) {
  if (a === null || b === null) return 0;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

function sortableTable(caption, columns, rows) {
  const body = h("tbody", {});
  const count = h("span", { role: "status", class: "soft" });
  const more = h("button", { type: "button", class: "more", hidden: true }, "Show all rows");
  const input = h("input", { type: "search", size: 34, placeholder: `e.g. ${example(columns, rows)}` });
  let sorted = null, sense = 1, most = AT_ONCE;
  const show = () => {
    let found = rows.filter(matcher(input.value, columns));
    if (sorted !== null) {
      // Rows without a value go last, whichever way the others go.
      const lacks = (row) => Number(row[sorted] === null);
      found = found.sort((a, b) => lacks(a) - lacks(b) || sense * compareValues(a[sorted], b[sorted]));
    }
    body.replaceChildren(...found.slice(0, most).map((row) => h("tr", {}, cellsOf(row, columns))));
    more.hidden = found.length <= most;
    const part = more.hidden ? "" : `, the first ${most} shown`;
    count.textContent = `${found.length} of ${plural(rows.length, "row")}${part}`;
  };
  const heads = columns.map((column, k) => h("th", { scope: "col", class: headClass(column) }, h("button", {
    type: "button",
    onclick: () => {
      sense = sorted === k ? -sense : 1;
      sorted = k;
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      heads[k].setAttribute("aria-sort", sense > 0 ? "ascending" : "descending");
      show();
    },
  }, column.label)));
  input.addEventListener("input", () => { most = AT_ONCE; show(); });
  more.addEventListener("click", () => { most = Infinity; show(); });
  show();
  return [
    h("div", { class: "controls" }, h("label", { class: "field" }, "Filter rows", input), count, more),
    h("div", { class: "tall", tabindex: 0, role: "region", "aria-label": `table: ${caption}` },
      h("table", { class: "list" }, h("caption", { hidden: true }, caption), h("thead", {}, h("tr", {}, heads)), body)),
  ];
}

function example(columns, rows) {
  const at = columns.findIndex((c) => c.key === "hidden");
  const method = columns.findIndex((c) => c.key === "method");
  return at < 0 || method < 0 || !rows.length ? "a word" : `${String(rows[0][method]).split(" ")[0]} hidden=${rows[0][at]} score>0.5`;
}
