/** A promise that someone else resolves. */
export interface Deferred<Value> {
  readonly promise: Promise<Value>
  readonly resolve: (value: Value) => void
}

/** Makes a promise for what happens elsewhere. */
export function deferred<Value = void>(): Deferred<Value> {
  let resolve: Deferred<Value>['resolve']
  const promise = new Promise<Value>((settle) => {
    resolve = settle
  })
  return { promise, resolve: resolve! }
}
