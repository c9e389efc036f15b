import { LinkButton, Stack, Text } from '@grafana/ui';
import React from 'react';

import type { Connection } from '../hooks/useConnection';
import { formatBytes } from '../format';
import { getExportUrl } from '../navigation';
import { measure } from '../pageState';
import type { Status } from '../types';
import { ConfirmButton } from './ConfirmButton';
import { selectors } from './selectors';

interface Props {
  uid: string;
  status: Status;
  connection: Connection;
}

/** The place of the stored data: download, deletion, and the effect of Grafana's own *Delete*. */
export function StoredData({ uid, status, connection }: Props) {
  const { documents, firstDay } = measure(status);
  const { disk } = status;
  return (
    <Stack direction="column" gap={2} alignItems="flex-start">
      <Text color="secondary">
        {[
          `${documents.toLocaleString('en-US')} documents${firstDay ? ` since ${firstDay}` : ''}`,
          disk && `${formatBytes(disk.freeBytes)} free on the disk`,
        ]
          .filter(Boolean)
          .join(' · ')}
      </Text>
      <Text>
        The data is in the data folder of this plugin, on the server of Grafana. It stays there if
        you delete this data source in Grafana: syncs go on for up to 30 days. To erase data and
        login, select Delete stored data first.
      </Text>
      <Stack direction="row" gap={1} wrap="wrap">
        {connection.isAllowed && (
          <LinkButton
            data-testid={selectors.config.export}
            icon="download-alt"
            variant="secondary"
            href={getExportUrl(uid)}
            target="_blank"
            rel="noopener noreferrer"
          >
            Download SQLite file
          </LinkButton>
        )}
        <ConfirmButton
          action="Delete stored data"
          question="Delete the stored data?"
          wordToType="Delete"
          button={{
            'data-testid': selectors.config.deleteData,
            variant: 'destructive',
            fill: 'outline',
            disabled: connection.disabled,
          }}
          onConfirm={connection.deleteData}
        >
          This erases every stored document and the login at Oura. It can’t be undone. After you
          connect again, the history is fetched from Oura.
        </ConfirmButton>
      </Stack>
    </Stack>
  );
}
