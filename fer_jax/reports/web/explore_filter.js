"use strict";
// The language of the filter box: words, field=value, !=, <, <=, >, >=, field~text, "quoted text".
// What is often written instead is understood: ==, =>, ≥, field: value, 84.6%, a list with blanks, lr for learning_rate.
(ferJax => {
  const CONDITION = /^("[^"]*"|[^\s"=<>!~]+)(!=|<=|>=|=|<|>|~)(.*)$/s;
  const TOKEN = /(?:[^\s"]|"[^"]*"?)+/g;
  const WRITTEN = [
    [/≥|=>/g, ">="], [/≤|=</g, "<="], [/≠|<>/g, "!="], [/={2,}/g, "="], [/:(?=\s|$)/g, "="], [/\s*(!=|<=|>=|=|<|>|~)\s*/g, "$1"],
  ];
  const MOST_WORDS = 4;  // of a name
  const ALIASES = {
    lr: ["learning_rate"], rate: ["learning_rate"], wd: ["weight_decay", "l2"], reg: ["l2"], bs: ["batch_size"], batch: ["batch_size"], opt: ["optimizer"],
    acc: ["val_accuracy"], accuracy: ["val_accuracy"], val_acc: ["val_accuracy"], train_acc: ["train_accuracy"], test_acc: ["test_accuracy"],
    loss: ["val_loss"], f1: ["val_f1", "test_f1"], auc: ["val_auc", "test_auc"],
  };

  function unquoted(text) {
    return text.replace(/"/g, "");
  }

  // The tokens of a text; blanks around an operator do not part what it joins.
  function tokens(text, isName) {
    const plainly = piece => WRITTEN.reduce((held, [from, to]) => held.replace(from, to), piece)
      .replace(/([^\s:]+):(?=\S)/g, (whole, name) => (isName(name) ? `${name}=` : whole));
    return text.split(/("[^"]*"?)/).map((piece, at) => (at % 2 ? piece : plainly(piece))).join("").match(TOKEN) || [];
  }

  // What a text asks for: {words: [...], conditions: [{name, operator, value}]}.
  // isName tells whether a text names a field; a name may be of several words, as headings are.
  function parsed(text, isName) {
    const items = [];
    for (const token of tokens(text, isName)) {
      const match = CONDITION.exec(token);
      if (!match) {
        items.push({word: token});
        continue;
      }
      let name = unquoted(match[1]), before = 0;
      while (before < MOST_WORDS && items.at(-1 - before)?.word) before += 1;
      for (; before; before -= 1) {
        const longer = [...items.slice(-before).map(item => unquoted(item.word)), name].join(" ");
        if (!isName(longer)) continue;
        items.length -= before;
        name = longer;
        break;
      }
      items.push({name, operator: match[2], value: match[3]});
    }
    const words = [], conditions = [];
    let list = null;  // a condition whose value goes on after a comma
    for (const {word, ...condition} of items) {
      if (list && word) list.value += word;
      else if (word) words.push(unquoted(word).replace(/,$/, ""));
      else conditions.push(list = condition);
      if (!list?.value.endsWith(",")) list = null;
    }
    conditions.forEach(one => { one.value = one.value.replace(/,$/, ""); });
    return {words: words.filter(Boolean), conditions};
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

  function columnsOf(table, wanted) {
    const exact = table.columns.filter(column => ferJax.plain(column.key) === wanted);
    return exact.length ? exact : table.columns.filter(column => column.names.includes(wanted));
  }

  // The column that a name means, of this table or else of the other: {column, own}, {problem} or null.
  function named(name, own, other) {
    const wanted = ferJax.plain(name);
    for (const known of [wanted, ...(ALIASES[wanted] || [])]) {
      for (const [table, isOwn] of [[own, true], [other, false]]) {
        const found = columnsOf(table, known);
        if (found.length === 1) return {column: found[0], own: isOwn};
        if (found.length) return {problem: `${name} may be ${found.map(column => column.key).join(" or ")}: write which`};
      }
    }
    return fixed(wanted);
  }

  // What is to be said of a field that has one value in the whole run.
  function fixed(wanted) {
    for (const known of [wanted, ...(ALIASES[wanted] || [])]) {
      const found = ferJax.state.run.doc.config.filter(([field]) => field === known || field.split(".").at(-1) === known);
      if (found.length === 1) return {problem: `${known} is ${found[0][1]} at every point`};
      if (found.length) return {problem: `${known} may be ${found.map(([field, value]) => `${field}, which is ${value} at every point`).join(", or ")}`};
    }
    return null;
  }

  function resolved(name, own, other) {
    const found = named(name, own, other), wanted = ferJax.plain(name);
    if (found) return found;
    const parts = [...own.columns, ...other.columns].filter(column => wanted.length > 2 && column.names.some(known => known.split(/[_.]/).some(word => word === wanted || word === `${wanted}s`)));
    const keys = [...new Set(parts.map(column => column.key))];
    if (keys.length > 1 && keys.length <= 3) return {problem: `no column ${name}; did you mean ${keys.slice(0, -1).join(", ")} or ${keys.at(-1)}?`};
    const hint = near(wanted, [...own.columns, ...other.columns]);
    return {problem: `no column ${name}${hint ? `; did you mean ${hint}?` : ""}`};
  }

  // A number as a reader may write it, 84.6% too.
  function asked(text) {
    return text.endsWith("%") ? ferJax.parseNumber(text.slice(0, -1).trim()) / 100 : ferJax.parseNumber(text);
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
      const numbers = wanted.map(asked);
      const wrong = column.numeric && wanted.find((one, at) => isNaN(numbers[at]) && one !== "-" && one !== ferJax.DASH);
      if (wrong) return {problem: `${name}${operator}${wrong}: ${wrong} is no number`};
      const has = row => wanted.some((one, at) => {
        const text = column.text(row).toLowerCase();
        return text === one || (one === "-" && text === ferJax.DASH) || (column.numeric && same(column.number(row), numbers[at]));
      });
      return {test: operator === "=" ? has : row => !has(row)};
    }
    const bound = asked(plainText);
    if (!column.numeric) return {problem: `${name} is text, which has no ${operator}: use =, != or ~`};
    if (isNaN(bound)) return {problem: `${name}${operator}${unquoted(value)}: ${unquoted(value)} is no number`};
    const tests = {
      "<": at => at < bound && !same(at, bound), "<=": at => at < bound || same(at, bound),
      ">": at => at > bound && !same(at, bound), ">=": at => at > bound || same(at, bound),
    };
    return {test: row => tests[operator](column.number(row))};
  }

  // Rows that have a word: exactly as a swept value, else as any cell or a word of one, else anywhere; null for none.
  function wordRows(table, text) {
    const word = text.toLowerCase(), number = asked(word);
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
      if (any) return rows;
    }
    return null;
  }

  // Which rows of a table a text keeps, and what is wrong with it.
  // carry(rows of the other table) gives rows of this one: points of trials, or trials of points.
  function kept(text, own, other, carry) {
    const {words, conditions} = parsed(text, name => named(name, own, other) !== null), problems = [];
    const rows = new Uint8Array(own.count).fill(1);
    const and = (held, more) => more.forEach((value, row) => { held[row] &= value; });
    for (const word of words) {
      const found = wordRows(own, word);
      if (found) and(rows, found);
      else problems.push(`no row has "${word}"`);
      if (!found) rows.fill(0);
    }
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

  Object.assign(ferJax, {keptRows: kept});
})(globalThis.ferJax);
