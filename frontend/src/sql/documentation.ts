/** Descriptions of the names in a statement, for hovers and for the signatures of calls. */
import { formatTypeAndUnit } from '../format';
import type { Schema } from '../types';
import { listColumns } from './completion';
import { findCall, tokenize, unquote } from './statement';

export interface Hover {
  start: number;
  end: number;
  /** Markdown. */
  text: string;
}

/** Describes the name at `offset`. */
export function describeAt(schema: Schema, sql: string, offset: number): Hover | undefined {
  const tokens = tokenize(sql);
  const index = tokens.findIndex(({ start, end }) => start <= offset && offset < end);
  const token = tokens[index];
  if (token?.kind !== 'word' && token?.kind !== 'macro') {
    return undefined;
  }
  const name = unquote(token.text).toLowerCase();
  const isQualified = tokens[index - 1]?.text === '.';
  const qualifier = isQualified ? unquote(tokens[index - 2]?.text ?? '') : undefined;
  const text = describe(schema, sql, name, qualifier, tokens[index + 1]?.text === '(');
  return text === undefined ? undefined : { start: token.start, end: token.end, text };
}

function describe(
  schema: Schema,
  sql: string,
  name: string,
  qualifier: string | undefined,
  isCall: boolean
): string | undefined {
  const callable = findCallable(schema, name);
  if (callable && (isCall || name.startsWith('$'))) {
    return `\`${callable.usage}\`\n\n${callable.description}`;
  }
  const column = listColumns(schema, sql, qualifier).find((each) => each.name === name);
  if (column) {
    const { description } = column;
    return `**${column.name}** (${formatTypeAndUnit(column)})${description ? `\n\n${description}` : ''}`;
  }
  const table = schema.tables.find((each) => each.name === name);
  return table && `**${table.name}**\n\n${table.description}`;
}

export interface Signature {
  label: string;
  description: string;
  parameters: string[];
  active: number;
}

/** Describes the call around `offset`. */
export function findSignature(schema: Schema, sql: string, offset: number): Signature | undefined {
  const call = findCall(sql, offset);
  const callable = call && findCallable(schema, call.name.toLowerCase());
  if (!callable) {
    return undefined;
  }
  const [, list = ''] = /\((.*)\)/.exec(callable.usage) ?? [];
  const parameters = list.split(',').map((name) => name.replaceAll(/[[\]]/g, '').trim());
  return {
    label: callable.usage,
    description: callable.description,
    parameters: parameters.filter(Boolean),
    active: Math.min(call.argument, parameters.length - 1),
  };
}

function findCallable({ macros, functions }: Schema, name: string) {
  return name.startsWith('$')
    ? macros.find((macro) => `$${macro.name}`.toLowerCase() === name)
    : functions.find((each) => each.name.toLowerCase() === name);
}
