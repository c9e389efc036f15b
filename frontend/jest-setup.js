// Jest setup provided by Grafana scaffolding
import './.config/jest-setup';

// jsdom has no layout. Without these mocks, elements have no size and virtual lists show no rows.
HTMLCanvasElement.prototype.getContext = () => ({ measureText: () => ({ width: 0 }) });
global.IntersectionObserver = class {
  observe() {}
  disconnect() {}
};
jest.mock('@tanstack/react-virtual', () => ({
  useVirtualizer: ({ count }) => ({
    getVirtualItems: () =>
      Array.from({ length: count }, (_, index) => ({ index, key: index, start: 0, size: 40 })),
    getTotalSize: () => count * 40,
    measureElement: () => {},
    scrollToIndex: () => {},
  }),
}));

// jsdom matches every style rule of the page for each computed style, which takes most of a test's
// time. Inline styles are enough here: no test depends on a style sheet.
window.getComputedStyle = (element) => element.style;
