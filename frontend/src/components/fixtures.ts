import type { Schema } from '../types';

const plain = { unit: null, description: null };

/** A small schema for tests. */
export const SCHEMA: Schema = {
  specification: '1.43',
  timezone: 'UTC',
  series: [],
  macros: [
    {
      name: '__timeFilter',
      usage: '$__timeFilter(column)',
      description: 'restricts a time column to the range',
    },
  ],
  functions: [
    {
      name: 'median',
      usage: 'median(x)',
      description: 'median',
      example: 'SELECT median(score) FROM daily_sleep',
    },
  ],
  sqliteFunctions: ['coalesce'],
  metrics: [
    {
      name: 'nights.average_hrv',
      title: 'HRV',
      table: 'nights',
      unit: 'suffix: ms',
      description: 'Heart rate variability, asleep',
    },
    {
      name: 'nights.efficiency',
      title: 'Efficiency',
      table: 'nights',
      unit: 'percent',
      description: 'Time asleep of time in bed',
    },
    {
      name: 'heartrate.bpm',
      title: 'Heart rate',
      table: 'heartrate',
      unit: 'suffix: bpm',
      description: 'Heart rate',
    },
  ],
  annotations: [
    { name: 'workouts', description: 'Workouts, entered or detected' },
    { name: 'rest_mode', description: 'Periods in rest mode' },
  ],
  tables: [
    {
      name: 'nights',
      description: 'one row per night',
      columns: [
        { ...plain, name: 'average_hrv', type: 'integer', unit: 'suffix: ms' },
        { ...plain, name: 'efficiency', type: 'integer' },
        { ...plain, name: 'time', type: 'time' },
        { ...plain, name: 'document', type: 'integer' },
      ],
    },
    {
      name: 'heartrate',
      description: 'one row per reading',
      columns: [{ ...plain, name: 'source', type: 'string' }],
    },
  ],
};
