// Jest setup provided by Grafana scaffolding
import './.config/jest-setup';

// jsdom lays nothing out; lists of options show only what has a size and can be seen.
Element.prototype.getBoundingClientRect = () => ({
  x: 0,
  y: 0,
  top: 0,
  left: 0,
  right: 400,
  bottom: 400,
  width: 400,
  height: 400,
});
Object.defineProperties(HTMLElement.prototype, {
  offsetWidth: { get: () => 400 },
  offsetHeight: { get: () => 400 },
});
HTMLCanvasElement.prototype.getContext = () => ({ measureText: () => ({ width: 0 }) });
global.IntersectionObserver = class {
  observe() {}
  disconnect() {}
};
