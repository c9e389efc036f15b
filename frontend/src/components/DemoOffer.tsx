import { Button, Stack, Text } from '@grafana/ui';
import React from 'react';

import type { Connection } from '../hooks/useConnection';
import type { Settings } from '../hooks/useSettings';
import { selectors } from './selectors';

interface Props {
  settings: Settings;
  connection: Connection;
}

/** Turns demo data on, as an alternative to the login, or off. */
export function DemoOffer({ settings, connection }: Props) {
  const isOn = Boolean(settings.jsonData.demo);
  return (
    <Stack direction="row" gap={1} alignItems="center" wrap="wrap">
      <Text color="secondary">
        {isOn
          ? 'This data source shows generated data. No requests are sent to Oura.'
          : 'No ring at hand?'}
      </Text>
      <Button
        data-testid={selectors.config.demo}
        size="sm"
        variant="secondary"
        disabled={settings.readOnly || connection.disabled}
        onClick={() => connection.setDemo(!isOn)}
      >
        {isOn ? 'Use your own ring' : 'Try it with demo data'}
      </Button>
    </Stack>
  );
}
