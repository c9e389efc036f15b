/** The tokens of a statement, its tables, and the context of a position in it. */

export interface Token {
  kind: 'word' | 'string' | 'number' | 'macro' | 'symbol' | 'comment';
  text: string;
  start: number;
  end: number;
}

/** One alternative per kind, in the order of the interface. An open string or comment is one too. */
const TOKEN = new RegExp(
  [
    /(?<comment>--[^\n]*|\/\*[^]*?(?:\*\/|$))/,
    /(?<string>'(?:[^']|'')*(?:'|$))/,
    /(?<macro>\$\{\w*[^}\s]*\}?|\$\w*)/,
    /(?<number>\d+(?:\.\d+)?)/,
    /(?<word>"[^"]*(?:"|$)|[\p{L}_][\p{L}\p{N}_]*)/u,
    /(?<symbol><=|>=|<>|!=|==|\|\||->>?|[^\s])/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'gu'
);

export function tokenize(sql: string): Token[] {
  return Array.from(sql.matchAll(TOKEN), (match) => {
    const [text] = match;
    const [kind] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined)!;
    return {
      kind: kind as Token['kind'],
      text,
      start: match.index,
      end: match.index + text.length,
    };
  });
}

/** A table of a statement, with the name that its columns are qualified with. */
export interface TableReference {
  table: string;
  alias: string;
}

/** Words after a table that are not its alias. */
const NO_ALIAS = new Set(
  (
    'as on using where group order having limit offset join left right inner outer cross natural ' +
    'full union except intersect window set select from values'
  ).split(' ')
);

/** Lists the tables after FROM and JOIN. Names of common table expressions are among them. */
export function listTables(sql: string): TableReference[] {
  const tokens = tokenize(sql).filter(({ kind }) => kind !== 'comment');
  const tables: TableReference[] = [];
  let expectsTable = false;
  let inFrom = false;
  for (let i = 0; i < tokens.length; i++) {
    const word = normalize(tokens[i]);
    if (word === 'from' || word === 'join') {
      expectsTable = true;
      inFrom = true;
    } else if (inFrom && word === ',') {
      expectsTable = true;
    } else if (expectsTable && tokens[i].kind === 'word' && !NO_ALIAS.has(word)) {
      const next = tokens[i + 1] && normalize(tokens[i + 1]) === 'as' ? i + 2 : i + 1;
      const hasAlias = tokens[next]?.kind === 'word' && !NO_ALIAS.has(normalize(tokens[next]));
      const table = unquote(tokens[i].text);
      tables.push({ table, alias: hasAlias ? unquote(tokens[next].text) : table });
      expectsTable = false;
    } else if (word === '(') {
      inFrom = false;
      expectsTable = false;
    } else if (NO_ALIAS.has(word) && !/^(as|on|using|left|right|inner|outer|cross)$/.test(word)) {
      inFrom = false;
    }
  }
  return tables;
}

/** Lists the names that WITH defines. */
export function listCommonTables(sql: string): string[] {
  const pattern = /(?:\bwith(?:\s+recursive)?|\),)\s+(\w+)\s*(?:\([^)]*\))?\s+as\s*\(/gi;
  return Array.from(sql.matchAll(pattern), ([, name]) => name);
}

export type Context =
  | { kind: 'columns'; qualifier: string }
  | { kind: 'tables' }
  | { kind: 'values'; qualifier?: string; column: string; isQuoted: boolean }
  | { kind: 'none' }
  | { kind: 'expression' };

const COMPARISONS = ['=', '==', '!=', '<>', 'like', 'is'];

