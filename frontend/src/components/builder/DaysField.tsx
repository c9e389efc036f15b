import { Combobox, Field, Icon, Label, Stack, Tooltip } from '@grafana/ui';
import React from 'react';

interface Props {
  id: string;
  label: string;
  tooltip?: string;
  /** Beside 0, which is none, and what is chosen already. */
  offered: number[];
  isSigned?: boolean;
  value: number;
  onChange: (days: number) => void;
}

/** A number of days: one of those offered, or another that is typed. */
export function DaysField({
  id,
  label,
  tooltip,
  offered,
  isSigned = false,
  value,
  onChange,
}: Props) {
  const numbers = Array.from(new Set([0, ...offered, value])).sort((a, b) => a - b);
  const options = numbers.map((days) => ({ value: String(days), label: inWords(days, isSigned) }));

  const choose = (text: string) => {
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
            {tooltip && (
              <Tooltip content={tooltip}>
                <Icon name="info-circle" size="sm" />
              </Tooltip>
            )}
          </Stack>
        </Label>
      }
      noMargin
    >
      <Combobox
        id={id}
        data-testid={id}
        width={18}
        options={options}
        value={String(value)}
        createCustomValue
        customValueDescription="days"
        onChange={({ value }) => choose(value)}
      />
    </Field>
  );
}

function inWords(days: number, isSigned: boolean): string {
  if (days === 0) {
    return 'None';
  }
  const count = Math.abs(days);
  const length = `${count} day${count === 1 ? '' : 's'}`;
  return isSigned ? `${length} ${days > 0 ? 'later' : 'earlier'}` : length;
}
