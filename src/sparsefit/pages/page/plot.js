// Lines with bands, and points, in SVG.
const SIZE = { width: 360, height: 250, left: 46, right: 18, top: 10, bottom: 44 };

function ticksOf(low, high, log) {
  if (log) {
    const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
    const step = Math.max(1, Math.ceil((last - first) / 6));
    const powers = Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, k) => 10 ** (first + k * step));
    return powers;
  }
  const raw = (high - low) / 5 || 1;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * unit).find((k) => k >= raw);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}

function axis(domain, log, from, to) {
  const f = log ? Math.log10 : (value) => value;
  let [low, high] = domain;
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - (Math.abs(low) || 1) * 0.1, high + (Math.abs(high) || 1) * 0.1];
  return { low, high, log, at: (v) => from + ((f(Math.min(Math.max(v, low), high)) - f(low)) / (f(high) - f(low))) * (to - from) };
}

function padded(values, log) {
  const known = values.filter((v) => Number.isFinite(v) && (!log || v > 0));
  if (!known.length) return log ? [0.1, 1] : [0, 1];
  const low = Math.min(...known), high = Math.max(...known);
  if (log) return [10 ** Math.floor(Math.log10(low) + 1e-9), 10 ** Math.ceil(Math.log10(high) - 1e-9)];
  const room = (high - low) * 0.06;
  return [low - room, high + room];
}

// An empty plot: {svg, x, y}. xTicks are shown where there is room.
function frame({ label, xName, yName, xDomain, yDomain, xLog, yLog, xTicks }) {
  const { width, height, left, right, top, bottom } = SIZE;
  const x = axis(xDomain, xLog, left, width - right), y = axis(yDomain, yLog, height - bottom, top);
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });
  for (const tick of ticksOf(y.low, y.high, yLog).filter((t) => t >= y.low * (1 - 1e-9) - (yLog ? 0 : 1e-12) && t <= y.high * (1 + 1e-9) + 1e-300)) {
    svg.append(
      s("line", { class: "grid", x1: left, x2: width - right, y1: y.at(tick), y2: y.at(tick) }),
      s("text", { x: left - 6, y: y.at(tick) + 4, "text-anchor": "end" }, yLog ? tickText(tick) : number(tick)),
    );
  }
  let end = -Infinity;
  for (const tick of xTicks || ticksOf(x.low, x.high, xLog)) {
    const text = number(tick), at = x.at(tick), half = text.length * 3.6;
    svg.append(s("line", { class: "grid", x1: at, x2: at, y1: height - bottom, y2: height - bottom + 4 }));
    if (at - half < end + 5) continue;
    end = at + half;
    svg.append(s("text", { x: at, y: height - bottom + 17, "text-anchor": "middle" }, text));
  }
  svg.append(
    s("line", { class: "grid", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
    s("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, xName),
    yName ? s("text", { transform: `translate(11 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, yName) : s("g"),
  );
  return { svg, x, y };
}
const tickText = (value) => (value >= 0.01 && value < 1e5 ? number(value) : value.toExponential(0).replace("e+", "e"));

// series: {label, k, dash, points: [{x, y, se, tip}], level}
function lines(title, names, domains, series) {
  const { svg, x, y } = frame({ label: `${title}: ${names.yName} against ${names.xName}`, ...names, ...domains });
  const marks = series.map(({ label, k, dash, points, level }) => {
    const style = { fill: "none", stroke: dash === "4 4" ? "var(--soft)" : lineColor(k), "stroke-width": 2, "stroke-dasharray": dashOf(k, dash) };
    if (level) svg.append(s("line", { x1: x.at(x.low), x2: x.at(x.high), y1: y.at(level.y), y2: y.at(level.y), ...style }));
    const shown = points.filter((p) => p.y !== null && (!y.log || p.y > 0));
    const band = shown.filter((p) => p.se !== null && p.se !== undefined);
    const edge = (sign) => band.map((p) => `${x.at(p.x)},${y.at(p.y + sign * p.se)}`);
    if (band.length > 1) svg.append(s("polygon", { class: "band", fill: style.stroke, points: [...edge(1), ...edge(-1).reverse()].join(" ") }));
    if (shown.length) svg.append(s("polyline", { ...style, points: shown.map((p) => `${x.at(p.x)},${y.at(p.y)}`).join(" ") }));
    const dots = [...shown, ...(level ? [{ ...level, x: x.high }] : [])].filter((p) => p.tip);
    return dots.map((p) => tip(s("path", {
      class: "mark", d: shape(k, x.at(p.x), y.at(p.y)), fill: style.stroke, role: "img",
      "aria-label": `${label}, ${number(p.x)}: ${number(p.y)}`,
    }), p.tip));
  });
  arrows(marks);
  svg.append(...marks.flat());
  return h("figure", {}, h("h3", {}, title), svg);
}

function keyLine(k, dash) {
  const stroke = dash === "4 4" ? "var(--soft)" : lineColor(k);
  return s("svg", { viewBox: "0 0 26 12", "aria-hidden": "true" },
    s("line", { x1: 1, x2: 25, y1: 6, y2: 6, stroke, "stroke-width": 2, "stroke-dasharray": dashOf(k, dash) }),
    dash ? null : s("path", { d: shape(k, 13, 6), fill: stroke }));
}
