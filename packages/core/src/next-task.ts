/** @file Lets the event loop turn: a backend on the CPU may finish its runs without ever giving timers and signals a turn. */

/** Resolves after everything that waits has had its turn: signals, timers, clicks. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else {
      // setTimeout would wait 4 ms when it is nested.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(undefined);
    }
  });
}
