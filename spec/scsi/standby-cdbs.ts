/** Commands that SPC-4 5.15.2.4.4 has served in the standby state, as far as a disk here has them, and READ CAPACITY. */
export const COMMANDS: readonly (readonly [string, string])[] = [
  ['INQUIRY', '12 00 00 00 24 00'],
  ['INQUIRY, page 83h', '12 01 83 00 fc 00'],
  ['REPORT LUNS', 'a0 00 00 00 00 00 00 00 00 fc 00 00'],
  ['REQUEST SENSE', '03 00 00 00 12 00'],
  ['MODE SENSE(6)', '1a 00 3f 00 fc 00'],
  ['MODE SENSE(10)', '5a 00 3f 00 00 00 00 00 fc 00'],
  ['REPORT SUPPORTED OPERATION CODES', 'a3 0c 00 00 00 00 00 00 00 fc 00 00'],
  ['READ CAPACITY(10)', '25 00 00 00 00 00 00 00 00 00'],
  ['READ CAPACITY(16)', '9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00'],
];
