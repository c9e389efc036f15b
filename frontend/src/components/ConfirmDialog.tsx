import { Button, Modal } from '@grafana/ui';
import React, { type ReactNode } from 'react';

interface Props {
  title: string;
  isOpen: boolean;
  confirmText: string;
  isConfirmDisabled?: boolean;
  onConfirm: () => void;
  /** Called for either button, before `onConfirm`, and when the dialog is dismissed. */
  onClose: () => void;
  children: ReactNode;
}

/**
 * Asks for confirmation of a destructive action. Grafana's ConfirmModal is a form: submitting it
 * would also submit the settings page around it.
 */
export function ConfirmDialog({
  title,
  isOpen,
  confirmText,
  isConfirmDisabled = false,
  onConfirm,
  onClose,
  children,
}: Props) {
  const confirm = () => {
    onClose();
    onConfirm();
  };

  return (
    <Modal title={title} isOpen={isOpen} onDismiss={onClose}>
      {children}
      <Modal.ButtonRow>
        <Button variant="secondary" fill="outline" onClick={onClose}>
          Cancel
        </Button>
        <Button variant="destructive" disabled={isConfirmDisabled} onClick={confirm}>
          {confirmText}
        </Button>
      </Modal.ButtonRow>
    </Modal>
  );
}
