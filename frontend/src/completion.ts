/**
 * Completion for the SQL editor: columns, tables, variables, macros, functions and keywords.
 * Columns are those of the tables in the query.
 */
import type { Monaco, MonacoEditor, monacoTypes } from '@grafana/ui';

import { formatTypeAndUnit } from './format';
import { listVariableNames } from './interpolation';
import type { Schema } from './types';

/** The kinds of suggestions, in the order in which they are shown. */
const KINDS = ['column', 'table', 'variable', 'macro', 'function', 'keyword'] as const;

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
}

interface CursorContext {
  /** Dashboard variables: `$activity`. */
  variables?: string[];
  /** Whether the cursor follows a table's name and a dot, where only columns are valid. */
  afterDot?: boolean;
}

/** Lists the suggestions at the cursor of `sql`. */
export function listSuggestions(
  schema: Schema,
  sql: string,
  { variables = [], afterDot = false }: CursorContext = {}
): Suggestion[] {
  const columns = suggestColumns(schema, sql);
  return afterDot ? columns : [...columns, ...suggestNames(schema, variables)];
}

/** Suggests the columns of the tables in `sql`, or of all tables if it names none. */
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
      detail: 'dashboard variable',
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
    ...KEYWORDS.map((label) => ({ label, kind: 'keyword' as const })),
  ];
}

/**
 * Registers completion for this editor only. Monaco shares providers among all editors of a
 * language, so the provider ignores the other editors. Dispose of the result to unregister.
 */
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
      const context = { variables: listVariableNames(), afterDot: before.endsWith('.') };
      return {
        suggestions: listSuggestions(schema, model.getValue(), context).map((item) => ({
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

/** Returns the range of the word at the cursor. It includes a leading `$`, which Monaco omits. */
function wordRange(
  model: monacoTypes.editor.ITextModel,
  { lineNumber, column }: monacoTypes.Position
) {
  const { startColumn, endColumn } = model.getWordUntilPosition({ lineNumber, column });
  const before = model.getLineContent(lineNumber).slice(0, startColumn - 1);
  const dollar = before.endsWith('$') ? 1 : 0;
  return {
    startLineNumber: lineNumber,
    endLineNumber: lineNumber,
    startColumn: startColumn - dollar,
    endColumn,
  };
}