/** Finds the kind of text that fits at `offset`. */
export function findContext(sql: string, offset: number): Context {
  const tokens = tokenize(sql.slice(0, offset));
  let last = tokens.at(-1);
  if (last?.kind === 'comment' && (last.text.startsWith('--') || !last.text.endsWith('*/'))) {
    return sql.slice(last.end, offset).includes('\n') ? { kind: 'expression' } : { kind: 'none' };
  }
  let before = tokens.filter(({ kind }) => kind !== 'comment');
  // The word that is being written does not count.
  const isOpenString = last?.kind === 'string' && !isClosed(last.text);
  if (last && (isOpenString || (last.kind !== 'symbol' && last.kind !== 'string'))) {
    if (isOpenString || last.end === offset) {
      before = before.slice(0, -1);
    }
  }
  last = before.at(-1);
  const compared = findComparedColumn(before);
  if (compared) {
    return { kind: 'values', ...compared, isQuoted: isOpenString };
  }
  if (isOpenString) {
    return { kind: 'none' };
  }
  if (last?.text === '.' && before.at(-2)?.kind === 'word') {
    return { kind: 'columns', qualifier: unquote(before.at(-2)!.text) };
  }
  const word = last && normalize(last);
  if (word === 'from' || word === 'join' || (word === ',' && isInFrom(before))) {
    return { kind: 'tables' };
  }
  return { kind: 'expression' };
}

/** Finds the column before `=`, or before `IN (` and a list of values. */
function findComparedColumn(tokens: Token[]): { qualifier?: string; column: string } | undefined {
  let end = tokens.length - 1;
  const last = tokens[end] && normalize(tokens[end]);
  if (last === '(' || last === ',') {
    while (end >= 0 && (tokens[end].text === ',' || tokens[end].kind === 'string')) {
      end -= 1;
    }
    if (tokens[end]?.text !== '(' || !tokens[end - 1] || normalize(tokens[end - 1]) !== 'in') {
      return undefined;
    }
    end -= 1;
    if (tokens[end - 1] && normalize(tokens[end - 1]) === 'not') {
      end -= 1;
    }
  } else if (!last || !COMPARISONS.includes(last)) {
    return undefined;
  }
  const column = tokens[end - 1];
  if (column?.kind !== 'word' || NO_ALIAS.has(normalize(column))) {
    return undefined;
  }
  const hasQualifier = tokens[end - 2]?.text === '.' && tokens[end - 3]?.kind === 'word';
  return {
    ...(hasQualifier && { qualifier: unquote(tokens[end - 3].text) }),
    column: unquote(column.text),
  };
}

/** Returns whether the last comma separates tables: FROM is the last clause before it. */
function isInFrom(tokens: Token[]): boolean {
  let depth = 0;
  for (const token of [...tokens].reverse()) {
    const word = normalize(token);
    depth += word === ')' ? 1 : word === '(' ? -1 : 0;
    if (depth < 0 || (depth === 0 && /^(select|where|group|order|having|on|using)$/.test(word))) {
      return false;
    }
    if (depth === 0 && word === 'from') {
      return true;
    }
  }
  return false;
}

/** A call around a position: the function, and the index of the argument at the position. */
export interface Call {
  name: string;
  argument: number;
}

/** Finds the innermost call around `offset`. */
export function findCall(sql: string, offset: number): Call | undefined {
  const tokens = tokenize(sql.slice(0, offset)).filter(({ kind }) => kind !== 'comment');
  let depth = 0;
  let argument = 0;
  for (let i = tokens.length - 1; i >= 0; i--) {
    const { text } = tokens[i];
    if (text === ')') {
      depth += 1;
    } else if (text === '(' && depth > 0) {
      depth -= 1;
    } else if (text === '(') {
      const name = tokens[i - 1];
      return name && (name.kind === 'word' || name.kind === 'macro')
        ? { name: name.text, argument }
        : undefined;
    } else if (text === ',' && depth === 0) {
      argument += 1;
    }
  }
  return undefined;
}

export function unquote(name: string): string {
  return name.replace(/^"(.*?)"?$/, '$1');
}

function normalize({ text }: Token): string {
  return text.toLowerCase();
}

function isClosed(text: string): boolean {
  return text.length > 1 && (text.match(/'/g)?.length ?? 0) % 2 === 0;
}
