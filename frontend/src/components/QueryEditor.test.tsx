import { fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React from 'react';

import type { OuraDataSource } from '../datasource';
import { DEFAULT_QUERY, type OuraQuery, type Schema } from '../types';
import { QueryEditor } from './QueryEditor';
import { selectors } from './selectors';

jest.mock('@grafana/ui', () => ({
  ...jest.requireActual('@grafana/ui'),
  CodeEditor: ({ value, onBlur }: { value: string; onBlur: (text: string) => void }) => (
    <textarea aria-label="SQL" defaultValue={value} onBlur={(event) => onBlur(event.currentTarget.value)} />
  ),
}));

const SCHEMA: Schema = {
  macros: [{ name: '__timeFilter', usage: '$__timeFilter(column)', description: 'keeps the instants in the range' }],
  tables: [
    {
      name: 'nights',
      description: 'one row per night',
      columns: [{ name: 'average_hrv', type: 'integer', unit: 'suffix: ms', description: null }],
    },
  ],
};

function open(query: Partial<OuraQuery> = {}) {
  const onChange = jest.fn();
  const onRunQuery = jest.fn();
  const datasource = { getSchema: () => Promise.resolve(SCHEMA) } as unknown as OuraDataSource;
  render(
    <QueryEditor
      datasource={datasource}
      query={{ refId: 'A', ...query } as OuraQuery}
      onChange={onChange}
      onRunQuery={onRunQuery}
    />
  );
  return { onChange, onRunQuery };
}

function leaveWith(sql: string) {
  const editor = screen.getByLabelText('SQL');
  fireEvent.change(editor, { target: { value: sql } });
  fireEvent.blur(editor);
}

describe('the query editor', () => {
  it('starts with a query that works', async () => {
    open();
    expect(await screen.findByDisplayValue(/FROM days/)).toBeInTheDocument();
    expect(screen.getByRole('radio', { name: 'Time series' })).toBeChecked();
  });

  it('runs the text that was written when it is left', async () => {
    const { onChange, onRunQuery } = open();
    leaveWith('SELECT 1');

    expect(onChange).toHaveBeenCalledWith({ ...DEFAULT_QUERY, refId: 'A', rawSql: 'SELECT 1' });
    expect(onRunQuery).toHaveBeenCalledTimes(1);
  });

  it('runs nothing when it is left as it was', async () => {
    const { onRunQuery } = open({ rawSql: 'SELECT 1' });
    leaveWith('SELECT 1');

    expect(onRunQuery).not.toHaveBeenCalled();
  });

  it('keeps text and parameters when the format changes', async () => {
    const { onChange, onRunQuery } = open({ rawSql: 'SELECT ?1', params: [7], format: 'time_series' });
    await userEvent.click(screen.getByRole('radio', { name: 'Table' }));

    expect(onChange).toHaveBeenCalledWith({
      refId: 'A',
      queryType: 'sql',
      rawSql: 'SELECT ?1',
      params: [7],
      format: 'table',
    });
    expect(onRunQuery).toHaveBeenCalledTimes(1);
  });

  it('shows tables and macros, and finds a table by its columns', async () => {
    open();
    await userEvent.click(await screen.findByTestId(selectors.query.reference));
    expect(screen.getByText('$__timeFilter(column)')).toBeInTheDocument();

    await userEvent.type(screen.getByLabelText('Search tables and columns'), 'hrv');
    expect(screen.getByText('nights')).toBeInTheDocument();
    await userEvent.type(screen.getByLabelText('Search tables and columns'), 'x');
    expect(screen.queryByText('nights')).not.toBeInTheDocument();
  });
});
