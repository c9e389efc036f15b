/** The position and the remedy in an error message of the backend. */

export interface Mistake {
  message: string;
  /** Counts from 1. */
  line: number;
  /** Counts from 1, in characters. */
  column: number;
  /** The names that the message suggests. */
  suggestions: string[];
}

const POSITION = /(?:\(|at )line (\d+), column (\d+)\)?/;

/** Reads `Unknown column averge_hrv (line 1, column 12). Did you mean average_hrv?`. */
export function parseMistake(message: string | undefined): Mistake | undefined {
  const [, line, column] = POSITION.exec(message ?? '') ?? [];
  if (!message || !line) {
    return undefined;
  }
  const [, names = ''] = /Did you mean ([^?]+)\?/.exec(message) ?? [];
  return {
    message,
    line: Number(line),
    column: Number(column),
    suggestions: names.split(' or ').filter(Boolean),
  };
}

/** Finds the end of the word that a mistake begins with. Columns count from 1. */
export function findWordEnd(line: string, column: number): number {
  const [word = ' '] = /^(?:\$?[\p{L}\p{N}_]+|\S)/u.exec(line.slice(column - 1)) ?? [];
  return column + word.length;
}
