export const root: string;

export interface Workspace {
  /** Relative to the root, with forward slashes. */
  folder: string;
  path: string;
  // biome-ignore lint/suspicious/noExplicitAny: a package.json has what it has
  manifest: Record<string, any>;
}

export function publishedPackages(): Workspace[];
