export { api, type ApiOptions } from './api/api.ts'
export { events, type EventsOptions } from './events-handler.ts'
