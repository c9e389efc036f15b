import { css } from '@emotion/css';
import { Alert, Button } from '@grafana/ui';
import React, { useState } from 'react';

import type { Connection } from '../hooks/useConnection';
import { type Stage, listProblems } from '../pageState';
import type { Status } from '../types';
import { ConfirmDialog } from './ConfirmDialog';
import { selectors } from './selectors';

/** Characters of a text that can need scrolling on a phone. */
const LONG = 300;

interface Props {
  status: Status;
  stage?: Stage;
  connection: Connection;
}

/** The problems of a data source with their remedies, or nothing. */
export function Problems({ status, stage, connection }: Props) {
  const [isOpen, setOpen] = useState(false);
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
      {stage === 'damaged' && (
        <div>
          <Button
            data-testid={selectors.config.repair}
            disabled={connection.busy}
            onClick={() => setOpen(true)}
          >
            Repair
          </Button>
          <ConfirmDialog
            title="Repair the database?"
            isOpen={isOpen}
            confirmText="Repair"
            onConfirm={connection.repair}
            onClose={() => setOpen(false)}
          >
            The damaged file is renamed and stays in the data folder. The next sync fetches
            everything again.
          </ConfirmDialog>
        </div>
      )}
    </div>
  );
}

/** Names and reasons can be long, and without a space. */
const styles = { problems: css({ overflowWrap: 'anywhere' }) };
