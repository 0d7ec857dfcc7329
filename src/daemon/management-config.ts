/** What the configuration says about addresses at which the daemon is managed. */
import {
  MAX_ADDRESS_BYTES,
  MAX_ADDRESSES,
  type ManagementAddress,
  SERVICE_TYPES,
} from '../scsi/management-address.ts';
import { ConfigError, checkKeys } from './known-keys.ts';

export const MANAGEMENT_KEYS = ['service', 'url'] as const;
const ACTION = 'Cannot configure managementAddresses';

function readAddress(value: unknown): ManagementAddress {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError(`${ACTION}: ${JSON.stringify(value)} is no object with service and url`);
  }
  const raw = value as Record<string, unknown>;
  checkKeys(ACTION, raw, MANAGEMENT_KEYS);
  const { service = 'unspecified', url } = raw;
  const type = typeof service === 'string' ? SERVICE_TYPES.get(service) : undefined;
  if (type === undefined) {
    const known = [...SERVICE_TYPES.keys()].join(', ');
    throw new ConfigError(`${ACTION}: service is ${JSON.stringify(service)}, possible: ${known}`);
  }
  if (typeof url !== 'string' || !URL.canParse(url) || !/^[\x21-\x7e]+$/.test(url)) {
    throw new ConfigError(`${ACTION}: url is ${JSON.stringify(url)}, a URL in ASCII is needed`);
  }
  if (url.length > MAX_ADDRESS_BYTES) {
    throw new ConfigError(
      `${ACTION}: url has ${url.length} characters, ${MAX_ADDRESS_BYTES} are possible`,
    );
  }
  return { service: type, url };
}

/** Reads the list. Throws ConfigError. */
export function readManagementAddresses(value: unknown): readonly ManagementAddress[] {
  if (!Array.isArray(value)) throw new ConfigError(`${ACTION}: a list is needed`);
  if (value.length > MAX_ADDRESSES) {
    throw new ConfigError(`${ACTION}: ${value.length} of them, ${MAX_ADDRESSES} are possible`);
  }
  return value.map(readAddress);
}
