// Tables of the README: the first column says what, the others how much.
const row = (cells) => `| ${cells.join(" | ")} |`;

/** A table of these titles and rows. */
export const markdown = (head, rows) => [row(head), row(head.map((_, index) => (index ? "--:" : "---"))), ...rows.map(row)].join("\n");
