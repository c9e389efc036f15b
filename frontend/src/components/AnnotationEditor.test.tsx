import { act, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React from 'react';

import type { EditorDataSource } from '../schemaSource';
import type { OuraQuery } from '../types';
import { AnnotationEditor } from './AnnotationEditor';
import { SCHEMA } from './fixtures';
import { selectors } from './selectors';

jest.mock('@grafana/ui', () => ({
  ...jest.requireActual('@grafana/ui'),
  CodeEditor: ({ value }: { value: string }) => (
    <textarea aria-label="Statement" defaultValue={value} />
  ),
}));

async function open(query: Partial<OuraQuery>) {
  const onChange = jest.fn();
  const onRunQuery = jest.fn();
  const datasource = { getSchema: () => Promise.resolve(SCHEMA) } as unknown as EditorDataSource;
  await act(async () => {
    render(
      <AnnotationEditor
        datasource={datasource}
        query={{ refId: 'Anno', ...query }}
        onChange={onChange}
        onRunQuery={onRunQuery}
      />
    );
  });
  return { changed: () => onChange.mock.lastCall?.[0] as OuraQuery, onRunQuery };
}

describe('AnnotationEditor', () => {
  it('adds a selected event type', async () => {
    const { changed } = await open({ queryType: 'annotations', kinds: ['workouts'] });
    expect(screen.getByText('Workouts')).toBeInTheDocument();

    await userEvent.click(screen.getByTestId(selectors.annotation.kinds));
    await userEvent.click(await screen.findByRole('option', { name: /^Rest mode/ }));
    expect(changed().kinds).toEqual(['workouts', 'rest_mode']);
  });

  it('switches to SQL and keeps the event types', async () => {
    const { changed } = await open({ queryType: 'annotations', kinds: ['workouts'] });
    await userEvent.click(screen.getByRole('radio', { name: 'SQL' }));

    expect(changed()).toMatchObject({ queryType: 'sql', format: 'table', kinds: ['workouts'] });
    expect(changed().rawSql).toContain('AS timeEnd');
  });

  it('leaves the run of a changed query to Grafana', async () => {
    const { changed, onRunQuery } = await open({ queryType: 'sql', rawSql: 'SELECT 7' });
    await userEvent.click(screen.getByTestId(selectors.query.examples));
    await userEvent.click(await screen.findByRole('menuitem', { name: /^Workouts/ }));
    expect(changed().rawSql).toContain('workout');
    expect(onRunQuery).not.toHaveBeenCalled();

    await userEvent.click(screen.getByRole('radio', { name: 'Events' }));
    expect(changed().queryType).toBe('annotations');
    expect(onRunQuery).not.toHaveBeenCalled();
  });

  it('runs an unchanged query on request', async () => {
    const { onRunQuery } = await open({ queryType: 'sql', rawSql: 'SELECT 7' });
    await userEvent.click(screen.getByTestId(selectors.query.run));
    expect(onRunQuery).toHaveBeenCalledTimes(1);
  });

  it('shows a saved SQL query', async () => {
    await open({ queryType: 'sql', rawSql: 'SELECT 7' });
    expect(screen.getByDisplayValue('SELECT 7')).toBeInTheDocument();
  });
});
