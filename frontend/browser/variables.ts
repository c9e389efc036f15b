/** The variables of the dashboard, of the host page and of the dashboards in Grafana. */

export interface Variable {
  name: string;
  multi?: boolean;
  value: string | string[];
}

/** One variable has several values, with a quote, to test the quoting. */
export const VARIABLES: Variable[] = [
  { name: 'activity', multi: true, value: ['walking', "Ann's run"] },
  { name: 'days', value: '7' },
  { name: 'step', value: 'week' },
  { name: 'metric', multi: true, value: ['days.steps', 'days.sleep_score'] },
];
