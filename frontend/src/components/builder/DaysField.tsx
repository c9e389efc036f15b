import { Combobox, Field, Icon, Label, Stack, Tooltip } from '@grafana/ui';
import React from 'react';

import { formatCount } from '../../format';
import { listVariableNames } from '../../interpolation';

interface Props {
  id: string;
  label: string;
  tooltip: string;
  /** Numbers to choose from, in addition to 0 and the current value. */
  suggested: number[];
  isSigned?: boolean;
  /** A number, or a dashboard variable in query form: `$compare`. */
  value: number | string;
  onChange: (days: number | string) => void;
}

/** A number of days: a suggested one, a typed one, or a dashboard variable. */
export function DaysField({
  id,
  label,
  tooltip,
  suggested,
  isSigned = false,
  value,
  onChange,
}: Props) {
  const current = typeof value === 'number' ? [value] : [];
  const numbers = Array.from(new Set([0, ...suggested, ...current])).sort((a, b) => a - b);
  const variables = new Set(listVariableNames());
  if (typeof value === 'string') {
    variables.add(value);
  }
  const options = [
    ...numbers.map((days) => ({ value: String(days), label: formatDays(days, isSigned) })),
    ...Array.from(variables, (name) => ({ value: name, label: name })),
  ];

  const select = (text: string) => {
    if (text.startsWith('$')) {
      onChange(text);
      return;
    }
    const days = Math.trunc(Number(text));
    if (Number.isFinite(days) && (isSigned || days >= 0)) {
      onChange(days);
    }
  };

  return (
    <Field
      label={
        <Label htmlFor={id}>
          <Stack gap={0.5} alignItems="center">
            {label}
            <Tooltip content={tooltip}>
              <Icon name="info-circle" size="sm" />
            </Tooltip>
          </Stack>
        </Label>
      }
      noMargin
    >
      <Combobox
        id={id}
        data-testid={id}
        options={options}
        value={String(value)}
        createCustomValue
        customValueDescription="days"
        onChange={({ value }) => select(value)}
      />
    </Field>
  );
}

function formatDays(days: number, isSigned: boolean): string {
  if (days === 0) {
    return 'None';
  }
  const length = formatCount(Math.abs(days), 'day');
  if (!isSigned) {
    return length;
  }
  return `${length} ${days > 0 ? 'later' : 'earlier'}`;
}
