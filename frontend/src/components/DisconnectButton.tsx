import { Button } from '@grafana/ui';
import React, { useState } from 'react';

import { ConfirmDialog } from './ConfirmDialog';
import { selectors } from './selectors';

interface Props {
  disabled: boolean;
  onConfirm: () => void;
}

/** Asks before it disconnects. */
export function DisconnectButton({ disabled, onConfirm }: Props) {
  const [asking, setAsking] = useState(false);

  return (
    <>
      <Button
        data-testid={selectors.config.disconnect}
        variant="destructive"
        fill="outline"
        disabled={disabled}
        onClick={() => setAsking(true)}
      >
        Disconnect
      </Button>
      <ConfirmDialog
        title="Disconnect from Oura"
        isOpen={asking}
        answer="Disconnect"
        onConfirm={onConfirm}
        onClose={() => setAsking(false)}
      >
        Nothing new is fetched until somebody connects again. What has been stored stays and can
        still be queried.
      </ConfirmDialog>
    </>
  );
}
