import { SCHEMA } from './components/fixtures';
import { listMetricOptions } from './metrics';

const metric = (name: string, title: string) => ({
  name,
  title,
  table: name.split('.')[0],
  unit: null,
  description: title,
});

describe('listMetricOptions', () => {
  it('names each metric of a shared title, except the first', () => {
    const metrics = [
      metric('sleep.efficiency', 'Sleep efficiency'),
      metric('nights.efficiency', 'Sleep efficiency'),
      metric('nights.latency', 'Time to fall asleep'),
      metric('days.efficiency', 'sleep efficiency'),
    ];
    expect(listMetricOptions({ ...SCHEMA, metrics }).map(({ label }) => label)).toEqual([
      'Sleep efficiency',
      'Time to fall asleep',
      'Sleep efficiency · days.efficiency',
      'Sleep efficiency · sleep.efficiency',
    ]);
  });
});
