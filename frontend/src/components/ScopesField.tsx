import { Checkbox, Field, Grid } from '@grafana/ui';
import React from 'react';

import { SCOPES } from '../scopes';
import { selectors } from './selectors';

interface Props {
  /** Separated by spaces. Empty means all scopes. */
  scopes: string;
  disabled: boolean;
  onChange: (scopes: string) => void;
}

/** The permissions that a login requests, as checkboxes. */
export function ScopesField({ scopes, disabled, onChange }: Props) {
  const listed = new Set(scopes.split(/\s+/).filter(Boolean));
  const isRequested = (scope: string) => listed.size === 0 || listed.has(scope);

  const toggle = (toggled: string) => {
    const requested = SCOPES.map(({ scope }) => scope).filter(
      (scope) => isRequested(scope) !== (scope === toggled)
    );
    // The last scope stays: an empty list would request all of them.
    if (requested.length > 0) {
      onChange(requested.length === SCOPES.length ? '' : requested.join(' '));
    }
  };

  return (
    <Field
      label="Permissions to request"
      description="A change applies the next time you connect."
      noMargin
    >
      <Grid columns={2} gap={1} data-testid={selectors.config.scopes}>
        {SCOPES.map(({ scope, label }) => (
          <div key={scope}>
            <Checkbox
              label={label}
              description={scope}
              value={isRequested(scope)}
              disabled={disabled}
              onChange={() => toggle(scope)}
            />
          </div>
        ))}
      </Grid>
    </Field>
  );
}
