// What the model says of values: effects of columns, and a box to try some.

// By Abramowitz and Stegun, 7.1.26: off by at most 1.5e-7.
function normalShare(z) {
  const x = Math.abs(z) / Math.SQRT2, t = 1 / (1 + 0.3275911 * x);
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-x * x) / 2;
  return z < 0 ? tail : 1 - tail;
}
const ACTIVATIONS = {
  relu: (z) => Math.max(0, z), "leaky-relu": (z, slope) => (z > 0 ? z : slope * z), tanh: Math.tanh,
  sigmoid: (z) => 1 / (1 + Math.exp(-z)), gelu: (z) => z * normalShare(z), sine: Math.sin,
};

// A row has a number or null, or the place of a level, for each column.
function outputsOf(machine, row) {
  const values = machine.inputs.map(([column, mean, scale, level]) => {
    const x = row[column];
    if (level !== null) return x === level ? 1 : 0;
    return x === null ? 0 : (x - mean) / scale;
  });
  const sum = ([bias, ...terms]) => terms.reduce((total, [place, weight]) => total + weight * values[place], bias);
  const activate = ACTIVATIONS[machine.activation];
  for (const layer of machine.layers) values.push(...layer.map((unit) => activate(sum(unit), machine.slope)));
  const outputs = machine.output.map(sum);
  return machine.link === "log" ? outputs.map(Math.exp) : outputs;
}

function probabilitiesOf(machine, outputs) {
  if (machine.link === "logistic") { const p = 1 / (1 + Math.exp(-outputs[0])); return [1 - p, p]; }
  const most = Math.max(...outputs), powers = outputs.map((z) => Math.exp(z - most)), total = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / total);
}

const usualRow = (machine) => machine.columns.map((column) => (column.levels.length ? 0 : column.mean));
// One number to draw: the first output, or the probability of the last class.
function mainValue(machine, row) {
  const outputs = outputsOf(machine, row);
  return machine.classes.length ? probabilitiesOf(machine, outputs).at(-1) : outputs[0];
}
const mainName = (machine) => (machine.classes.length ? `probability of ${machine.classes.at(-1)}` : machine.outputs[0]);

const CURVES = 12, STEPS = 80;

function effectCurves(machine) {
  const usual = usualRow(machine), name = mainName(machine);
  const drawn = machine.columns.map((column, at) => {
    const xs = column.levels.length ? column.levels.map((_, k) => k) : Array.from({ length: STEPS + 1 }, (_, k) => column.low + ((column.high - column.low) * k) / STEPS);
    const ys = xs.map((x) => mainValue(machine, usual.with(at, x)));
    return { column, xs, ys, spread: Math.max(...ys) - Math.min(...ys) };
  }).sort((a, b) => b.spread - a.spread);
  const domain = padded(drawn.flatMap((entry) => entry.ys), false);
  const plot = ({ column, xs, ys }) => {
    const label = column.unit ? `${column.name} (${column.unit})` : column.name;
    if (column.levels.length) {
      return h("figure", {}, h("h3", {}, label), h("table", { class: "list" }, h("tbody", {}, xs.map((x) => h("tr", {}, h("th", { scope: "row" }, cut(column.levels[x], 24)), h("td", { class: "number" }, number(ys[x])))))));
    }
    const { svg, x, y } = frame({ label: `${name} against ${label}`, xName: cut(label, 34), yName: cut(name, 26), xDomain: [column.low, column.high], yDomain: domain });
    svg.append(s("polyline", { fill: "none", stroke: "var(--c0)", "stroke-width": 2, points: xs.map((v, k) => `${x.at(v).toFixed(1)},${y.at(ys[k]).toFixed(1)}`).join(" ") }));
    return h("figure", {}, h("h3", {}, label), svg);
  };
  return h("div", { class: "plots" }, firstOf(drawn, CURVES, plot));
}

function tryBox(machine) {
  const row = usualRow(machine), usual = usualRow(machine);
  const answer = h("p", { class: "answer", "aria-live": "polite" }), why = h("div", {});
  const show = () => {
    const outputs = outputsOf(machine, row);
    if (machine.classes.length) {
      const p = probabilitiesOf(machine, outputs), best = p.indexOf(Math.max(...p));
      answer.replaceChildren(h("strong", {}, machine.classes[best]), `, probability ${number(p[best])}`);
    } else {
      answer.replaceChildren(...machine.outputs.flatMap((name, k) => [k ? ", " : "", `${name} `, h("strong", {}, number(outputs[k]))]));
    }
    const here = mainValue(machine, row);
    const parts = machine.columns.map((column, at) => ({ name: column.name, value: here - mainValue(machine, row.with(at, usual[at])) }))
      .filter(({ value }) => Math.abs(value) > 1e-12).sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, 10);
    const most = Math.max(...parts.map(({ value }) => Math.abs(value)), 1e-12);
    why.replaceChildren(h("p", { class: "soft" }, `Usual values give ${mainName(machine)} ${number(mainValue(machine, usual))}. ${parts.length ? "What each column changes, were it alone at its usual value again:" : "Nothing is changed yet."}`),
      h("table", { class: "list" }, h("tbody", {}, parts.map(({ name, value }) => h("tr", {}, h("th", { scope: "row" }, cut(name, 30)), h("td", { class: "number" }, number(value, "+g")),
        h("td", {}, h("div", { class: "bar", style: `width:${(8 * Math.abs(value)) / most}rem;background:var(--${value < 0 ? "neg" : "pos"})` })))))));
  };
  const field = (column, at) => {
    const label = column.unit ? `${column.name} (${column.unit})` : column.name;
    if (column.levels.length) return choice(label, column.levels.map((level, k) => [k, level]), 0, (value) => { row[at] = Number(value); show(); });
    const input = h("input", { type: "number", step: "any", value: number(column.mean) });
    input.addEventListener("input", () => { row[at] = input.value === "" ? null : Number(input.value); show(); });
    return h("label", { class: "field" }, label, input);
  };
  show();
  return [h("div", { class: "controls values" }, firstOf(machine.columns.map((column, at) => [column, at]), 24, ([column, at]) => field(column, at))), answer, why];
}
