/** Version, epoch, sequence: what stands in the `id:` field of events. */
const FORM = /^1\.([A-Za-z0-9-]{1,64})\.(\d{1,15})$/
/** What a cursor of any version may look like; one that does not is never echoed. */
const OPAQUE = /^[A-Za-z0-9_.:~-]{1,512}$/

/** A place in the flow of messages. */
export interface Cursor {
  /** The start of the replica whose window counts. */
  readonly epoch: string
  /** How many entries that window had received; the next to send is the one after. */
  readonly sequence: number
}

/** The text of a cursor; opaque to everybody else. */
export function formatCursor({ epoch, sequence }: Cursor): string {
  return `1.${epoch}.${sequence}`
}

/** Reads a cursor, or returns `undefined` for one that is forged, cut or foreign. */
export function parseCursor(text: string): Cursor | undefined {
  const parts = FORM.exec(text)
  return parts === null ? undefined : { epoch: parts[1]!, sequence: Number(parts[2]) }
}

/** Whether a cursor from outside is safe to send back. */
export function isEchoable(text: string): boolean {
  return OPAQUE.test(text)
}
