import { Combobox, type ComboboxOption, IconButton, MultiCombobox, Stack } from '@grafana/ui';
import React, { useId } from 'react';

import { listVariableNames } from '../../interpolation';
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
  { value: 'not in', label: 'is not one of' },
  { value: 'like', label: 'like', description: '% matches any text' },
  { value: 'is null', label: 'is null' },
  { value: 'is not null', label: 'is not null' },
];

interface Props {
  filter: Filter;
  columns: Option[];
  getValues: (column: string) => Promise<string[]>;
  onChange: (filter: Filter) => void;
  onRemove: () => void;
}

/** One condition: a column, an operator and its values. */
export function FilterRow({ filter, columns, getValues, onChange, onRemove }: Props) {
  const { column, operator, value, values = [] } = filter;
  const id = useId();

  const loadOptions = async (search: string) => {
    const found = await getValues(column).catch(() => []);
    return [...found, ...listVariableNames()]
      .filter((text) => text.includes(search))
      .map((text) => ({ value: text, label: text }));
  };

  return (
    <Stack
      direction="row"
      gap={0.5}
      alignItems="center"
      wrap="wrap"
      data-testid={selectors.builder.filter}
    >
      {/* Grafana's Combobox ignores `aria-label`. */}
      <span id={`${id}-column`} hidden>
        Column
      </span>
      <span id={`${id}-operator`} hidden>
        Operator
      </span>
      <span id={`${id}-value`} hidden>
        Value
      </span>
      <Combobox
        data-testid={selectors.builder.filterColumn}
        aria-labelledby={`${id}-column`}
        width={32}
        options={columns}
        value={column}
        createCustomValue
        onChange={(chosen) => onChange({ column: chosen.value, operator })}
      />
      <Combobox
        data-testid={selectors.builder.filterOperator}
        aria-labelledby={`${id}-operator`}
        width={16}
        options={OPERATORS}
        value={operator}
        onChange={(chosen) => onChange(setOperator(filter, chosen.value))}
      />
      {operandCount(operator) === 'one' && (
        <Combobox
          key={column}
          data-testid={selectors.builder.filterValue}
          aria-labelledby={`${id}-value`}
          width={32}
          placeholder="Select or enter a value"
          options={loadOptions}
          value={value === undefined ? null : String(value)}
          createCustomValue
          onChange={(chosen) => onChange({ ...filter, value: parseValue(chosen.value) })}
        />
      )}
      {operandCount(operator) === 'several' && (
        <MultiCombobox
          key={column}
          data-testid={selectors.builder.filterValue}
          aria-labelledby={`${id}-value`}
          width={32}
          placeholder="Select or enter values"
          options={loadOptions}
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
        tooltip="Remove filter"
        onClick={onRemove}
      />
    </Stack>
  );
}

/** Changes a filter's operator. Keeps the values that the new operator compares with. */
function setOperator({ column, value, values }: Filter, operator: FilterOperator): Filter {
  const previous = values ?? (value === undefined ? [] : [value]);
  switch (operandCount(operator)) {
    case 'none':
      return { column, operator };
    case 'one':
      // Without `value: undefined`: Explore can't store it in its URL and would reload forever.
      return previous.length > 0 ? { column, operator, value: previous[0] } : { column, operator };
    case 'several':
      return { column, operator, values: previous };
  }
}
