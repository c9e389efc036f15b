import { Alert } from '@grafana/ui';
import React from 'react';

import { ResourceError } from '../resources';
import { sentence } from '../words';

/** What went wrong, and what to do about it when the backend knows. */
export function Problem({ problem }: { problem?: Error }) {
  if (!problem) {
    return null;
  }
  return (
    <Alert severity="error" title={sentence(problem.message)}>
      {problem instanceof ResourceError ? problem.hint : undefined}
    </Alert>
  );
}
