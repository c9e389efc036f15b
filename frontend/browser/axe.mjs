/** Runs axe-core in a page. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const SOURCE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Lists the serious and critical violations of WCAG 2 A and AA, with the elements. */
export async function findViolations(page, selector) {
  await page.evaluate(SOURCE);
  return page.evaluate(async (selector) => {
    const { violations } = await window.axe.run(selector ?? document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
    });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join('\n')}`);
  }, selector);
}
