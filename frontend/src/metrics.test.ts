import { SCHEMA } from './components/fixtures';
import { metricGroup } from './metricGroups';
import { listMetricOptions } from './metrics';

const metric = (name: string, title: string) => ({
  name,
  title,
  table: name.split('.')[0],
  unit: null,
  description: title,
});

it.each([
  ['nights.average_hrv', 'Sleep'],
  ['days.readiness_score', 'Readiness'],
  ['days.steps', 'Activity'],
  ['heartrate.bpm', 'Heart'],
  ['days.stress_high', 'Stress'],
  ['days.temperature_deviation', 'Body'],
  ['workout.calories', 'Workouts'],
  ['enhanced_tag.duration', 'Tags'],
  ['days.tags', 'Tags'],
  ['nights.readiness_score', 'Readiness'],
  ['ring_battery_level.level', 'Ring'],
  ['something.new', 'Other'],
])('the metric %s belongs to %s', (name, group) => expect(metricGroup(name)).toBe(group));

describe('listMetricOptions', () => {
  it('begins each group with the scores of days, which have their titles alone', () => {
    const metrics = [
      metric('nights.readiness_score', 'Readiness score'),
      metric('nights.latency', 'Time to fall asleep'),
      metric('daily_sleep.score', 'Sleep score'),
      metric('days.readiness_score', 'Readiness score'),
      metric('days.sleep_score', 'Sleep score'),
    ];
    expect(listMetricOptions({ ...SCHEMA, metrics }).map(({ label }) => label)).toEqual([
      'Sleep score',
      'Time to fall asleep',
      'Sleep score · daily_sleep.score',
      'Readiness score',
      'Readiness score · nights.readiness_score',
    ]);
  });

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
