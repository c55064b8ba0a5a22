// The network as a picture: inputs in use on the left, outputs on the right.
// On a phone it is narrow, so that its letters can be read and the outputs are seen.
const NARROW = innerWidth < 600;
const WIDTH = NARROW ? 400 : 900, LABEL = NARROW ? 105 : 190, HEAD = 26;

function networkPicture({ layers, edges }) {
  const most = Math.max(...layers.map((layer) => layer.nodes.length), 1);
  const step = Math.max(1.2, Math.min(26, 900 / most));
  // Weights that go past hidden units go below them.
  const below = edges.some(([a, , b]) => b - a > 1) ? 40 : 0;
  const floor = HEAD + Math.max(110, most * step) + 10, height = floor + below;
  const x = (at) => LABEL + (at * (WIDTH - 2 * LABEL)) / (layers.length - 1);
  const y = (at, k) => HEAD + ((k + 0.5) / layers[at].nodes.length) * (floor - HEAD - 10);
  const largest = {};
  for (const [a, , b, , w] of edges) largest[`${a} ${b}`] = Math.max(largest[`${a} ${b}`] || 0, Math.abs(w));
  const sums = layers.map((layer) => layer.nodes.map(() => []));
  const paths = edges.map(([a, i, b, j, w]) => {
    const bend = (x(b) - x(a)) / 2.2;
    const [first, last] = b - a > 1 ? [floor + 1.15 * below, floor + 1.15 * below] : [y(a, i), y(b, j)];
    const d = `M${x(a)},${y(a, i)}C${x(a) + bend * 0.8},${first} ${x(b) - bend * 0.8},${last} ${x(b)},${y(b, j)}`;
    const width = 0.6 + 4.4 * (Math.abs(w) / largest[`${a} ${b}`]);
    const line = s("path", { class: "edge", d, stroke: w < 0 ? "var(--neg)" : "var(--pos)", "stroke-width": width.toFixed(2) });
    const words = `${layers[a].nodes[i]} → ${layers[b].nodes[j]}`;
    sums[a][i].push({ line, w, words });
    sums[b][j].push({ line, w, words });
    const hit = tip(s("path", { class: "hit", d }), () => [h("strong", {}, words), h("div", {}, `weight ${number(w, "g")}`)], (on) => line.classList.toggle("strong", on), false);
    return [line, hit];
  });
  const nodes = layers.map((layer, at) => layer.nodes.map((name, k) => {
    const own = sums[at][k];
    const light = (on) => {
      for (const [line] of paths) line.classList.toggle("faint", on);
      for (const { line } of own) { line.classList.toggle("faint", false); line.classList.toggle("strong", on); }
    };
    return tip(s("circle", {
      class: "node", cx: x(at), cy: y(at, k), r: Math.max(1.6, Math.min(5, step / 2.4)).toFixed(1), role: "img",
      "aria-label": `${name}: ${plural(own.length, "weight")}`,
    }), () => nodeTip(name, own), light);
  }));
  arrows(nodes);
  const shown = step >= 11;
  const texts = layers.flatMap((layer, at) => {
    const side = at === 0 ? -1 : at === layers.length - 1 ? 1 : 0;
    const head = s("text", { class: "head", x: x(at), y: 12, "text-anchor": "middle" }, NARROW ? `${layer.name.replace(" in use", "").replace(" units", "")} (${layer.nodes.length})` : `${layer.name} (${layer.nodes.length})`);
    const own = layer.nodes.length <= 3 || shown || (floor - HEAD) / layer.nodes.length >= 11;
    if (!own) return [head];
    return [head, ...layer.nodes.map((name, k) => s("text", {
      x: x(at) + (side || 0.75) * 11, y: y(at, k) + (side ? 4 : -5), "text-anchor": side < 0 ? "end" : side > 0 ? "start" : "start",
    }, cut(name, side ? (NARROW ? 13 : 26) : 12)))];
  });
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "picture of the network" },
    s("svg", { class: "network", viewBox: `0 0 ${WIDTH} ${height.toFixed(0)}`, role: "group", "aria-label": "network: inputs, hidden units and outputs" },
      paths.flat().sort((a, b) => a.classList.contains("hit") - b.classList.contains("hit")), texts, nodes));
}

function nodeTip(name, own) {
  const sorted = [...own].sort((a, b) => Math.abs(b.w) - Math.abs(a.w));
  return [
    h("strong", {}, name),
    h("div", {}, plural(own.length, "weight")),
    h("table", {}, sorted.slice(0, 10).map(({ words, w }) => h("tr", {}, h("td", {}, cut(words, 44)), h("td", {}, number(w))))),
    own.length > 10 ? h("div", { class: "soft" }, `and ${own.length - 10} smaller ones`) : null,
  ];
}

// Weights by pixel: blue adds, orange subtracts.
function unitPicture({ name, pixels }, width, height, most) {
  const canvas = h("canvas", { width, height, tabindex: 0, role: "img", "aria-label": `${name}: ${plural(pixels.length, "pixel")} in use` });
  const context = canvas.getContext("2d");
  for (const [pixel, value] of pixels) {
    const share = 0.25 + 0.75 * Math.min(1, Math.abs(value) / most);
    context.fillStyle = value < 0 ? `rgb(220 112 40 / ${share})` : `rgb(45 135 210 / ${share})`;
    context.fillRect(pixel % width, Math.floor(pixel / width), 1, 1);
  }
  tip(canvas, () => [
    h("strong", {}, name), h("div", {}, `${plural(pixels.length, "pixel")}, weights from ${number(Math.min(...pixels.map((p) => p[1])))} to ${number(Math.max(...pixels.map((p) => p[1])))}`),
  ]);
  return h("figure", {}, canvas, h("figcaption", {}, name));
}

function pictures({ width, height, units }) {
  const sizes = units.flatMap((unit) => unit.pixels.map((p) => Math.abs(p[1]))).sort((a, b) => a - b);
  const most = sizes[Math.floor(0.98 * (sizes.length - 1))] || 1;
  const counts = new Map();
  for (const [pixel] of units.flatMap((unit) => unit.pixels)) counts.set(pixel, (counts.get(pixel) || 0) + 1);
  const busiest = Math.max(...counts.values(), 1);
  const all = { name: "how many use each pixel", pixels: [...counts] };
  return h("div", { class: "pictures" }, unitPicture(all, width, height, busiest), firstOf(units, 47, (unit) => unitPicture(unit, width, height, most)));
}

// The first entries, and a button for the others.
function firstOf(entries, most, build) {
  const shown = entries.slice(0, most).map(build);
  if (entries.length <= most) return shown;
  const button = h("button", { type: "button", class: "more" }, `Show ${entries.length - most} more`);
  button.addEventListener("click", () => button.replaceWith(...entries.slice(most).map(build)));
  return [...shown, button];
}
