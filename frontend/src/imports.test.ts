/** Rules for the imports between source files. */
import { readFileSync, readdirSync } from 'fs';
import path from 'path';
import ts from 'typescript';

const FILES = readdirSync(__dirname, { recursive: true, encoding: 'utf8' }).filter(
  (file) => /\.tsx?$/.test(file) && !/\.test\.tsx?$/.test(file)
);

const IMPORTS = new Map(FILES.map((file) => [file, listImports(file)]));

/** Lists the imported source files, type imports included. */
function listImports(file: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(path.join(__dirname, file), 'utf8'));
  return importedFiles
    .filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => path.join(path.dirname(file), fileName))
    .flatMap((target) => FILES.filter((each) => each.replace(/\.tsx?$/, '') === target));
}

/** Returns the first import cycle that `file` is on, if any. */
function findCycle(file: string, visited: string[] = []): string[] | undefined {
  const start = visited.indexOf(file);
  if (start >= 0) {
    return [...visited.slice(start), file];
  }
  for (const target of IMPORTS.get(file) ?? []) {
    const cycle = findCycle(target, [...visited, file]);
    if (cycle) {
      return cycle;
    }
  }
  return undefined;
}

it('finds the imports of a file', () => {
  expect(IMPORTS.get('datasource.ts')).toEqual(expect.arrayContaining(['adhoc.ts', 'types.ts']));
});

it('finds no import cycle', () => {
  expect(FILES.map((file) => findCycle(file)).filter(Boolean)).toEqual([]);
});

it('only the entry points of the plugin import components', () => {
  const importers = FILES.filter(
    (file) =>
      !file.startsWith('components') &&
      IMPORTS.get(file)?.some((target) => target.startsWith('components'))
  );
  expect(importers.sort()).toEqual(['annotations.ts', 'module.ts', 'variables.ts']);
});
