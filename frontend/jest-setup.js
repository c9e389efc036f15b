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
