/** Suggestions at the cursor of the SQL editor, by context. */
import { formatTypeAndUnit } from '../format';
import type { Schema, SchemaColumn } from '../types';
import { type Context, findContext, listCommonTables, listTables } from './statement';

/** The kinds of suggestions, in the order in which they are shown. */
export const KINDS = [
  'value',
  'column',
  'table',
  'variable',
  'macro',
  'function',
  'keyword',
] as const;

const KEYWORDS = [
  'SELECT|DISTINCT|FROM|JOIN|LEFT JOIN|ON|USING|WHERE|AND|OR|NOT|IN|LIKE|BETWEEN|IS NULL',
  'IS NOT NULL|GROUP BY|HAVING|ORDER BY|ASC|DESC|LIMIT|OFFSET|UNION ALL|WITH|AS|CASE|WHEN',
  'THEN|ELSE|END|CAST|OVER|PARTITION BY',
].flatMap((line) => line.split('|'));

export interface Suggestion {
  label: string;
  kind: (typeof KINDS)[number];
  detail?: string;
  documentation?: string;
  /** The text to insert, if it is not the label. With placeholders: `median(${1:x})`. */
  snippet?: string;
}

/** Returns the distinct values of a column as text. */
export type GetValues = (table: string, column: string) => Promise<string[]>;

/** Lists the suggestions at `offset` of `sql`. */
export async function listSuggestions(
  schema: Schema,
  sql: string,
  offset: number,
  variables: string[],
  getValues: GetValues
): Promise<Suggestion[]> {
  const context = findContext(sql, offset);
  switch (context.kind) {
    case 'none':
      return [];
    case 'columns':
      return suggestColumns(schema, sql, context.qualifier);
    case 'tables':
      return suggestTables(schema, sql);
    case 'values': {
      const values = await suggestValues(schema, sql, context, getValues);
      return context.isQuoted ? values : [...values, ...suggestExpression(schema, sql, variables)];
    }
    case 'expression':
      return suggestExpression(schema, sql, variables);
  }
}

/** Lists the columns that `sql` can use: of one table or alias, or of all its tables. */
export function listColumns({ tables }: Schema, sql: string, qualifier?: string): SchemaColumn[] {
  const references = listTables(sql);
  const wanted = new Set(
    references
      .filter(({ alias }) => qualifier === undefined || isSame(alias, qualifier))
      .map(({ table }) => table.toLowerCase())
  );
  const named = tables.filter(({ name }) => wanted.has(name.toLowerCase()));
  const isKnown = references.some(({ table }) => tables.some(({ name }) => isSame(name, table)));
  const columns = (named.length > 0 || isKnown ? named : tables).flatMap(({ columns }) => columns);
  return Array.from(new Map(columns.map((column) => [column.name, column])).values());
}

function suggestColumns(schema: Schema, sql: string, qualifier?: string): Suggestion[] {
  return listColumns(schema, sql, qualifier).map((column) => ({
    label: column.name,
    kind: 'column',
    detail: formatTypeAndUnit(column),
    documentation: column.description ?? undefined,
  }));
}

function suggestTables({ tables }: Schema, sql: string): Suggestion[] {
  return [
    ...listCommonTables(sql).map((label) => ({
      label,
      kind: 'table' as const,
      documentation: 'defined in this statement',
    })),
    ...tables.map(({ name, description }) => ({
      label: name,
      kind: 'table' as const,
      documentation: description,
    })),
  ];
}

async function suggestValues(
  { tables }: Schema,
  sql: string,
  { qualifier, column, isQuoted }: Context & { kind: 'values' },
  getValues: GetValues
): Promise<Suggestion[]> {
  const references = listTables(sql).filter(
    ({ alias }) => qualifier === undefined || isSame(alias, qualifier)
  );
  const table = tables.find(
    ({ name, columns }) =>
      references.some((reference) => isSame(reference.table, name)) &&
      columns.some((each) => isSame(each.name, column) && each.type === 'string')
  );
  if (!table) {
    return [];
  }
  const values = await getValues(table.name, column).catch(() => []);
  return values.map((value) => {
    const text = value.replaceAll("'", "''");
    return { label: isQuoted ? text : `'${text}'`, kind: 'value', detail: column };
  });
}

function suggestExpression(schema: Schema, sql: string, variables: string[]): Suggestion[] {
  const { tables, macros, functions, sqliteFunctions } = schema;
  const aliases = listTables(sql).filter(({ table, alias }) => table !== alias);
  return [
    ...suggestColumns(schema, sql),
    ...aliases.map(({ alias, table }) => ({
      label: alias,
      kind: 'table' as const,
      detail: `alias of ${table}`,
    })),
    ...tables.map(({ name, description }) => ({
      label: name,
      kind: 'table' as const,
      documentation: description,
    })),
    ...variables.map((label) => ({
      label,
      kind: 'variable' as const,
      detail: 'dashboard variable',
    })),
    ...macros.map(({ name, usage, description }) => ({
      label: `$${name}`,
      kind: 'macro' as const,
      detail: usage,
      documentation: description,
      snippet: toSnippet(usage),
    })),
    ...functions.map(({ name, usage, description }) => ({
      label: name,
      kind: 'function' as const,
      detail: usage,
      documentation: description,
      snippet: toSnippet(usage),
    })),
    ...sqliteFunctions
      .filter((name) => /^\w+$/.test(name))
      .map((label) => ({ label, kind: 'function' as const })),
    ...KEYWORDS.map((label) => ({ label, kind: 'keyword' as const })),
  ];
}

/**
 * Turns a usage into a snippet: `$__timeFilter(column)` becomes `\$__timeFilter(${1:column})`.
 * Optional arguments, in brackets, are left out.
 */
export function toSnippet(usage: string): string {
  const [, name, list] = /^([^(]+)\((.*)\)/.exec(usage.replaceAll(/\s*\[.*?\]+/g, '')) ?? [];
  if (name === undefined) {
    return usage.replaceAll('$', '\\$');
  }
  const names = list.split(',').map((argument) => argument.trim());
  const placeholders = names
    .filter(Boolean)
    .map((argument, index) => `\${${index + 1}:${argument.replaceAll(/[$}\\]/g, '')}}`);
  return `${name.replaceAll('$', '\\$')}(${placeholders.join(', ')})`;
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
