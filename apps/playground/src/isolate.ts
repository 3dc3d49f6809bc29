/** @file Threads need a cross-origin isolated page. Where the server does not set the headers, a service worker does. */

const TRIED = 'transfusion-isolation-tried';
const WAIT_MILLISECONDS = 4000;

/** Resolves to false where the page is about to be loaded anew, isolated. */
export async function isolated(): Promise<boolean> {
  if (crossOriginIsolated || new URLSearchParams(location.search).has('plain')) return true;
  if (!isSecureContext || !('serviceWorker' in navigator)) return true;
  // Once: a browser that does not take the headers from a service worker computes on one thread.
  if (sessionStorage.getItem(TRIED)) return true;
  try {
    sessionStorage.setItem(TRIED, '1');
    await navigator.serviceWorker.register(new URL('isolate.js', document.baseURI));
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error('late')), WAIT_MILLISECONDS));
    await Promise.race([navigator.serviceWorker.ready, late]);
    location.reload();
    return false;
  } catch {
    return true;
  }
}
