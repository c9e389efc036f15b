import { css } from '@emotion/css';
import { Alert } from '@grafana/ui';
import React from 'react';

import { listProblems } from '../pageState';
import type { Status } from '../types';

/** Characters of a text that can need scrolling on a phone. */
const LONG = 300;

/** The problems of a data source with their remedies, or nothing. */
export function Problems({ status }: { status: Status }) {
  const problems = listProblems(status);
  if (problems.length === 0) {
    return null;
  }
  return (
    <div className={styles.problems}>
      {problems.map(({ severity, title, details }) => (
        <Alert key={title} severity={severity} title={title}>
          {/* Grafana's alert scrolls a long text, and only a focusable text scrolls by keyboard. */}
          <div tabIndex={(details?.length ?? 0) > LONG ? 0 : undefined}>{details}</div>
        </Alert>
      ))}
    </div>
  );
}

/** Names and reasons can be long, and without a space. */
const styles = { problems: css({ overflowWrap: 'anywhere' }) };
