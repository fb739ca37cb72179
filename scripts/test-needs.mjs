/**
 * What the tests need besides npm packages. All of it is looked for before the first test runs, and
 * all that is missing is named at once.
 */
import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'
import { findChromium } from './chromium.mjs'
import { path } from './run.mjs'

const programs = ['curl', 'tar', 'npm', 'ps']

/**
 * Gives the environment for the tests, or ends the script with the list of what is missing.
 *
 * @returns {Promise<NodeJS.ProcessEnv>}
 */
export async function provideTestNeeds() {
  const missing = programs.filter((name) => !isOnPath(name))
  const chromium = await findChromium()
  if (chromium === undefined) {
    missing.push(
      'Chrome or Chromium (install one, or name its executable in ASBRU_CHROMIUM' +
        `${process.env.ASBRU_CHROMIUM === undefined ? '' : ', which names none that starts now'})`,
    )
  }
  if (missing.length > 0) {
    console.error(
      `The tests need what this machine lacks:\n${missing.map((name) => `  ${name}\n`).join('')}`,
    )
    process.exit(1)
  }
  return { ASBRU_CHROMIUM: chromium }
}

/** @param {string} name */
function isOnPath(name) {
  return path.split(delimiter).some((dir) => existsSync(`${dir}/${name}`))
}
