import { Alert } from '@grafana/ui';
import React from 'react';

import { capitalize } from '../format';
import { ResourceError } from '../resources';

/** An error with the backend's hint, or nothing without an error. */
export function ErrorAlert({ error }: { error?: Error }) {
  if (!error) {
    return null;
  }
  return (
    <Alert severity="error" title={capitalize(error.message)}>
      {error instanceof ResourceError ? error.hint : undefined}
    </Alert>
  );
}
