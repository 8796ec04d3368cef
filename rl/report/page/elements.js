// Helpers for elements, numbers and colours, which every part of the page uses.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);

function make(parent, tag, text = null, attributes = {}) {
  const svg = tag === "svg" || parent.namespaceURI.endsWith("svg");
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  if (text !== null) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return parent.appendChild(element);
}

function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

const withOpacity = (colour, share) => `color-mix(in srgb, var(${colour}) ${Math.round(100 * share)}%, transparent)`;
const removeWhenEmpty = (section, isEmpty) => {
  if (!isEmpty) return false;
  byId(section).remove();
  document.querySelector(`nav a[href="#${section}"]`).remove();
  return true;
};
