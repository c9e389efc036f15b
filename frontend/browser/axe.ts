/** Runs axe-core in a page. */
import type axe from 'axe-core';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

declare global {
  interface Window {
    axe: typeof axe;
  }
}

const SOURCE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The elements of the plugin. Grafana's own elements are around them. */
const MARKED = '[data-testid^="oura-"]';

/**
 * Lists the serious and critical violations of WCAG 2 A and AA, with the elements: of the whole
 * page, or only of the smallest element around the plugin's own ones and of dialogs.
 */
export async function findViolations(page: Page, onlyPlugin: boolean): Promise<string[]> {
  await page.evaluate(SOURCE);
  const marked = onlyPlugin ? MARKED : undefined;
  return page.evaluate(async (selector) => {
    const findPlugin = (selector: string) => {
      const elements = Array.from(document.querySelectorAll(selector));
      let around = elements.at(0)?.parentElement;
      while (around && !elements.every((each) => around?.contains(each))) {
        around = around.parentElement;
      }
      const dialogs = Array.from(document.querySelectorAll('[role="dialog"]'));
      return [around, ...dialogs].filter((each) => each instanceof HTMLElement);
    };
    const include = selector ? findPlugin(selector) : [document.documentElement];
    if (include.length === 0) {
      throw new Error('the page has no element of the plugin');
    }
    // The colours of the code are Grafana's and Monaco's.
    const context = { include, exclude: ['.monaco-editor .view-lines'] };
    const { violations } = await window.axe.run(context, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
      resultTypes: ['violations'],
    });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join('\n')}`);
  }, marked);
}
