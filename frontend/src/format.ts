/** What the backend says, as people read it. */
import { dateTime, dateTimeFormatTimeAgo } from '@grafana/data';

import type { SchemaColumn } from './types';

/** The backend's messages begin in lower case, to be joined with others. */
export function capitalize(message: string): string {
  return message.charAt(0).toUpperCase() + message.slice(1);
}

/** `about 4 minutes left`. */
export function formatTimeLeft(seconds: number): string {
  if (seconds < 60) {
    return 'less than a minute left';
  }
  const minutes = Math.round(seconds / 60);
  return minutes < 90
    ? `about ${count(minutes, 'minute')} left`
    : `about ${count(Math.round(minutes / 60), 'hour')} left`;
}

/** `today`, or how long ago. */
export function formatDayOrAge(instant: string): string {
  return dateTime(instant).isSame(dateTime(), 'day') ? 'today' : dateTimeFormatTimeAgo(instant);
}

/** `integer, bpm`. */
export function formatTypeAndUnit({ type, unit }: Pick<SchemaColumn, 'type' | 'unit'>): string {
  return unit ? `${type}, ${formatUnit(unit)}` : type;
}

/** `suffix:bpm` is Grafana's form for a unit that it has no id of its own for. */
export function formatUnit(unit: string): string {
  return unit.replace(/^suffix: */, '');
}

function count(number: number, of: string): string {
  return `${number} ${of}${number === 1 ? '' : 's'}`;
}
