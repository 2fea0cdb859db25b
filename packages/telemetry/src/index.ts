export type { TelemetryError } from './errors.ts';
export { FileSegments } from './file-segments.ts';
export {
  decodeRecords,
  encodeRecord,
  encodeRecordHeader,
  LOG_STREAMS,
  MAX_RECORD_BYTES,
  measureRecords,
  RECORD_HEADER_BYTES,
  type DecodedRecord,
  type LogRecord,
  type LogStream,
  type RecordsMeasure,
} from './log-records.ts';
export { memoryDisk, MemorySegments } from './memory-segments.ts';
export {
  DEFAULT_LOG_BYTES,
  DEFAULT_SEGMENT_BYTES,
  SegmentLog,
  type LogSlice,
  type LogTail,
  type SegmentLogOptions,
} from './segment-log.ts';
export type { OpenSegments, Segment, Segments } from './segments.ts';
