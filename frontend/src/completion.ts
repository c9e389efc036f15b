/**
 * Completion for the SQL editor: the columns of the tables that the query names, tables, variables, macros, functions, and SQL's
 * own words.
 */
import type { Monaco, MonacoEditor, monacoTypes } from '@grafana/ui';

import { listVariableNames } from './interpolation';
import type { Schema } from './types';
import { formatTypeAndUnit } from './format';

/** In the order in which they are offered. */
const KINDS = ['column', 'table', 'variable', 'macro', 'function', 'keyword'] as const;

const KEYWORDS =
  'SELECT, DISTINCT, FROM, JOIN, LEFT JOIN, ON, USING, WHERE, AND, OR, NOT, IN, LIKE, BETWEEN, IS NULL, IS NOT NULL, GROUP BY, ' +
  'HAVING, ORDER BY, ASC, DESC, LIMIT, OFFSET, UNION ALL, WITH, AS, CASE, WHEN, THEN, ELSE, END, CAST, OVER, PARTITION BY';

export interface Suggestion {
  label: string;
  kind: (typeof KINDS)[number];
  detail?: string;
  documentation?: string;
}

interface CursorContext {
  /** The dashboard's: `$activity`. */
  variables?: string[];
  /** Behind a table's name and a dot, where only columns may stand. */
  qualified?: boolean;
}

/** What may stand in a query. */
export function listSuggestions(
  schema: Schema,
  sql: string,
  { variables = [], qualified = false }: CursorContext = {}
): Suggestion[] {
  const columns = suggestColumns(schema, sql);
  return qualified ? columns : [...columns, ...suggestNames(schema, variables)];
}

function suggestColumns({ tables }: Schema, sql: string): Suggestion[] {
  const words = new Set(sql.toLowerCase().match(/\w+/g));
  const named = tables.filter(({ name }) => words.has(name.toLowerCase()));
  const columns = new Map(
    (named.length > 0 ? named : tables).flatMap(({ columns }) => columns.map((c) => [c.name, c]))
  );
  return Array.from(columns.values(), (column) => ({
    label: column.name,
    kind: 'column',
    detail: formatTypeAndUnit(column),
    documentation: column.description ?? undefined,
  }));
}

function suggestNames(
  { tables, macros, functions, sqliteFunctions }: Schema,
  variables: string[]
): Suggestion[] {
  return [
    ...tables.map(({ name, description }) => ({
      label: name,
      kind: 'table' as const,
      documentation: description,
    })),
    ...variables.map((label) => ({
      label,
      kind: 'variable' as const,
      detail: 'variable of the dashboard',
    })),
    ...macros.map(({ name, usage, description }) => ({
      label: `$${name}`,
      kind: 'macro' as const,
      detail: usage,
      documentation: description,
    })),
    ...functions.map(({ name, usage, description }) => ({
      label: name,
      kind: 'function' as const,
      detail: usage,
      documentation: description,
    })),
    ...sqliteFunctions
      .filter((name) => /^\w+$/.test(name))
      .map((label) => ({ label, kind: 'function' as const })),
    ...KEYWORDS.split(', ').map((label) => ({ label, kind: 'keyword' as const })),
  ];
}

/** Completes in this editor only, until the returned disposable is disposed of: Monaco shares providers among all editors of a language. */
export function registerCompletion(
  monaco: Monaco,
  editor: MonacoEditor,
  schema: Schema
): monacoTypes.IDisposable {
  const kinds = {
    column: monaco.languages.CompletionItemKind.Field,
    table: monaco.languages.CompletionItemKind.Struct,
    variable: monaco.languages.CompletionItemKind.Variable,
    macro: monaco.languages.CompletionItemKind.Snippet,
    function: monaco.languages.CompletionItemKind.Function,
    keyword: monaco.languages.CompletionItemKind.Keyword,
  };

  return monaco.languages.registerCompletionItemProvider('sql', {
    triggerCharacters: ['$', '.'],
    provideCompletionItems: (model, position) => {
      if (model.id !== editor.getModel()?.id) {
        return undefined;
      }
      const range = wordRange(model, position);
      const before = model.getLineContent(range.startLineNumber).slice(0, range.startColumn - 1);
      const place = { variables: listVariableNames(), qualified: before.endsWith('.') };
      return {
        suggestions: listSuggestions(schema, model.getValue(), place).map((item) => ({
          ...item,
          kind: kinds[item.kind],
          insertText: item.label,
          sortText: KINDS.indexOf(item.kind) + item.label,
          range,
        })),
      };
    },
  });
}

/** The word being parseValue, with the `$` that Monaco does not count as part of it. */
function wordRange(
  model: monacoTypes.editor.ITextModel,
  { lineNumber, column }: monacoTypes.Position
) {
  const { startColumn, endColumn } = model.getWordUntilPosition({ lineNumber, column });
  const dollar = model
    .getLineContent(lineNumber)
    .slice(0, startColumn - 1)
    .endsWith('$')
    ? 1
    : 0;
  return {
    startLineNumber: lineNumber,
    endLineNumber: lineNumber,
    startColumn: startColumn - dollar,
    endColumn,
  };
}
