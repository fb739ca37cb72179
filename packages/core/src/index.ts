export { Client } from './clients/client.ts'
export type {
  ClientQuery,
  ClientRecord,
  ClientStore,
  ClientStoreHost,
  ClientStoreStatus,
  ConnectionInfo,
  NewClient,
  Page,
  ReplicaInfo,
  TopicsChange,
} from './clients/client-store.ts'
export type { NewClientOptions, SubscriptionsChange } from './clients/clients.ts'
export { type Clock, systemClock } from './clock.ts'
export {
  CONTROL_PREFIX,
  type Driver,
  type DriverCapabilities,
  type DriverStatus,
  type GapReason,
  type IncomingMessage,
  type OpenOptions,
  type OutgoingMessage,
  type Position,
  type Receiver,
  type TopicPattern,
} from './driver.ts'
export { encodeEvent, type EventFields, type Frame } from './events/encode-event.ts'
export { StreamerError, type StreamerErrorCode, type StreamerErrorOptions } from './errors.ts'
export type { CorsOptions } from './http/cors.ts'
export type { AcceptOptions, EventAcceptor, EventRequest } from './http/event-endpoint.ts'
export { EventStream } from './http/event-stream.ts'
export { type NodeListener, nodeListener, type NodeListenerOptions } from './http/node-listener.ts'
export type { NodeRequest, NodeResponse } from './http/node-sinks.ts'
export { problemResponse, wireCode } from './http/problem.ts'
export type { CloseReason, TopicErrorCode } from './events/info-messages.ts'
export { type Logger, maskId, silentLogger } from './logger.ts'
export { replicatedClientStore } from './cluster/replicated-client-store.ts'
export type {
  ArchivedClient,
  ClientArchive,
  ReplicatedClientStoreOptions,
} from './cluster/settings.ts'
export { memoryClientStore } from './clients/memory-client-store.ts'
export type { JsonValue, PublishData, PublishItem, PublishOptions } from './broker/message.ts'
export type { EventNaming } from './events/naming.ts'
export type { StreamerOptions, Verdict } from './options.ts'
export type { PublishResult } from './broker/publisher.ts'
export type { RelayCounters } from './broker/relay.ts'
export type { DriverState, StreamerStatus } from './status.ts'
export { Streamer } from './streamer.ts'
export { covers, isPattern, isTopic, matches, topicOf, topicPatternOf } from './topic.ts'
export type { WindowStatus } from './events/window.ts'
export { TopicSet } from './topic-set.ts'
