import { FieldType, toDataFrame } from '@grafana/data';

import { completeEvents } from './annotations';

const MISSING = [null, null, null];

function complete(fields: Record<string, unknown[]>) {
  const frame = toDataFrame({
    fields: Object.entries(fields).map(([name, values]) => ({
      name,
      type: /^(time|start)/i.test(name) ? FieldType.time : FieldType.string,
      values,
    })),
  });
  return Object.fromEntries(completeEvents(frame).fields.map(({ name, values }) => [name, values]));
}

describe('completeEvents', () => {
  it('ends a moment, and an event with an end before its start, at its start', () => {
    for (const [start, end] of [
      ['time', 'timeEnd'],
      ['started', 'TIMEEND'],
    ]) {
      const events = complete({ [start]: [10, 20, 30], [end]: [null, 25, 3] });
      expect(events[end]).toEqual([10, 25, 30]);
    }
  });

  it('replaces missing texts, so that the first event has all fields', () => {
    const events = complete({ time: [10, 20, 30], text: [null, 'walk', null], tags: MISSING });
    expect(events.text).toEqual(['', 'walk', '']);
    expect(events.tags).toEqual(['', '', '']);
  });
});
