/** See static-server.mjs. */
export function serveFolder(
  folder: string,
  options?: { port?: number; isolated?: boolean },
): Promise<{ url: string; close(): Promise<void> }>;
