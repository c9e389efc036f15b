import { Button, Modal } from '@grafana/ui';
import React, { type ReactNode } from 'react';

interface Props {
  title: string;
  isOpen: boolean;
  /** The button that confirms. */
  answer: string;
  onConfirm: () => void;
  /** After either answer. */
  onClose: () => void;
  children: ReactNode;
}

/**
 * Asks before something is lost. Not a ConfirmModal: that is a form, and submitting it would submit the settings page around
 * it too.
 */
export function ConfirmDialog({ title, isOpen, answer, onConfirm, onClose, children }: Props) {
  return (
    <Modal title={title} isOpen={isOpen} onDismiss={onClose}>
      <p>{children}</p>
      <Modal.ButtonRow>
        <Button variant="secondary" fill="outline" onClick={onClose}>
          Cancel
        </Button>
        <Button
          variant="destructive"
          onClick={() => {
            onClose();
            onConfirm();
          }}
        >
          {answer}
        </Button>
      </Modal.ButtonRow>
    </Modal>
  );
}
