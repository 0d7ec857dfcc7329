/** What a daemon tells about itself. Plain data. */
import type { ReactorStatus } from './reactor-messages.ts';

export interface DaemonInfo {
  readonly name: string;
  readonly version: string;
  readonly processId: number;
  readonly uptimeMs: number;
  readonly listen: readonly string[];
  readonly control: string | null;
  readonly state: string | null;
  readonly luns: number;
}

export interface DaemonStats {
  readonly processId: number;
  readonly uptimeMs: number;
  readonly residentBytes: number;
  readonly userUs: number;
  readonly systemUs: number;
  readonly controlClients: number;
  readonly reactor: ReactorStatus;
}
