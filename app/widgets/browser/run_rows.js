// Which rows the table of runs has, in which order, and how a value is written. Nothing here touches the page.

const MOST_OPEN = 200;

const isNumber = (value) => typeof value === "number";
const NUMERIC = new Set(["number", "time", "duration"]);
export const isRight = (kind) => kind === "number" || kind === "duration";

/** Return what a column is sorted by: a number, a text, or null for what has no value. */
function sortable(column, at) {
  const value = column.values[at];
  if (column.kind === "state") return value[0];
  if (column.kind === "tags") return value.length ? value.join(" ") : null;
  if (NUMERIC.has(column.kind)) return isNumber(value) ? value : null;
  return value === "" ? null : value;
}

function compared(a, b, down) {
  if (a === null || b === null) return (a === null) - (b === null); // what is missing comes last either way
  const order = isNumber(a) && isNumber(b) ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  return down ? -order : order;
}

/** Return the column that the table is sorted by and whether downwards; none for the order given. */
export function sorting(told) {
  const down = told.sort.startsWith("-");
  const column = told.columns.find((one) => one.key === told.sort.slice(down ? 1 : 0));
  return { column, down };
}

/** Return the rows from the top: {at} for a run, {group, members, open} for the head of a group. */
export function rowsOf(told) {
  const { column, down } = sorting(told);
  const all = told.ids.map((_, at) => at);
  if (column) {
    const keys = all.map((at) => sortable(column, at));
    all.sort((a, b) => compared(keys[a], keys[b], down) || a - b);
  }
  if (!told.group) return all.map((at) => ({ at }));
  const groups = new Map(told.group.order.map((name) => [name, []]));
  for (const at of all) groups.get(told.group.values[at]).push(at);
  const heads = [...groups].filter(([, members]) => members.length);
  if (column) {
    const means = new Map(heads.map(([name, members]) => [name, groupKey(column, members)]));
    heads.sort(([a], [b]) => compared(means.get(a), means.get(b), down));
  }
  const toggled = new Set(told.toggled);
  return heads.flatMap(([group, members]) => {
    const open = (all.length <= MOST_OPEN) !== toggled.has(group);
    return [{ group, members, open }, ...(open ? members.map((at) => ({ at })) : [])];
  });
}

const groupKey = (column, members) =>
  column.kind === "number" ? (mean(column, members)?.mean ?? null) : sortable(column, members[0]);

/** Return mean and standard deviation of the numbers of some runs; null without any. */
export function mean(column, members) {
  const found = members.map((at) => column.values[at]).filter(isNumber);
  if (!found.length) return null;
  const middle = found.reduce((sum, value) => sum + value, 0) / found.length;
  const spread = Math.sqrt(found.reduce((sum, value) => sum + (value - middle) ** 2, 0) / found.length);
  return { mean: middle, spread, count: found.length };
}

export function number(value, digits = 5) {
  if (!isNumber(value)) return value ?? "";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return String(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(digits - 2).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(digits)));
}

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** Write seconds in at most two units: "1 h 12 min". */
export function duration(seconds) {
  if (!isNumber(seconds)) return "";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  let rest = Math.round(seconds);
  const words = [];
  for (const [unit, size] of UNITS) {
    if (rest >= size && words.length < 2) {
      words.push(`${Math.floor(rest / size)} ${unit}`);
      rest %= size;
    } else if (words.length) break;
  }
  return words.join(" ");
}

export function ago(then, now = Date.now() / 1000) {
  if (!isNumber(then)) return "";
  return now - then < 5 ? "just now" : `${duration(now - then).split(" ").slice(0, 2).join(" ")} ago`;
}

export const moment = (seconds) => (isNumber(seconds) ? new Date(seconds * 1000).toLocaleString() : "");
