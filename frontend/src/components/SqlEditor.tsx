import { CodeEditor, type Monaco, type MonacoEditor } from '@grafana/ui';
import React, { useEffect, useRef, useState } from 'react';

import { registerCompletion } from '../completion';
import type { Schema } from '../types';

interface Props {
  sql: string;
  schema?: Schema;
  /** Called with the text on Ctrl/Cmd + Enter, and when a changed editor loses the focus. */
  onRun: (sql: string) => void;
}

/** A code editor with completion for the schema. */
export function SqlEditor({ sql, schema, onRun }: Props) {
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
    const completion = registerCompletion(mounted.monaco, mounted.editor, schema);
    return () => completion.dispose();
  }, [mounted, schema]);

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
}
