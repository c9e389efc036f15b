import { css } from '@emotion/css';

/** Widths of fields. A fixed width would not fit a phone. */
export const fieldStyles = {
  medium: css({ width: '100%', maxWidth: 400 }),
  wide: css({ width: '100%', maxWidth: 640 }),
};
