/** What virtio-scsi and the core call the same things: task attributes, task management functions and their outcomes (virtio 1.2, 5.6.6). */
import {
  ABORT_TASK,
  ABORT_TASK_SET,
  ACA,
  CLEAR_ACA,
  CLEAR_TASK_SET,
  FUNCTION_COMPLETE,
  FUNCTION_REJECTED,
  FUNCTION_SUCCEEDED,
  HEAD_OF_QUEUE,
  I_T_NEXUS_RESET,
  INCORRECT_LOGICAL_UNIT_NUMBER,
  LOGICAL_UNIT_RESET,
  ORDERED,
  QUERY_TASK,
  QUERY_TASK_SET,
  SIMPLE,
} from '../../scsi/sam.ts';
import {
  ATTRIBUTE_ACA,
  ATTRIBUTE_HEAD,
  ATTRIBUTE_ORDERED,
  ATTRIBUTE_SIMPLE,
  S_ABORTED,
  S_FAILURE,
  S_FUNCTION_COMPLETE,
  S_FUNCTION_REJECTED,
  S_FUNCTION_SUCCEEDED,
  S_INCORRECT_LUN,
  S_RESET,
  TMF_ABORT_TASK,
  TMF_ABORT_TASK_SET,
  TMF_CLEAR_ACA,
  TMF_CLEAR_TASK_SET,
  TMF_I_T_NEXUS_RESET,
  TMF_LOGICAL_UNIT_RESET,
  TMF_QUERY_TASK,
  TMF_QUERY_TASK_SET,
} from './virtio-scsi.ts';

/** No attribute of the core. */
export const NO_ATTRIBUTE = -1;
/** No function of the core: it rejects it. */
const NO_FUNCTION = 0;

/** SAM code of a task_attr, or NO_ATTRIBUTE. */
export function attributeOf(taskAttribute: number): number {
  switch (taskAttribute) {
    case ATTRIBUTE_SIMPLE:
      return SIMPLE;
    case ATTRIBUTE_ORDERED:
      return ORDERED;
    case ATTRIBUTE_HEAD:
      return HEAD_OF_QUEUE;
    case ATTRIBUTE_ACA:
      return ACA;
    default:
      return NO_ATTRIBUTE;
  }
}

const FUNCTIONS = new Map([
  [TMF_ABORT_TASK, ABORT_TASK],
  [TMF_ABORT_TASK_SET, ABORT_TASK_SET],
  [TMF_CLEAR_ACA, CLEAR_ACA],
  [TMF_CLEAR_TASK_SET, CLEAR_TASK_SET],
  [TMF_I_T_NEXUS_RESET, I_T_NEXUS_RESET],
  [TMF_LOGICAL_UNIT_RESET, LOGICAL_UNIT_RESET],
  [TMF_QUERY_TASK, QUERY_TASK],
  [TMF_QUERY_TASK_SET, QUERY_TASK_SET],
]);

/** SAM code of a task management function's subtype, or one that the core rejects. */
export function functionOf(subtype: number): number {
  return FUNCTIONS.get(subtype) ?? NO_FUNCTION;
}

/** response of a task management function. */
export function responseOf(outcome: number): number {
  if (outcome === FUNCTION_COMPLETE) return S_FUNCTION_COMPLETE;
  if (outcome === FUNCTION_SUCCEEDED) return S_FUNCTION_SUCCEEDED;
  if (outcome === FUNCTION_REJECTED) return S_FUNCTION_REJECTED;
  return outcome === INCORRECT_LOGICAL_UNIT_NUMBER ? S_INCORRECT_LUN : S_FAILURE;
}

/** response of a command that ended without a status, by the function that aborted it. */
export function abortResponse(abortedBy: number): number {
  const reset = abortedBy === LOGICAL_UNIT_RESET || abortedBy === I_T_NEXUS_RESET;
  return reset ? S_RESET : S_ABORTED;
}
