import { type ComboboxOption, Field, MultiCombobox } from '@grafana/ui';
import React from 'react';

import { fieldStyles } from './fieldStyles';

interface Props {
  /** The element's id, also its test id. */
  id: string;
  label: string;
  description: string;
  placeholder: string;
  options: ComboboxOption[];
  /** The selected names. */
  value: string[];
  disabled?: boolean;
  onChange: (names: string[]) => void;
}

/** A selection of names. An empty one stands for all of them. */
export function NamesField({ id, label, description, onChange, ...list }: Props) {
  return (
    <Field
      className={fieldStyles.wide}
      label={label}
      description={description}
      htmlFor={id}
      noMargin
    >
      <MultiCombobox
        id={id}
        data-testid={id}
        isClearable
        onChange={(chosen) => onChange(chosen.map(({ value }) => value))}
        {...list}
      />
    </Field>
  );
}
