import { Button } from '@grafana/ui';
import React, { useState } from 'react';

import { ConfirmDialog } from './ConfirmDialog';
import { selectors } from './selectors';

interface Props {
  disabled: boolean;
  onConfirm: () => void;
}

/** A button that asks for confirmation before it disconnects. */
export function DisconnectButton({ disabled, onConfirm }: Props) {
  const [isOpen, setOpen] = useState(false);

  return (
    <>
      <Button
        data-testid={selectors.config.disconnect}
        variant="destructive"
        fill="outline"
        disabled={disabled}
        onClick={() => setOpen(true)}
      >
        Disconnect
      </Button>
      <ConfirmDialog
        title="Disconnect from Oura?"
        isOpen={isOpen}
        confirmText="Disconnect"
        onConfirm={onConfirm}
        onClose={() => setOpen(false)}
      >
        Syncing stops until you connect again. Existing data stays and can still be queried.
      </ConfirmDialog>
    </>
  );
}
