/** Byte offsets in requests that the target port reads on the hot path, derived from the records. */
import { CMD, IU_HEADER, TSK_MGMT } from './iu.ts';

export const TYPE = IU_HEADER.at.type;
export const FLAGS = IU_HEADER.at.flags;
export const TAG_HIGH = IU_HEADER.at.tagHigh;
export const TAG_LOW = IU_HEADER.at.tagLow;
export const HEADER_BYTES = IU_HEADER.size;
export const CMD_LUN = CMD.at.lun;
export const CMD_ATTRIBUTE = CMD.at.attribute;
export const TSK_LUN = TSK_MGMT.at.lun;
export const TSK_FUNCTION = TSK_MGMT.at.function;
export const MANAGED_TAG_HIGH = TSK_MGMT.at.managedTagHigh;
export const MANAGED_TAG_LOW = TSK_MGMT.at.managedTagLow;
