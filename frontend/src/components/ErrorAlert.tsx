import { Alert } from '@grafana/ui';
import React from 'react';

import { ResourceError } from '../resources';
import { capitalize } from '../format';

/** What went wrong, and what to do about it when the backend knows. */
export function ErrorAlert({ problem }: { problem?: Error }) {
  if (!problem) {
    return null;
  }
  return (
    <Alert severity="error" title={capitalize(problem.message)}>
      {problem instanceof ResourceError ? problem.hint : undefined}
    </Alert>
  );
}
