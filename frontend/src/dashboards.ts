/** The plugin's dashboards: import of missing ones, and the address of the first. */
import { getBackendSrv } from '@grafana/runtime';

import { PLUGIN_ID } from './types';

/** The uid of the dashboard to open first. */
const FIRST = 'oura-today';

/** A dashboard of the plugin, as `GET /api/plugins/<id>/dashboards` lists it. */
interface PluginDashboard {
  path: string;
  imported: boolean;
  removed?: boolean;
}

/**
 * Imports the dashboards that Grafana lacks. Returns the address of the first for a data source.
 * A dashboard with the same uid, for example a provisioned one, stays as it is.
 */
export async function importDashboards(uid: string): Promise<string> {
  const backend = getBackendSrv();
  const listed = await backend.get<PluginDashboard[]>(`/api/plugins/${PLUGIN_ID}/dashboards`);
  for (const { path, imported, removed } of listed) {
    if (!imported && !removed) {
      await importDashboard(path, uid);
    }
  }
  return `/d/${FIRST}?var-datasource=${encodeURIComponent(uid)}`;
}

async function importDashboard(path: string, uid: string): Promise<void> {
  const inputs = [{ name: '*', type: 'datasource', pluginId: PLUGIN_ID, value: uid }];
  try {
    await getBackendSrv().post(
      '/api/dashboards/import',
      { pluginId: PLUGIN_ID, path, overwrite: false, inputs },
      { showErrorAlert: false, showSuccessAlert: false }
    );
  } catch (error) {
    if (!isConflict(error)) {
      throw error;
    }
  }
}

/** Returns whether Grafana already has a dashboard with this uid or title. */
function isConflict(error: unknown): boolean {
  const status = (error as { status?: number } | undefined)?.status;
  return status === 409 || status === 412;
}
