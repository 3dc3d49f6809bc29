/** @file What the work tells of itself, for the metrics. */
export interface Observer {
  /** A text token was written. */
  token(): void;
  /** A denoising step was taken or, where images are tokens, one of them was drawn. */
  step(): void;
  /** An image is finished. */
  image(): void;
}
