import { Alert } from '@grafana/ui';
import React from 'react';

import { ResourceError } from '../resources';

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

/** The backend's messages begin in lower case, to be joined with others. */
function sentence(message: string): string {
  return message.charAt(0).toUpperCase() + message.slice(1);
}
