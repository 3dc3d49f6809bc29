/** @file What Prometheus reads from /metrics. Labels have few values: routes, statuses, names of models. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Observer } from './work/observer.js';
import type { WorkQueue } from './work/work-queue.js';

const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

export class Metrics {
  readonly registry = new Registry();
  readonly #requests = this.#counter('http_requests_total', 'requests answered, or left by the client (status 499)', [
    ...['route', 'method', 'status'],
  ]);
  readonly #seconds = this.#histogram('http_request_duration_seconds', 'from a request to the end of its answer');
  readonly #firstSeconds = this.#histogram(
    'time_to_first_event_seconds',
    'from a request to the first event of a stream',
  );
  readonly #tokens = this.#counter('text_tokens_total', 'text tokens written', ['model']);
  readonly #steps = this.#counter('denoising_steps_total', 'denoising steps taken, and tokens of images drawn', [
    'model',
  ]);
  readonly #images = this.#counter('images_total', 'images finished', ['model']);
  readonly #cancelled = this.#counter('cancelled_total', 'works that ended early', ['reason']);

  /** @param options.process figures of the process, too: memory, CPU, event loop */
  constructor(queue: WorkQueue, options: { process: boolean }) {
    if (options.process) collectDefaultMetrics({ register: this.registry });
    this.#gauge('generations_running', 'generations under way', () => queue.running);
    this.#gauge('requests_waiting', 'requests that wait for their first generation', () => queue.waiting);
  }

  /** A request has come; call what is returned when its answer has ended. */
  request(method: string): (route: string, status: number) => void {
    const begun = performance.now();
    return (route, status) => {
      this.#requests.inc({ route, method, status });
      this.#seconds.observe({ route }, (performance.now() - begun) / 1000);
    };
  }

  firstEvent(route: string, seconds: number): void {
    this.#firstSeconds.observe({ route }, seconds);
  }

  cancelled(reason: 'client' | 'timeout' | 'stopping'): void {
    this.#cancelled.inc({ reason });
  }

  observer(model: string): Observer {
    return {
      token: () => this.#tokens.inc({ model }),
      step: () => this.#steps.inc({ model }),
      image: () => this.#images.inc({ model }),
    };
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: `transfusion_${name}`, help, labelNames, registers: [this.registry] });
  }

  #histogram(name: string, help: string): Histogram {
    const labelNames = ['route'];
    return new Histogram({
      name: `transfusion_${name}`,
      help,
      labelNames,
      buckets: SECONDS,
      registers: [this.registry],
    });
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      ...{ name: `transfusion_${name}`, help, registers: [this.registry] },
      collect() {
        this.set(value());
      },
    });
  }
}
