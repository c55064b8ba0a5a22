// What each unit computes, in words of the columns.
const MOST_TERMS = 14, MOST_UNITS = 60;

function formulaLine({ name, terms, constant, wrap }) {
  const parts = terms.map(([term, value]) => [value, [Math.abs(value) === 1 ? null : `${number(Math.abs(value))} * `, h("b", {}, term)]]);
  if (constant !== null || !parts.length) parts.push([constant || 0, [number(Math.abs(constant || 0))]]);
  const build = ([value, words], k) => h("span", { class: "term" },
    k || value < 0 ? h("span", { class: value < 0 ? "minus" : "plus" }, value < 0 ? (k ? "- " : "-") : "+ ") : null, words);
  const nodes = [];
  const append = (from, to) => parts.slice(from, to).flatMap((part, k) => [from + k ? " " : "", build(part, from + k)]);
  nodes.push(...append(0, MOST_TERMS));
  if (parts.length > MOST_TERMS) {
    const button = h("button", { type: "button", class: "more", "aria-label": `show ${parts.length - MOST_TERMS} more terms of ${name}` }, `+ ${parts.length - MOST_TERMS} more`);
    button.addEventListener("click", () => button.replaceWith(...append(MOST_TERMS)));
    nodes.push(" ", button);
  }
  return h("li", {}, h("b", {}, name), " = ", wrap ? `${wrap}(` : "", nodes, wrap ? ")" : "");
}

function formulaList({ given, standardised, gated, about }) {
  const list = h("ul", { class: "formulas" });
  const show = (which) => {
    const entries = which === "given" ? given : standardised;
    const outputs = entries.filter((entry) => !entry.wrap), hidden = entries.filter((entry) => entry.wrap);
    list.replaceChildren(...firstOf(hidden, MOST_UNITS, formulaLine), ...outputs.map(formulaLine));
  };
  show("given");
  const pick = choice("Number columns", [["given", "as they are"], ["standardised", "less their mean, over their scale"]], "given", show);
  return [
    h("p", { class: "soft" }, about + "; name=level is 1 where the column has that level, else 0; a number that is missing counts as its mean."
      + (gated ? " gate(x) is x on one side of a random plane of its own, else 0." : "")),
    standardised ? h("div", { class: "controls" }, pick) : null,
    list,
  ];
}
