import { Combobox, type ComboboxOption, IconButton, MultiCombobox, Stack } from '@grafana/ui';
import React from 'react';

import { type Option, operandCount, parseValue } from '../../metrics';
import type { Filter, FilterOperator } from '../../types';
import { selectors } from '../selectors';

const OPERATORS: Array<ComboboxOption<FilterOperator>> = [
  { value: '=', label: '=' },
  { value: '!=', label: '≠' },
  { value: '<', label: '<' },
  { value: '<=', label: '≤' },
  { value: '>', label: '>' },
  { value: '>=', label: '≥' },
  { value: 'in', label: 'is one of' },
  { value: 'not in', label: 'is none of' },
  { value: 'like', label: 'like', description: '% stands for any text' },
  { value: 'is null', label: 'is absent' },
  { value: 'is not null', label: 'is there' },
];

interface Props {
  filter: Filter;
  columns: Option[];
  getValues: (column: string) => Promise<string[]>;
  onChange: (filter: Filter) => void;
  onRemove: () => void;
}

/** One condition: a column, an operator, and what it compares with. */
export function FilterRow({ filter, columns, getValues, onChange, onRemove }: Props) {
  const { column, operator, value, values = [] } = filter;

  const options = async (search: string) => {
    const found = await getValues(column).catch(() => []);
    return found
      .filter((text) => text.includes(search))
      .map((text) => ({ value: text, label: text }));
  };

  return (
    <Stack direction="row" gap={0.5} alignItems="center" data-testid={selectors.builder.filter}>
      <Combobox
        data-testid={selectors.builder.filterColumn}
        aria-label="Column"
        width={32}
        options={columns}
        value={column}
        createCustomValue
        onChange={(chosen) => onChange({ column: chosen.value, operator })}
      />
      <Combobox
        data-testid={selectors.builder.filterOperator}
        width={16}
        options={OPERATORS}
        value={operator}
        onChange={(chosen) => onChange(withOperator(filter, chosen.value))}
      />
      {operandCount(operator) === 'one' && (
        <Combobox
          key={column}
          data-testid={selectors.builder.filterValue}
          width={32}
          placeholder="Value"
          options={options}
          value={value === undefined ? null : String(value)}
          createCustomValue
          onChange={(chosen) => onChange({ ...filter, value: parseValue(chosen.value) })}
        />
      )}
      {operandCount(operator) === 'several' && (
        <MultiCombobox
          key={column}
          data-testid={selectors.builder.filterValue}
          width={48}
          placeholder="Values"
          options={options}
          value={values.map((value) => ({ value: String(value), label: String(value) }))}
          createCustomValue
          onChange={(chosen) =>
            onChange({ ...filter, values: chosen.map(({ value }) => parseValue(value)) })
          }
        />
      )}
      <IconButton
        data-testid={selectors.builder.removeFilter}
        name="times"
        tooltip="Remove"
        onClick={onRemove}
      />
    </Stack>
  );
}

/** The value goes along where the new operator still compares with one. */
function withOperator({ column, value, values }: Filter, operator: FilterOperator): Filter {
  const kept = values ?? (value === undefined ? [] : [value]);
  switch (operandCount(operator)) {
    case 'none':
      return { column, operator };
    case 'one':
      // Explore never comes to rest over a key that is undefined: its address cannot hold one.
      return kept.length > 0 ? { column, operator, value: kept[0] } : { column, operator };
    case 'several':
      return { column, operator, values: kept };
  }
}
