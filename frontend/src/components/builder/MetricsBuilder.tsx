import { Combobox, type ComboboxOption, Field, MultiCombobox, Stack } from '@grafana/ui';
import React, { useMemo } from 'react';

import { listVariableNames } from '../../interpolation';
import { choose, listMetricOptions, metricName } from '../../metrics';
import type { Aggregate, MetricsPart, Schema } from '../../types';
import { DownsampleSelect } from '../DownsampleSelect';
import { selectors } from '../selectors';
import { DaysField } from './DaysField';
import { FiltersField } from './FiltersField';

const AGGREGATES: Array<ComboboxOption<Aggregate>> = [
  { value: 'avg', label: 'Average' },
  { value: 'median', label: 'Median' },
  { value: 'min', label: 'Lowest' },
  { value: 'max', label: 'Highest' },
  { value: 'sum', label: 'Sum' },
  { value: 'count', label: 'Count' },
  { value: 'last', label: 'Last' },
  { value: 'p10', label: '10th percentile' },
  { value: 'p90', label: '90th percentile' },
];

const STEPS: ComboboxOption[] = [
  {
    value: 'auto',
    label: 'Auto',
    description: 'The panel’s interval; days for what comes by the day',
  },
  { value: 'raw', label: 'Raw', description: 'Every value as it is' },
  { value: '5m', label: '5 minutes' },
  { value: '1h', label: 'Hour' },
  { value: 'day', label: 'Day', description: 'Calendar days of the data source’s time zone' },
  { value: 'week', label: 'Week', description: 'From Monday' },
  { value: 'month', label: 'Month' },
  { value: 'year', label: 'Year' },
];

interface Props {
  query: MetricsPart;
  schema?: Schema;
  /** The values that a column of a table holds. */
  getValues: (table: string, column: string) => Promise<string[]>;
  onChange: (part: Partial<MetricsPart>) => void;
}

/** Which metrics, over which steps, of which rows, with which windows beside them. */
export function MetricsBuilder({ query, schema, getValues, onChange }: Props) {
  const metrics = useMemo(
    () => (schema ? [...listMetricOptions(schema), ...variableOptions()] : []),
    [schema]
  );

  return (
    <Stack direction="column" gap={1}>
      <Field label="Metrics" htmlFor={selectors.builder.metrics} noMargin>
        <MultiCombobox
          id={selectors.builder.metrics}
          data-testid={selectors.builder.metrics}
          placeholder="Search by name or description"
          options={metrics}
          value={query.metrics.map(metricName)}
          onChange={(chosen) =>
            onChange({
              metrics: choose(
                query.metrics,
                chosen.map(({ value }) => value)
              ),
            })
          }
        />
      </Field>
      <Stack direction="row" gap={1} wrap="wrap">
        <Field label="Aggregate" htmlFor={selectors.builder.aggregate} noMargin>
          <Combobox
            id={selectors.builder.aggregate}
            data-testid={selectors.builder.aggregate}
            width={22}
            options={AGGREGATES}
            value={query.aggregate}
            disabled={query.every === 'raw'}
            onChange={({ value }) => onChange({ aggregate: value })}
          />
        </Field>
        <Field label="Every" htmlFor={selectors.builder.every} noMargin>
          <Combobox
            id={selectors.builder.every}
            data-testid={selectors.builder.every}
            width={22}
            options={STEPS}
            value={query.every}
            createCustomValue
            onChange={({ value }) => onChange({ every: value })}
          />
        </Field>
        <DaysField
          label="Moving average"
          id={selectors.builder.movingAverage}
          offered={[7, 14, 30]}
          value={query.movingAverage}
          onChange={(movingAverage) => onChange({ movingAverage })}
        />
        <DaysField
          label="Baseline"
          tooltip="The median of the days before, and its band: the median absolute deviation around it."
          id={selectors.builder.baseline}
          offered={[14, 30, 60, 90]}
          value={query.baseline}
          onChange={(baseline) => onChange({ baseline })}
        />
        <DaysField
          label="Shift"
          tooltip="Draws the values later, to compare with another week or year; a negative number draws them earlier."
          id={selectors.builder.shift}
          offered={[1, 7, 28, 364]}
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
      </Stack>
      <FiltersField
        filters={query.filters}
        metrics={query.metrics}
        schema={schema}
        getValues={getValues}
        onChange={(filters) => onChange({ filters })}
      />
    </Stack>
  );
}

/** The dashboard's variables: one may hold the name of a metric, or several. */
function variableOptions(): ComboboxOption[] {
  return listVariableNames().map((name) => ({ value: name, label: name, group: 'variables' }));
}
