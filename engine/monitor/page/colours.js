// A colour for each expression and each face, the same everywhere on the page.

const EXPRESSIONS = {
  angry: "#d5463a", disgust: "#7d9b2f", fear: "#8b5fd0", happy: "#e2a600",
  sad: "#3f7fd6", surprise: "#d0579b", neutral: "#8b95a3",
  unsure: "#b9bec6",
};

export function expressionColour(label) {
  if (label in EXPRESSIONS) return EXPRESSIONS[label];
  let hash = 0;
  for (const letter of label ?? "") hash = (hash * 31 + letter.codePointAt(0)) % 360;
  return `hsl(${hash} 55% 52%)`;
}

// The golden angle keeps neighbours apart.
export const faceColour = (id) => `hsl(${(id * 137.5) % 360} 75% 60%)`;
