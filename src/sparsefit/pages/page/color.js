// Colours that colour-blind readers tell apart: viridis for scores, blue and orange for signs.
const VIRIDIS = ["440154", "482878", "3e4a89", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"]
  .map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));

function viridis(t) {
  const at = Math.max(0, Math.min(1, t)) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const [r, g, b] = VIRIDIS[low].map((c, k) => Math.round(c + (VIRIDIS[low + 1][k] - c) * (at - low)));
  const luminance = 0.299 * r + 0.587 * g + 0.114 * b;
  return { fill: `rgb(${r} ${g} ${b})`, ink: luminance > 128 ? "#111" : "#fff" };
}

// t from -1 to 1; the middle is that of the theme, so both themes show differences as departures.
function signed(t) {
  const share = Math.round(Math.min(1, Math.abs(t)) * 100);
  return {
    fill: `color-mix(in oklab, var(${t < 0 ? "--neg" : "--pos"}) ${share}%, var(--mid))`,
    // Orange is lighter than blue: dark letters are read on it for longer.
    ink: `light-dark(${share > (t < 0 ? 92 : 60) ? "#fff" : "#14171a"}, ${share > 65 ? "#0c0e10" : "#fff"})`,
  };
}

// A map from values to [0, 1]; on logarithms where values spread over decades.
function scaleOf(values, log, limits) {
  const known = values.filter((value) => value !== null && (!log || value > 0));
  if (!known.length) return null;
  const f = log ? Math.log10 : (value) => value;
  const least = Math.min(...known), most = Math.max(...known);
  // Within the limits of the task, where there are some: a few values do not spoil the colours.
  const [low, high] = limits && least < limits[1] && most > limits[0]
    ? [Math.max(least, limits[0]), Math.min(most, limits[1])] : [least, most];
  const at = (value) => (high === low ? 0.5 : (f(Math.min(Math.max(value, low), high)) - f(low)) / (f(high) - f(low)));
  return { low, high, below: least < low, above: most > high, at };
}

const SERIES = 6;
const lineColor = (k) => `var(--c${k % SERIES})`;
const dashOf = (k, dash) => dash || ["", "6 3", "2 3"][Math.floor(k / SERIES) % 3];
// Six shapes of about the same area around (x, y).
function shape(k, x, y, r = 3.6) {
  const polygon = (points) => `M${points.map(([a, b]) => `${(x + a * r).toFixed(1)},${(y + b * r).toFixed(1)}`).join("L")}Z`;
  const circle = `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`;
  return [
    circle,
    polygon([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]),
    polygon([[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]]),
    polygon([[0, -1.2], [1.15, 0.9], [-1.15, 0.9]]),
    polygon([[0, 1.2], [1.15, -0.9], [-1.15, -0.9]]),
    polygon([[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]]),
  ][k % SERIES];
}
