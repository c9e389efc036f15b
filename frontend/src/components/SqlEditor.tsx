import { CodeEditor, type Monaco, type MonacoEditor } from '@grafana/ui';
import React, {
  type Ref,
  forwardRef,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
} from 'react';

import type { GetValues } from '../sql/completion';
import { parseMistake } from '../sql/mistake';
import { markMistake, registerProviders } from '../sql/monaco';
import type { Schema } from '../types';

interface Props {
  sql: string;
  schema?: Schema;
  /** Returns the distinct values of a column. */
  getValues: GetValues;
  /** The error message of the last run. Its position is marked in the text. */
  error?: string;
  /** Called with the text on Ctrl/Cmd + Enter, and when a changed editor loses the focus. */
  onRun: (sql: string) => void;
}

export interface SqlEditorHandle {
  /** Returns the text, also before the editor loses the focus. */
  read: () => string | undefined;
  /** Inserts a snippet with placeholders at the cursor. */
  insert: (snippet: string) => void;
}

/** The part of Monaco that inserts snippets. Its types lack it. */
interface SnippetController {
  insert: (snippet: string) => void;
}

/** A code editor with completion, hovers, signatures and marked mistakes. */
export const SqlEditor = forwardRef(function SqlEditor(
  { sql, schema, getValues, error, onRun }: Props,
  ref: Ref<SqlEditorHandle>
) {
  const [mounted, setMounted] = useState<{ editor: MonacoEditor; monaco: Monaco }>();

  // Monaco keeps the first action, so the action reads the latest callback from a ref.
  const latestRun = useRef(onRun);
  useEffect(() => {
    latestRun.current = onRun;
  });

  useEffect(() => {
    if (!mounted || !schema) {
      return;
    }
    const providers = registerProviders(mounted.monaco, mounted.editor, schema, getValues);
    return () => providers.dispose();
  }, [mounted, schema, getValues]);

  useEffect(() => {
    if (mounted) {
      markMistake(mounted.monaco, mounted.editor, parseMistake(error));
    }
  }, [mounted, error, sql]);

  useImperativeHandle(
    ref,
    () => ({
      read: () => mounted?.editor.getValue(),
      insert: (snippet) => {
        mounted?.editor.focus();
        const controller = mounted?.editor.getContribution('snippetController2');
        (controller as unknown as SnippetController | undefined)?.insert(snippet);
      },
    }),
    [mounted]
  );

  const onMount = (editor: MonacoEditor, monaco: Monaco) => {
    editor.addAction({
      id: 'oura-run-query',
      label: 'Run query',
      keybindings: [monaco.KeyMod.CtrlCmd | monaco.KeyCode.Enter],
      run: () => latestRun.current(editor.getValue()),
    });
    setMounted({ editor, monaco });
  };

  return (
    <CodeEditor
      language="sql"
      value={sql}
      height={160}
      showLineNumbers
      showMiniMap={false}
      monacoOptions={{
        ariaLabel: 'SQL',
        scrollBeyondLastLine: false,
        fixedOverflowWidgets: true,
        padding: { top: 6, bottom: 6 },
      }}
      onBlur={(text) => {
        if (text !== sql) {
          onRun(text);
        }
      }}
      onEditorDidMount={onMount}
    />
  );
});
