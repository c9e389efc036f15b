/** What the backend says, as people read it. */
import { dateTime, dateTimeFormatTimeAgo } from '@grafana/data';

/** The backend's messages begin in lower case, to be joined with others. */
export function sentence(message: string): string {
  return message.charAt(0).toUpperCase() + message.slice(1);
}

/** `about 4 minutes left`. */
export function timeLeft(seconds: number): string {
  if (seconds < 60) {
    return 'less than a minute left';
  }
  const minutes = Math.round(seconds / 60);
  return minutes < 90
    ? `about ${count(minutes, 'minute')} left`
    : `about ${count(Math.round(minutes / 60), 'hour')} left`;
}

/** `today`, or how long ago. */
export function whenSeen(instant: string): string {
  return dateTime(instant).isSame(dateTime(), 'day') ? 'today' : dateTimeFormatTimeAgo(instant);
}

function count(number: number, of: string): string {
  return `${number} ${of}${number === 1 ? '' : 's'}`;
}
