/** Completion for the SQL editor: macros, functions, variables, tables, and the columns of the tables that the query names. */
import type { Monaco, MonacoEditor, monacoTypes } from '@grafana/ui';

import { variableNames } from './interpolation';
import type { Schema, SchemaColumn } from './types';

export interface Suggestion {
  label: string;
  kind: 'macro' | 'function' | 'variable' | 'table' | 'column';
  detail?: string;
  documentation?: string;
}

export function suggestions(
  { tables, macros, functions }: Schema,
  sql: string,
  variables: string[] = []
): Suggestion[] {
  const words = new Set(sql.toLowerCase().match(/\w+/g));
  const named = tables.filter(({ name }) => words.has(name.toLowerCase()));
  const columns = new Map(
    (named.length > 0 ? named : tables).flatMap(({ columns }) => columns.map((c) => [c.name, c]))
  );

  return [
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
    ...variables.map((label) => ({ label, kind: 'variable' as const, detail: 'variable of the dashboard' })),
    ...tables.map(({ name, description }) => ({ label: name, kind: 'table' as const, documentation: description })),
    ...Array.from(columns.values(), (column) => ({
      label: column.name,
      kind: 'column' as const,
      detail: typeAndUnit(column),
      documentation: column.description ?? undefined,
    })),
  ];
}

export function typeAndUnit({ type, unit }: SchemaColumn): string {
  return unit ? `${type}, ${unitName(unit)}` : type;
}

/** As a person writes it. */
export function unitName(unit: string): string {
  return unit.replace(/^suffix: */, '');
}

/** Completes in this editor only, until the returned disposable is disposed of: Monaco shares providers among all editors of a language. */
export function registerCompletion(monaco: Monaco, editor: MonacoEditor, schema: Schema): monacoTypes.IDisposable {
  const kinds = {
    macro: monaco.languages.CompletionItemKind.Snippet,
    function: monaco.languages.CompletionItemKind.Function,
    variable: monaco.languages.CompletionItemKind.Variable,
    table: monaco.languages.CompletionItemKind.Struct,
    column: monaco.languages.CompletionItemKind.Field,
  };

  return monaco.languages.registerCompletionItemProvider('sql', {
    triggerCharacters: ['$', '.'],
    provideCompletionItems: (model, position) => {
      if (model.id !== editor.getModel()?.id) {
        return undefined;
      }
      const range = wordAt(model, position);
      const items = suggestions(schema, model.getValue(), variableNames());
      return { suggestions: items.map((item) => ({ ...item, kind: kinds[item.kind], insertText: item.label, range })) };
    },
  });
}

/** The word being typed, with the `$` that Monaco does not count as part of it. */
function wordAt(model: monacoTypes.editor.ITextModel, { lineNumber, column }: monacoTypes.Position) {
  const { startColumn, endColumn } = model.getWordUntilPosition({ lineNumber, column });
  const dollar = model
    .getLineContent(lineNumber)
    .slice(0, startColumn - 1)
    .endsWith('$')
    ? 1
    : 0;
  return { startLineNumber: lineNumber, endLineNumber: lineNumber, startColumn: startColumn - dollar, endColumn };
}
