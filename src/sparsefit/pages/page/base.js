// Elements, numbers and what hovering shows. Text from the data only ever becomes text nodes.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}
const h = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const s = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

// Formats are Python's: "d", "g" (four digits), ".1f", ".0e", with "+" in front for a sign.
function number(value, digits = "g") {
  if (value === null || value === undefined) return "–";
  const places = Number((digits.match(/\.(\d+)/) || [0, 0])[1]);
  let text;
  if (digits.endsWith("f")) text = value.toFixed(places);
  else if (digits.endsWith("e")) text = value.toExponential(places).replace("e+", "e");
  else text = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  if (Number(text) === 0) text = text.replace("-", "");
  return digits.startsWith("+") && Number(text) > 0 ? `+${text}` : text;
}
const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

// `build` returns what is shown while the pointer, or the focus, is on the node; `changed` is told
// when. Lines, and points of clouds, are too many for the focus.
function tip(node, build, changed = () => {}, focus = true) {
  const box = document.getElementById("tip");
  const show = (event) => {
    box.replaceChildren(...[build()].flat().filter(Boolean));
    box.hidden = false;
    node.setAttribute("aria-describedby", "tip");
    const at = node.getBoundingClientRect();
    const byPointer = event.type === "pointerenter" && node.ownerSVGElement;
    const x = byPointer ? event.clientX - 8 : at.left;
    const y = byPointer ? event.clientY + 8 : at.bottom;
    const top = byPointer ? event.clientY - 8 : at.top;
    box.style.left = `${Math.max(8, Math.min(x, innerWidth - box.offsetWidth - 8))}px`;
    const below = y + 8 + box.offsetHeight < innerHeight;
    box.style.top = `${Math.max(8, below ? y + 8 : top - box.offsetHeight - 8)}px`;
    changed(true);
  };
  const hide = () => {
    box.hidden = true;
    node.removeAttribute("aria-describedby");
    changed(false);
  };
  for (const name of focus ? ["pointerenter", "focus"] : ["pointerenter"]) node.addEventListener(name, show);
  for (const name of focus ? ["pointerleave", "blur"] : ["pointerleave"]) node.addEventListener(name, hide);
  return node;
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.getElementById("tip").hidden = true;
});

// A grid of nodes is one stop of the tab key; arrow keys move within it.
function arrows(lines) {
  const grid = lines.map((line) => line.filter(Boolean)).filter((line) => line.length);
  const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  grid.forEach((line, i) =>
    line.forEach((node, j) => {
      node.setAttribute("tabindex", i + j ? -1 : 0);
      node.addEventListener("keydown", (event) => {
        const move = moves[event.key];
        if (!move) return;
        event.preventDefault();
        const next = grid[i + move[0]];
        const other = next && next[move[0] ? Math.min(j, next.length - 1) : j + move[1]];
        if (!other) return;
        node.setAttribute("tabindex", -1);
        other.setAttribute("tabindex", 0);
        other.focus();
      });
    }),
  );
}

// options: [value, label] pairs; `changed` gets the value.
function choice(label, options, value, changed) {
  const box = h(
    "select",
    { onchange: (event) => changed(event.target.value) },
    options.map(([key, text]) => h("option", { value: key, selected: String(key) === String(value) }, text)),
  );
  return h("label", { class: "field" }, label, box);
}

function themeButton() {
  const names = ["auto", "light", "dark"];
  const stored = () => { try { return localStorage.getItem("sparsefit-theme"); } catch { return null; } };
  let now = names.includes(stored()) ? stored() : "auto";
  const button = h("button", { type: "button" });
  const apply = () => {
    document.documentElement.dataset.theme = now;
    button.textContent = `Colours: ${now}`;
    try { localStorage.setItem("sparsefit-theme", now); } catch { /* a page from disk may not store */ }
  };
  button.addEventListener("click", () => { now = names[(names.indexOf(now) + 1) % 3]; apply(); });
  apply();
  return button;
}

function section(id, title, ...children) {
  return h("section", { id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), children);
}
const codes = (lines) => h("pre", { tabindex: 0, "aria-label": "command" }, lines.join("\n"));

function start(data) {
  const sections = (data.kind === "sweep" ? sweepSections : modelSections)(data).filter(Boolean);
  const links = sections
    .filter((node) => node.id)
    .map((node) => h("a", { href: `#${node.id}` }, node.querySelector("h2").textContent));
  const kind = data.kind === "sweep" ? "Results folder" : "Model";
  document.getElementById("page").append(
    h("header", {}, h("div", {}, h("p", { class: "kicker" }, `${kind} · sparsefit ${data.version}`), h("h1", {}, data.title)), themeButton()),
    h("nav", { "aria-label": "Sections" }, links),
    h("main", {}, sections),
  );
}
