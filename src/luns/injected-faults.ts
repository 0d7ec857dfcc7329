/** Rules of fault injection, by who acts on them: the store, or an optical drive, which alone knows where a block of a disc is. */
import type { LogicalUnit } from '../scsi/logical-unit.ts';
import type { DiscFault, DiscOperation } from '../scsi/mmc/disc-faults.ts';
import { InventoryError } from './inventory-error.ts';
import type { FaultRule } from './store/fault.ts';

export interface InjectedFaults {
  /** For the drive. */
  readonly faults: readonly DiscFault[];
  /** For the store. */
  readonly others: readonly FaultRule[];
}

function operationsOf({ operation }: FaultRule): readonly DiscOperation[] {
  if (operation === 'any') return ['read', 'write'];
  return operation === 'flush' || operation === 'discard' ? [] : [operation];
}

function isOfBurner({ operation }: FaultRule): boolean {
  return operation === 'calibration' || operation === 'close';
}

function isRanged({ firstLba, lastLba }: FaultRule): boolean {
  return firstLba !== undefined || lastLba !== undefined;
}

function faultsOf(rule: FaultRule): DiscFault[] {
  const { firstLba, lastLba, count } = rule;
  return operationsOf(rule).map((operation) => ({
    operation,
    ...(firstLba === undefined ? {} : { first: firstLba }),
    ...(lastLba === undefined ? {} : { end: lastLba + 1 }),
    ...(count === undefined ? {} : { count }),
  }));
}

/** Whether the drive acts on a rule: it is about blocks of a disc, or about a burn. */
function isForDrive({ optical }: LogicalUnit, rule: FaultRule): boolean {
  const { fault, delayMs } = rule;
  const isFault = fault === 'medium' && delayMs === undefined;
  return optical !== null && isFault && operationsOf(rule).length > 0;
}

/** Throws InventoryError: the unit is nothing that a rule could be for. */
function check(lun: number, unit: LogicalUnit, rule: FaultRule): void {
  const action = `Cannot inject faults into LUN ${lun}`;
  const { operation } = rule;
  if (isOfBurner(rule)) {
    if (unit.optical?.writes !== true) {
      throw new InventoryError('ERR_FAULT_RULE', `${action}: ${operation} is what burners do`);
    }
    if (isForDrive(unit, rule) && !isRanged(rule)) return;
    throw new InventoryError(
      'ERR_FAULT_RULE',
      `${action}: ${operation} goes with fault=medium, and with neither lba nor delay`,
    );
  }
  if (unit.optical === null || !isRanged(rule) || isForDrive(unit, rule)) return;
  throw new InventoryError(
    'ERR_FAULT_RULE',
    `${action}: in an optical drive lba goes with read, write or any and fault=medium, without delay`,
  );
}

/** Throws InventoryError: a rule cannot be for this unit. */
export function injectedFaults(
  lun: number,
  unit: LogicalUnit,
  rules: readonly FaultRule[],
): InjectedFaults {
  for (const rule of rules) check(lun, unit, rule);
  return {
    faults: rules.filter((rule) => isForDrive(unit, rule)).flatMap(faultsOf),
    others: rules.filter((rule) => !isForDrive(unit, rule)),
  };
}
