/** Completion, hovers, signatures and marked mistakes in one Monaco editor. */
import type { Monaco, MonacoEditor, monacoTypes } from '@grafana/ui';

import { listVariableNames } from '../interpolation';
import type { Schema } from '../types';
import { type GetValues, KINDS, type Suggestion, listSuggestions } from './completion';
import { describeAt, findSignature } from './documentation';
import { type Mistake, findWordEnd } from './mistake';

type Model = monacoTypes.editor.ITextModel;
type Position = monacoTypes.Position;

/** The owner of our markers. */
const OWNER = 'oura';

/**
 * Registers the providers for this editor only. Monaco shares providers among all editors of a
 * language, so they ignore other editors. Dispose of the result to unregister.
 */
export function registerProviders(
  monaco: Monaco,
  editor: MonacoEditor,
  schema: Schema,
  getValues: GetValues
): monacoTypes.IDisposable {
  const { languages } = monaco;
  const isOurs = (model: Model) => model.id === editor.getModel()?.id;
  const registered = [
    languages.registerCompletionItemProvider('sql', {
      triggerCharacters: ['$', '.', "'"],
      provideCompletionItems: async (model, position) => {
        if (!isOurs(model)) {
          return undefined;
        }
        const sql = model.getValue();
        const offset = model.getOffsetAt(position);
        const variables = listVariableNames();
        const found = await listSuggestions(schema, sql, offset, variables, getValues);
        const range = findWordRange(model, position);
        return { suggestions: found.map((each) => toCompletionItem(monaco, each, range)) };
      },
    }),
    languages.registerHoverProvider('sql', {
      provideHover: (model, position) => {
        const hover =
          isOurs(model) && describeAt(schema, model.getValue(), model.getOffsetAt(position));
        if (!hover) {
          return undefined;
        }
        const range = monaco.Range.fromPositions(
          model.getPositionAt(hover.start),
          model.getPositionAt(hover.end)
        );
        return { range, contents: [{ value: hover.text }] };
      },
    }),
    languages.registerSignatureHelpProvider('sql', {
      signatureHelpTriggerCharacters: ['(', ','],
      provideSignatureHelp: (model, position) => {
        const found =
          isOurs(model) && findSignature(schema, model.getValue(), model.getOffsetAt(position));
        if (!found) {
          return undefined;
        }
        const { label, description, parameters, active } = found;
        const signature = {
          label,
          documentation: description,
          parameters: parameters.map((label) => ({ label })),
        };
        const value = { signatures: [signature], activeSignature: 0, activeParameter: active };
        return { value, dispose: () => {} };
      },
    }),
    languages.registerCodeActionProvider('sql', {
      provideCodeActions: (model, _range, { markers }) => ({
        actions: isOurs(model) ? markers.flatMap((marker) => listFixes(model, marker)) : [],
        dispose: () => {},
      }),
    }),
  ];
  return { dispose: () => registered.forEach((each) => each.dispose()) };
}

/** Marks a mistake in the editor's text, or removes the marker without one. */
export function markMistake(monaco: Monaco, editor: MonacoEditor, mistake?: Mistake): void {
  const model = editor.getModel();
  if (!model) {
    return;
  }
  if (!mistake || mistake.line > model.getLineCount()) {
    monaco.editor.setModelMarkers(model, OWNER, []);
    return;
  }
  const { line, column, message, suggestions } = mistake;
  const marker = {
    severity: monaco.MarkerSeverity.Error,
    message,
    startLineNumber: line,
    startColumn: column,
    endLineNumber: line,
    endColumn: findWordEnd(model.getLineContent(line), column),
    source: 'Oura',
    // Markers have no field for data. A code is shown with the message, a tag is not.
    relatedInformation: suggestions.map((message) => ({
      resource: model.uri,
      message,
      startLineNumber: line,
      startColumn: column,
      endLineNumber: line,
      endColumn: column,
    })),
  };
  monaco.editor.setModelMarkers(model, OWNER, [marker]);
}

function listFixes(
  model: Model,
  marker: monacoTypes.editor.IMarkerData
): monacoTypes.languages.CodeAction[] {
  return (marker.relatedInformation ?? []).map(({ message: text }) => ({
    title: `Replace with ${text}`,
    kind: 'quickfix',
    diagnostics: [marker],
    isPreferred: true,
    edit: {
      edits: [{ resource: model.uri, versionId: undefined, textEdit: { range: marker, text } }],
    },
  }));
}

function toCompletionItem(
  monaco: Monaco,
  { label, kind, detail, documentation, snippet }: Suggestion,
  range: monacoTypes.IRange
): monacoTypes.languages.CompletionItem {
  const { CompletionItemKind, CompletionItemInsertTextRule } = monaco.languages;
  const kinds = {
    value: CompletionItemKind.EnumMember,
    column: CompletionItemKind.Field,
    table: CompletionItemKind.Struct,
    variable: CompletionItemKind.Variable,
    macro: CompletionItemKind.Snippet,
    function: CompletionItemKind.Function,
    keyword: CompletionItemKind.Keyword,
  };
  return {
    label,
    kind: kinds[kind],
    detail,
    documentation,
    insertText: snippet ?? label,
    insertTextRules: snippet ? CompletionItemInsertTextRule.InsertAsSnippet : undefined,
    sortText: KINDS.indexOf(kind) + label,
    range,
  };
}

/** Returns the range of the word at the cursor. It includes a leading `$`, which Monaco omits. */
function findWordRange(model: Model, { lineNumber, column }: Position): monacoTypes.IRange {
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
