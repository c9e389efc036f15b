import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import {
  Combobox,
  type ComboboxOption,
  Field,
  MultiCombobox,
  Stack,
  useStyles2,
} from '@grafana/ui';
import React, { useMemo } from 'react';

import { listVariableNames } from '../../interpolation';
import {
  type Option,
  listMetricOptions,
  metricName,
  searchOptions,
  selectMetrics,
} from '../../metrics';
import type { Aggregate, MetricsPart, Schema } from '../../types';
import { DownsampleSelect } from '../DownsampleSelect';
import { selectors } from '../selectors';
import { DaysField } from './DaysField';
import { FiltersField } from './FiltersField';

const AGGREGATES: Array<ComboboxOption<Aggregate>> = [
  { value: 'avg', label: 'Average' },
  { value: 'median', label: 'Median' },
  { value: 'min', label: 'Minimum' },
  { value: 'max', label: 'Maximum' },
  { value: 'sum', label: 'Sum' },
  { value: 'count', label: 'Count' },
  { value: 'last', label: 'Last' },
  { value: 'p10', label: '10th percentile' },
  { value: 'p90', label: '90th percentile' },
];

const INTERVALS: ComboboxOption[] = [
  {
    value: 'auto',
    label: 'Auto',
    description: 'The panel’s interval, or days for daily metrics',
  },
  { value: 'raw', label: 'Raw', description: 'Every stored value, not aggregated' },
  { value: '5m', label: '5 minutes' },
  { value: '1h', label: 'Hour' },
  { value: 'day', label: 'Day', description: 'Calendar days in the data source’s time zone' },
  { value: 'week', label: 'Week', description: 'Starts on Monday' },
  { value: 'month', label: 'Month' },
  { value: 'year', label: 'Year' },
];

interface Props {
  query: MetricsPart;
  schema?: Schema;
  /** The SQL that the backend generated for the query. */
  sql?: string;
  /** Returns the distinct values of a column. */
  getValues: (table: string, column: string) => Promise<string[]>;
  onChange: (part: Partial<MetricsPart>) => void;
}

/** A metrics query: metrics, aggregation, moving windows and filters. */
export function MetricsBuilder({ query, schema, sql, getValues, onChange }: Props) {
  const styles = useStyles2(getStyles);
  const options = useMemo(
    () => (schema ? [...listMetricOptions(schema), ...listVariableOptions()] : []),
    [schema]
  );

  return (
    <Stack direction="column" gap={1}>
      <Field label="Metrics" htmlFor={selectors.builder.metrics} noMargin>
        <MultiCombobox
          id={selectors.builder.metrics}
          data-testid={selectors.builder.metrics}
          placeholder="Search by name or description"
          options={async (search) => searchOptions(options, search)}
          value={query.metrics.map((metric) => toOption(metricName(metric), options))}
          onChange={(selected) => {
            const names = selected.map(({ value }) => value);
            onChange({ metrics: selectMetrics(query.metrics, names) });
          }}
        />
      </Field>
      <div className={styles.container}>
        <div className={styles.controls}>
          <Field label="Aggregate" htmlFor={selectors.builder.aggregate} noMargin>
            <Combobox
              id={selectors.builder.aggregate}
              data-testid={selectors.builder.aggregate}
              options={AGGREGATES}
              value={query.aggregate}
              disabled={query.every === 'raw'}
              onChange={({ value }) => onChange({ aggregate: value })}
            />
          </Field>
          <Field label="Interval" htmlFor={selectors.builder.every} noMargin>
            <Combobox
              id={selectors.builder.every}
              data-testid={selectors.builder.every}
              options={[...INTERVALS, ...listVariableOptions()]}
              value={query.every}
              createCustomValue
              onChange={({ value }) => onChange({ every: value })}
            />
          </Field>
          <DaysField
            label="Moving average"
            tooltip="Averages each value with those of the days before it."
            id={selectors.builder.movingAverage}
            suggested={[7, 14, 30]}
            value={query.movingAverage}
            onChange={(movingAverage) => onChange({ movingAverage })}
          />
          <DaysField
            label="Baseline"
            tooltip={
              'Median of the previous days, ' +
              'with a band of 1.4826 times the median absolute deviation above and below.'
            }
            id={selectors.builder.baseline}
            suggested={[14, 30, 60, 90]}
            value={query.baseline}
            onChange={(baseline) => onChange({ baseline })}
          />
          <DaysField
            label="Shift"
            tooltip={
              'Moves values later, to compare with another week or year. ' +
              'A negative number moves them earlier.'
            }
            id={selectors.builder.shift}
            suggested={[1, 7, 28, 364]}
            isSigned
            value={query.shift}
            onChange={(shift) => onChange({ shift })}
          />
          <Field label="Downsample" htmlFor={selectors.builder.downsample} noMargin>
            <DownsampleSelect
              id={selectors.builder.downsample}
              value={query.downsample}
              onChange={(downsample) => onChange({ downsample })}
            />
          </Field>
        </div>
      </div>
      <FiltersField
        filters={query.filters}
        metrics={query.metrics}
        schema={schema}
        getValues={getValues}
        onChange={(filters) => onChange({ filters })}
      />
      {sql && (
        <details className={styles.preview}>
          <summary>Preview of the SQL</summary>
          <pre data-testid={selectors.builder.preview} tabIndex={0}>
            {sql}
          </pre>
        </details>
      )}
    </Stack>
  );
}

/** Returns the option of a metric. A name without an option stays visible as it is. */
function toOption(name: string, options: Option[]): Option {
  return options.find(({ value }) => value === name) ?? { value: name, label: name };
}

/** Lists the dashboard's variables. A variable can contain the names of metrics. */
function listVariableOptions(): Option[] {
  return listVariableNames().map((name) => ({ value: name, label: name, group: 'Variables' }));
}

const getStyles = (theme: GrafanaTheme2) => ({
  container: css({ containerType: 'inline-size', maxWidth: 900 }),
  // The six controls fill one, two or three rows, so that no control is alone in its row.
  controls: css({
    display: 'grid',
    gap: theme.spacing(1),
    gridTemplateColumns: 'repeat(6, minmax(0, 1fr))',
    '@container (max-width: 720px)': { gridTemplateColumns: 'repeat(3, minmax(0, 1fr))' },
    '@container (max-width: 390px)': { gridTemplateColumns: 'repeat(2, minmax(0, 1fr))' },
  }),
  preview: css({
    summary: { cursor: 'pointer', color: theme.colors.text.secondary },
    pre: { margin: theme.spacing(1, 0, 0), maxHeight: 240, whiteSpace: 'pre-wrap' },
  }),
});
