import { Button, Field, Stack } from '@grafana/ui';
import React from 'react';

import { findTable, listColumnOptions } from '../../metrics';
import type { Filter, Metric, Schema } from '../../types';
import { selectors } from '../selectors';
import { FilterRow } from './FilterRow';

interface Props {
  filters: Filter[];
  metrics: Metric[];
  schema?: Schema;
  getValues: (table: string, column: string) => Promise<string[]>;
  onChange: (filters: Filter[]) => void;
}

/** The conditions that a query's rows must all meet. */
export function FiltersField({ filters, metrics, schema, getValues, onChange }: Props) {
  const columns = schema ? listColumnOptions(schema, metrics) : [];
  const [first] = columns;

  const loadValues = async (column: string) => {
    const table = schema && findTable(schema, metrics, column);
    return table ? getValues(table, column) : [];
  };

  return (
    <Field label="Filters" noMargin>
      <Stack direction="column" gap={0.5} alignItems="flex-start">
        {filters.map((filter, index) => (
          <FilterRow
            key={index}
            filter={filter}
            columns={columns}
            getValues={loadValues}
            onChange={(changed) =>
              onChange(filters.map((each) => (each === filter ? changed : each)))
            }
            onRemove={() => onChange(filters.filter((each) => each !== filter))}
          />
        ))}
        <Button
          data-testid={selectors.builder.addFilter}
          size="sm"
          variant="secondary"
          icon="plus"
          disabled={!first}
          tooltip={first ? undefined : 'Select a metric first'}
          onClick={() => onChange([...filters, { column: first.value, operator: 'is not null' }])}
        >
          Add filter
        </Button>
      </Stack>
    </Field>
  );
}
