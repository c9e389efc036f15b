/** Values from the backend as text for the interface. */
import { dateTime, dateTimeFormatTimeAgo, getValueFormat } from '@grafana/data';

import type { SchemaColumn } from './types';

export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `about 4 minutes left`. */
export function formatTimeLeft(seconds: number): string {
  if (seconds < 60) {
    return 'less than a minute left';
  }
  const minutes = Math.round(seconds / 60);
  return minutes < 90
    ? `about ${formatCount(minutes, 'minute')} left`
    : `about ${formatCount(Math.round(minutes / 60), 'hour')} left`;
}

/** `today`, or the age: `3 days ago`. */
export function formatDayOrAge(instant: string): string {
  return dateTime(instant).isSame(dateTime(), 'day') ? 'today' : dateTimeFormatTimeAgo(instant);
}

/** `integer, bpm`. */
export function formatTypeAndUnit({ type, unit }: Pick<SchemaColumn, 'type' | 'unit'>): string {
  return unit ? `${type}, ${formatUnit(unit)}` : type;
}

/** Removes `suffix:`, which Grafana uses for units without an id of their own: `suffix:bpm`. */
export function formatUnit(unit: string): string {
  return unit.replace(/^suffix: */, '');
}

/** `1.2 GiB`. */
export function formatBytes(bytes: number): string {
  const { text, suffix = '' } = getValueFormat('bytes')(bytes);
  return text + suffix;
}

/** `1 day`, `2 days`. */
export function formatCount(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
