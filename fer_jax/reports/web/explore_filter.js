"use strict";
// The language of the filter box: words, field=value, !=, <, <=, >, >=, field~text, "quoted text".
(ferJax => {
  const CONDITION = /^("[^"]*"|[^\s"=<>!~]+)(!=|<=|>=|=|<|>|~)(.*)$/s;
  const TOKEN = /(?:[^\s"]|"[^"]*"?)+/g;

  function unquoted(text) {
    return text.replace(/"/g, "");
  }

  // The tokens of a text; blanks around an operator do not part what it joins.
  function tokens(text) {
    const pieces = text.split(/("[^"]*"?)/);
    const joined = pieces.map((piece, at) => (at % 2 ? piece : piece.replace(/\s*(!=|<=|>=|=|<|>|~)\s*/g, "$1"))).join("");
    return joined.match(TOKEN) || [];
  }

  // What a text asks for: {words: [...], conditions: [{name, operator, value, token}]}.
  function parsed(text) {
    const words = [], conditions = [];
    for (const token of tokens(text)) {
      const match = CONDITION.exec(token);
      if (match) conditions.push({name: unquoted(match[1]), operator: match[2], value: match[3], token});
      else if (unquoted(token)) words.push(unquoted(token).toLowerCase());
    }
    return {words, conditions};
  }

  // How many letters two names are apart (Levenshtein).
  function distance(one, other) {
    let row = Array.from({length: other.length + 1}, (_, at) => at);
    for (let i = 1; i <= one.length; i += 1) {
      const next = [i];
      for (let j = 1; j <= other.length; j += 1) {
        next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (one[i - 1] !== other[j - 1])));
      }
      row = next;
    }
    return row[other.length];
  }

  // The name that is most like another, of columns; the shortest name of a column stands for it.
  function near(name, columns) {
    const scored = columns.flatMap(column => column.names.map(known => ({
      known, apart: known.length > 2 && name.length > 2 && known.includes(name) ? 1 : distance(name, known),
    })));
    scored.sort((a, b) => a.apart - b.apart || a.known.length - b.known.length);
    return scored.length && scored[0].apart <= Math.max(2, name.length / 2) ? scored[0].known : "";
  }

  // The column that a name means, of this table or else of the other: {column, own} or {problem}.
  function resolved(name, own, other) {
    const wanted = ferJax.plain(name);
    for (const [table, isOwn] of [[own, true], [other, false]]) {
      const exact = table.columns.filter(column => ferJax.plain(column.key) === wanted);
      const found = exact.length ? exact : table.columns.filter(column => column.names.includes(wanted));
      if (found.length === 1) return {column: found[0], own: isOwn};
      if (found.length) return {problem: `${name} may be ${found.map(column => column.key).join(" or ")}: write which`};
    }
    const hint = near(wanted, [...own.columns, ...other.columns]);
    return {problem: `no column ${name}${hint ? `; did you mean ${hint}?` : ""}`};
  }

  function same(one, other) {
    return Math.abs(one - other) <= 1e-9 * Math.max(Math.abs(one), Math.abs(other));
  }

  // A test of one cell, or what is wrong with the condition: {test} or {problem}.
  function cellTest(column, {name, operator, value}) {
    const plainText = unquoted(value).toLowerCase();
    if (!plainText) return {problem: `${name}${operator} what?`};
    if (operator === "~") return {test: row => column.text(row).toLowerCase().includes(plainText)};
    if (operator === "=" || operator === "!=") {
      const wanted = (value.includes('"') ? [plainText] : plainText.split(",")).filter(Boolean);
      const numbers = wanted.map(ferJax.parseNumber);
      const wrong = column.numeric && wanted.find((one, at) => isNaN(numbers[at]) && one !== "-" && one !== ferJax.DASH);
      if (wrong) return {problem: `${name}${operator}${wrong}: ${wrong} is no number`};
      const has = row => wanted.some((one, at) => {
        const text = column.text(row).toLowerCase();
        return text === one || (one === "-" && text === ferJax.DASH) || (column.numeric && same(column.number(row), numbers[at]));
      });
      return {test: operator === "=" ? has : row => !has(row)};
    }
    const bound = ferJax.parseNumber(plainText);
    if (!column.numeric) return {problem: `${name} is text, which has no ${operator}: use =, != or ~`};
    if (isNaN(bound)) return {problem: `${name}${operator}${unquoted(value)}: ${unquoted(value)} is no number`};
    const tests = {
      "<": at => at < bound && !same(at, bound), "<=": at => at < bound || same(at, bound),
      ">": at => at > bound && !same(at, bound), ">=": at => at > bound || same(at, bound),
    };
    return {test: row => tests[operator](column.number(row))};
  }

  // Rows that have a word: exactly as a swept value, else as any cell or a word of one, else anywhere.
  function wordRows(table, word) {
    const number = ferJax.parseNumber(word);
    const exact = (column, row) => {
      const text = column.text(row).toLowerCase();
      return text === word || (column.numeric && same(column.number(row), number));
    };
    const fields = table.columns.filter(column => column.field);
    const levels = [
      row => fields.some(column => exact(column, row)),
      row => table.columns.some(column => exact(column, row) || column.text(row).toLowerCase().split(/[\s,;]+/).includes(word)),
      row => table.columns.some(column => column.text(row).toLowerCase().includes(word)),
    ];
    const rows = new Uint8Array(table.count);
    for (const test of levels) {
      let any = 0;
      for (let row = 0; row < table.count; row += 1) any |= (rows[row] = test(row) ? 1 : 0);
      if (any) break;
    }
    return rows;
  }

  // Which rows of a table a text keeps, and what is wrong with it.
  // carry(rows of the other table) gives rows of this one: points of trials, or trials of points.
  function kept(text, own, other, carry) {
    const {words, conditions} = parsed(text), problems = [];
    const rows = new Uint8Array(own.count).fill(1);
    const and = (held, more) => more.forEach((value, row) => { held[row] &= value; });
    words.forEach(word => and(rows, wordRows(own, word)));
    let foreign = null;  // what is asked of the other table is asked of one of its rows
    for (const condition of conditions) {
      const {column, own: isOwn, problem} = resolved(condition.name, own, other);
      const {test, problem: wrong} = column ? cellTest(column, condition) : {};
      if (problem || wrong) {
        problems.push(problem || wrong);
        continue;
      }
      const found = Uint8Array.from({length: (isOwn ? own : other).count}, (_, row) => (test(row) ? 1 : 0));
      if (isOwn) and(rows, found);
      else if (foreign) and(foreign, found);
      else foreign = found;
    }
    if (foreign) and(rows, carry(foreign));
    return {rows, problems};
  }

  Object.assign(ferJax, {parsedFilter: parsed, keptRows: kept});
})(globalThis.ferJax);
