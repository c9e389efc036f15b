import type { DataFrame, PanelData } from '@grafana/data';
import { type TemplateSrv, setTemplateSrv } from '@grafana/runtime';
import { act, fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';

import type { EditorDataSource } from '../schemaSource';
import {
  DEFAULT_METRICS,
  DEFAULT_QUERY,
  DEFAULT_SQL,
  type Filter,
  type OuraQuery,
  type Schema,
} from '../types';
import { QueryEditor } from './QueryEditor';
import { SCHEMA } from './fixtures';
import { selectors } from './selectors';

jest.mock('@grafana/ui', () => ({
  ...jest.requireActual('@grafana/ui'),
  CodeEditor: ({ value, onBlur }: { value: string; onBlur: (text: string) => void }) => (
    <textarea
      aria-label="Statement"
      defaultValue={value}
      onBlur={(event) => onBlur(event.currentTarget.value)}
    />
  ),
}));

beforeAll(() =>
  setTemplateSrv({ getVariables: () => [{ name: 'metric' }] } as unknown as TemplateSrv)
);

async function open(
  query: Partial<OuraQuery> = {},
  frame: Partial<DataFrame> = {},
  schema = Promise.resolve(SCHEMA)
) {
  const onChange = jest.fn();
  const onRunQuery = jest.fn();
  const getValues = jest.fn(() => Promise.resolve(['awake', 'sleep']));
  const datasource = { getSchema: () => schema, getValues } as unknown as EditorDataSource;
  const data = {
    series: [{ refId: 'A', fields: [], length: 0, ...frame }],
  } as unknown as PanelData;

  function Panel() {
    const [current, setCurrent] = useState({ refId: 'A', ...query } as OuraQuery);
    onChange.mockImplementation(setCurrent);
    return (
      <QueryEditor
        datasource={datasource}
        query={current}
        data={data}
        onChange={onChange}
        onRunQuery={onRunQuery}
      />
    );
  }
  await act(async () => {
    render(<Panel />);
  });
  return {
    onChange,
    onRunQuery,
    getValues,
    changed: () => onChange.mock.lastCall?.[0] as OuraQuery,
  };
}

function editSql(sql: string) {
  const editor = screen.getByLabelText('Statement');
  fireEvent.change(editor, { target: { value: sql } });
  fireEvent.blur(editor);
}

const SQL: Partial<OuraQuery> = { ...DEFAULT_SQL, queryType: 'sql' };
const METRICS: Partial<OuraQuery> = {
  ...DEFAULT_METRICS,
  queryType: 'metrics',
  metrics: ['nights.average_hrv'],
};

describe('SQL', () => {
  it('is the type of a query without a type', async () => {
    await open({ rawSql: 'SELECT 7' });
    expect(screen.getByRole('radio', { name: 'SQL' })).toBeChecked();
    expect(screen.getByDisplayValue('SELECT 7')).toBeInTheDocument();
  });

  it('runs when a changed editor loses the focus', async () => {
    const { onChange, onRunQuery } = await open(SQL);
    editSql('SELECT 1');

    expect(onChange).toHaveBeenCalledWith({ ...SQL, refId: 'A', rawSql: 'SELECT 1' });
    expect(onRunQuery).toHaveBeenCalledTimes(1);
  });

  it('does not run when an unchanged editor loses the focus', async () => {
    const { onRunQuery } = await open({ ...SQL, rawSql: 'SELECT 1' });
    editSql('SELECT 1');

    expect(onRunQuery).not.toHaveBeenCalled();
  });

  it('keeps text and parameters when the format changes', async () => {
    const { onChange, onRunQuery } = await open({ ...SQL, rawSql: 'SELECT ?1', params: [7] });
    await userEvent.click(screen.getByRole('radio', { name: 'Table' }));

    expect(onChange).toHaveBeenCalledWith({
      ...SQL,
      refId: 'A',
      rawSql: 'SELECT ?1',
      params: [7],
      format: 'table',
    });
    expect(onRunQuery).toHaveBeenCalledTimes(1);
  });

  it('offers downsampling for time series but not for tables', async () => {
    const { onChange, onRunQuery } = await open(SQL);
    await select(selectors.query.downsample, 'Off');
    expect(onChange).toHaveBeenCalledWith({ ...SQL, refId: 'A', downsample: 'off' });
    expect(onRunQuery).toHaveBeenCalledTimes(1);

    await open({ ...SQL, format: 'table' });
    expect(screen.getAllByTestId(selectors.query.downsample)).toHaveLength(1);
  });

  it('opens a schema reference that is searched by column', async () => {
    await open(SQL);
    await userEvent.click(await screen.findByTestId(selectors.query.reference));
    expect(screen.getByText('$__timeFilter(column)')).toBeInTheDocument();
    expect(screen.getByText('median(x)')).toBeInTheDocument();

    await userEvent.type(screen.getByLabelText('Search tables and columns'), 'hrv');
    expect(screen.getByText('nights')).toBeInTheDocument();
    await userEvent.type(screen.getByLabelText('Search tables and columns'), 'x');
    expect(screen.queryByText('nights')).not.toBeInTheDocument();
  });
});

describe('switching from SQL to the builder', () => {
  const switchToBuilder = () => userEvent.click(screen.getByRole('radio', { name: 'Builder' }));

  it('asks for confirmation if the SQL was edited', async () => {
    const { onChange, changed } = await open({ ...METRICS, ...SQL, rawSql: 'SELECT 7 AS mine' });
    await switchToBuilder();
    expect(onChange).not.toHaveBeenCalled();

    await userEvent.click(await screen.findByRole('button', { name: 'Switch to builder' }));
    expect(changed()).toMatchObject({ queryType: 'metrics', rawSql: 'SELECT 7 AS mine' });
  });

  it('keeps the SQL after Cancel', async () => {
    const { onChange } = await open({ ...SQL, rawSql: 'SELECT 7 AS mine' });
    await switchToBuilder();
    await userEvent.click(await screen.findByRole('button', { name: 'Cancel' }));

    expect(onChange).not.toHaveBeenCalled();
    expect(screen.queryByRole('dialog')).not.toBeInTheDocument();
  });

  it.each([undefined, '', DEFAULT_SQL.rawSql])(
    'does not ask for unedited SQL: %p',
    async (rawSql) => {
      const { changed } = await open({ ...METRICS, queryType: 'sql', rawSql });
      await switchToBuilder();

      expect(changed().queryType).toBe('metrics');
    }
  );

  it('does not ask for SQL that the builder generated', async () => {
    const { changed } = await open(METRICS, {
      meta: { custom: { rawSql: 'SELECT time, average_hrv FROM nights' } },
    });
    await userEvent.click(screen.getByRole('radio', { name: 'SQL' }));
    await switchToBuilder();

    expect(changed().queryType).toBe('metrics');
  });
});

describe('the builder', () => {
  it('opens a new query with default metrics', async () => {
    const { changed, onRunQuery } = await open();
    expect(screen.getByRole('radio', { name: 'Builder' })).toBeChecked();
    expect(changed()).toMatchObject({ refId: 'A', ...DEFAULT_QUERY });
    expect(onRunQuery).toHaveBeenCalledTimes(1);
    expect(screen.getByText('days.sleep_score')).toBeInTheDocument();
  });

  it.each([
    ['loads', () => new Promise<Schema>(() => {})],
    ['is unavailable', () => Promise.reject(new Error('no plugin'))],
  ])('shows the selection and no spinner while the schema %s', async (_, schema) => {
    await open(METRICS, {}, schema());

    expect(screen.getByText('nights.average_hrv')).toBeInTheDocument();
    expect(screen.queryByTestId('spinner')).not.toBeInTheDocument();
  });

  it('offers metrics with description and unit', async () => {
    const { changed, onRunQuery } = await open(METRICS);
    await userEvent.click(screen.getByTestId(selectors.builder.metrics));
    expect(
      await screen.findByText('nights.efficiency · percent · Time asleep of time in bed')
    ).toBeInTheDocument();

    await userEvent.click(screen.getByText('Heart rate'));
    expect(changed().metrics).toEqual(['nights.average_hrv', 'heartrate.bpm']);
    expect(onRunQuery).toHaveBeenCalledTimes(1);
  });

  it("offers the dashboard's variables", async () => {
    const { changed } = await open(METRICS);
    await select(selectors.builder.metrics, '\\$metric');

    expect(changed().metrics).toEqual(['nights.average_hrv', '$metric']);
  });

  it.each(['every', 'movingAverage', 'baseline', 'shift'] as const)(
    "offers the dashboard's variables for %s",
    async (name) => {
      const { changed } = await open(METRICS);
      await select(selectors.builder[name], '\\$metric');

      expect(changed()[name]).toBe('$metric');
    }
  );

  it.each(['hrv', 'AVERAGE_HRV', 'asleep variability', 'ms'])(
    'finds a metric by its texts: %s',
    async (search) => {
      await open({ ...METRICS, metrics: [] });
      await userEvent.type(screen.getByTestId(selectors.builder.metrics), search);
      expect(await screen.findByRole('option', { name: /HRV/ })).toBeInTheDocument();
      expect(screen.queryByRole('option', { name: /Heart rate$/ })).not.toBeInTheDocument();
    }
  );

  it('previews its SQL', async () => {
    await open(METRICS, { meta: { custom: { rawSql: 'SELECT average_hrv' } } });
    expect(screen.getByTestId(selectors.builder.preview)).toHaveTextContent('SELECT average_hrv');
  });

  it("keeps a metric's own options", async () => {
    const lastWeek = { name: 'nights.average_hrv', shift: 7 };
    const { changed } = await open({ ...METRICS, metrics: [lastWeek] });
    await userEvent.click(screen.getByTestId(selectors.builder.metrics));
    await userEvent.click(await screen.findByText('Heart rate'));

    expect(changed().metrics).toEqual([lastWeek, 'heartrate.bpm']);
  });

  it.each([
    [selectors.builder.aggregate, 'Median', { aggregate: 'median' }],
    [selectors.builder.every, 'Week', { every: 'week' }],
    [selectors.builder.movingAverage, '7 days', { movingAverage: 7 }],
    [selectors.builder.baseline, '60 days', { baseline: 60 }],
    [selectors.builder.shift, '28 days later', { shift: 28 }],
    [selectors.builder.shift, '\\$metric', { shift: '$metric' }],
    [selectors.builder.downsample, 'LTTB', { downsample: 'lttb' }],
  ])('changes one property at a time: %s', async (selector, option, part) => {
    const { onChange } = await open(METRICS);
    await select(selector, option);

    expect(onChange).toHaveBeenCalledTimes(1);
    expect(onChange).toHaveBeenCalledWith({ refId: 'A', ...METRICS, ...part });
  });

  it('disables aggregation for raw values', async () => {
    await open({ ...METRICS, every: 'raw' });
    expect(screen.getByTestId(selectors.builder.aggregate)).toBeDisabled();
  });

  it('switches to the SQL that the backend generated', async () => {
    const custom = { rawSql: 'SELECT time, average_hrv FROM nights', params: ['x'] };
    const { changed } = await open({ ...METRICS, rawSql: 'SELECT 1' }, { meta: { custom } });
    await userEvent.click(screen.getByRole('radio', { name: 'SQL' }));

    expect(changed()).toEqual({
      refId: 'A',
      ...METRICS,
      ...custom,
      queryType: 'sql',
      format: 'time_series',
    });
  });

  it('switches to the previous SQL without a response', async () => {
    const { changed } = await open({ ...METRICS, rawSql: 'SELECT 1' });
    await userEvent.click(screen.getByRole('radio', { name: 'SQL' }));

    expect(changed()).toEqual({ refId: 'A', ...METRICS, rawSql: 'SELECT 1', queryType: 'sql' });
  });
});

describe('a filter', () => {
  const filtered = (filter: Filter) => ({
    ...METRICS,
    metrics: ['heartrate.bpm'],
    filters: [filter],
  });

  it('starts with a column of the selected metrics', async () => {
    const { changed } = await open({ ...METRICS, metrics: ['heartrate.bpm'] });
    await screen.findByText('Heart rate');
    await userEvent.click(screen.getByTestId(selectors.builder.addFilter));

    expect(changed().filters).toEqual([{ column: 'source', operator: 'is not null' }]);
  });

  it("offers the column's values", async () => {
    const { changed, getValues } = await open(filtered({ column: 'source', operator: '=' }));
    await screen.findByTestId(selectors.builder.filter);
    await select(selectors.builder.filterValue, 'awake');

    expect(getValues).toHaveBeenCalledWith('heartrate', 'source');
    expect(changed().filters).toEqual([{ column: 'source', operator: '=', value: 'awake' }]);
  });

  it("offers the dashboard's variables as values", async () => {
    const { changed } = await open(filtered({ column: 'source', operator: '=' }));
    await select(selectors.builder.filterValue, '\\$metric');

    expect(changed().filters?.[0].value).toBe('$metric');
  });

  it('keeps its value when the operator changes', async () => {
    const { changed } = await open(filtered({ column: 'source', operator: '=', value: 'awake' }));
    await select(selectors.builder.filterOperator, 'is one of');

    expect(changed().filters).toEqual([{ column: 'source', operator: 'in', values: ['awake'] }]);
  });

  it('stays without a value when the operator changes', async () => {
    const { changed } = await open(filtered({ column: 'source', operator: 'is null' }));
    await select(selectors.builder.filterOperator, '>$');

    expect(Object.keys(changed().filters![0])).toEqual(['column', 'operator']);
  });

  it('can be removed', async () => {
    const { changed } = await open(filtered({ column: 'source', operator: 'is null' }));
    await userEvent.click(screen.getByTestId(selectors.builder.removeFilter));

    expect(changed().filters).toEqual([]);
  });
});

async function select(selector: string, option: string) {
  await userEvent.click(screen.getByTestId(selector));
  await userEvent.click(await screen.findByRole('option', { name: new RegExp(`^${option}`) }));
}
