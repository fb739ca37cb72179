/**
 * Runs one program at a time for the scripts beside this file, in a process group of its own.
 *
 * `npm run` forwards a signal to its child only, and Ctrl-C in a terminal reaches the whole
 * foreground group on top of that. With a group per program, the only signal it ever sees is the
 * one passed on here: once, and to all that it started, so nothing is left behind.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Programs come from the workspace first, so `node` is the one that package.json pins. */
export const path = `${root}node_modules/.bin${delimiter}${process.env.PATH}`

/** Ctrl-C reaches us from the terminal and from npm; a second one that the user meant is later. */
const impatientAfterMs = 500

/** @type {import('node:child_process').ChildProcess | undefined} */
let running
/** @type {{ signal: NodeJS.Signals, at: number } | undefined} */
let stopped

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => stop(signal))
}

/**
 * Runs a program to its end and gives its exit code; never returns if it was stopped by a signal.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, stdout?: 'inherit' | 'ignore' }} [options]
 * @returns {Promise<number>}
 */
export async function run(command, args, { env = {}, stdout = 'inherit' } = {}) {
  const child = spawn(command, args, {
    cwd: root,
    detached: true,
    env: { ...process.env, PATH: path, ...env },
    stdio: ['ignore', stdout, 'inherit'],
  })
  running = child
  const code = await exitCode(child)
  running = undefined
  if (stopped !== undefined) {
    signalGroup(child, 'SIGKILL')
    process.exit(code === 0 ? 0 : 128 + constants.signals[stopped.signal])
  }
  return code
}

/**
 * Runs a step that the rest depends on: its failure is the end of the script.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<void>}
 */
export async function mustRun(command, args) {
  const code = await run(command, args)
  if (code !== 0) process.exit(code)
}

/** @param {import('node:child_process').ChildProcess} child */
function exitCode(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
    })
  })
}

/** @param {NodeJS.Signals} signal */
function stop(signal) {
  if (running === undefined) process.exit(128 + constants.signals[signal])
  if (stopped === undefined) {
    stopped = { signal, at: Date.now() }
    signalGroup(running, signal)
  } else if (Date.now() - stopped.at > impatientAfterMs) {
    signalGroup(running, 'SIGKILL')
  }
}

/**
 * @param {import('node:child_process').ChildProcess} leader
 * @param {NodeJS.Signals} signal
 */
function signalGroup(leader, signal) {
  if (leader.pid === undefined) return
  try {
    process.kill(-leader.pid, signal)
  } catch (error) {
    // All of the group is gone already.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
