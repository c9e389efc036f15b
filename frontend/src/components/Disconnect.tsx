import { Button, Modal } from '@grafana/ui';
import React, { useState } from 'react';

import { selectors } from './selectors';

interface Props {
  disabled: boolean;
  onConfirm: () => void;
}

/** Asks before it disconnects. Not a ConfirmModal: that is a form, and submitting it would submit the settings page around it too. */
export function Disconnect({ disabled, onConfirm }: Props) {
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
      <Modal title="Disconnect from Oura" isOpen={asking} onDismiss={() => setAsking(false)}>
        <p>
          Nothing new is fetched until somebody connects again. What has been stored stays and can still be queried.
        </p>
        <Modal.ButtonRow>
          <Button variant="secondary" fill="outline" onClick={() => setAsking(false)}>
            Cancel
          </Button>
          <Button
            variant="destructive"
            onClick={() => {
              setAsking(false);
              onConfirm();
            }}
          >
            Disconnect
          </Button>
        </Modal.ButtonRow>
      </Modal>
    </>
  );
}
