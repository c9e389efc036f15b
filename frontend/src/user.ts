import { config } from '@grafana/runtime';

/** The roles that read only. The backend rejects their changes, too. */
const READERS = ['Viewer', 'Editor', 'None'];

/** Returns whether the user may connect, sync and change settings. */
export function isAdmin(): boolean {
  const role: string | undefined = config.bootData?.user?.orgRole;
  return !READERS.includes(role ?? '');
}
