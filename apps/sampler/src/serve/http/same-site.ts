/**
 * @file A server without keys trusts who can reach it, which is this machine: but any web page that is open here can send
 * requests to it, under its address or under a name of its own that leads here. Such requests are refused.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from '../api-error.js';

/** @throws ApiError 403 */
export function refuseOtherSites({ host, origin }: Pick<IncomingHttpHeaders, 'host' | 'origin'>): void {
  if (!isLoopback(hostName(host ?? ''))) {
    throw forbidden(`This server has no API keys, and answers to localhost only, not to the host '${shown(host)}'.`);
  }
  if (origin === undefined) return;
  if (!URL.canParse(origin) || new URL(origin).host !== host) {
    throw forbidden(`This server has no API keys, and does not answer pages of '${shown(origin)}'.`);
  }
}

/** Whether only this machine reaches it. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

function hostName(host: string): string {
  return host.replace(/:\d*$/, '');
}

function shown(text = ''): string {
  return text.slice(0, 100);
}

function forbidden(message: string): ApiError {
  return new ApiError({ status: 403, message, code: 'forbidden' });
}
