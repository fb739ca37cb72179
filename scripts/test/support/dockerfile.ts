import { DockerfileParser, type Instruction, type ModifiableInstruction } from 'dockerfile-ast'

/** A stage of a Dockerfile. */
export interface Stage {
  /** The image that it begins with. */
  readonly from: string
  /** What its `ENV` set. */
  readonly environment: Readonly<Record<string, string>>
  /** The arguments of each such instruction, without the line breaks between. */
  all(keyword: string): string[]
  /** The arguments of the only such instruction. */
  one(keyword: string): string
  /** The words of the only such instruction, which are written as JSON. */
  list(keyword: string): string[]
}

/** Reads a Dockerfile; fails where an instruction is none that there is. */
export function stagesOf(text: string): Stage[] {
  const stages: Instruction[][] = []
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const keyword = instruction.getKeyword()
    if (!KEYWORDS.has(keyword)) throw new Error(`There is no instruction ${keyword}`)
    if (keyword === 'FROM') stages.push([])
    stages.at(-1)!.push(instruction)
  }
  return stages.map(stageOf)
}

const KEYWORDS = new Set(
  'FROM WORKDIR COPY RUN ENV USER EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD'.split(' '),
)

function stageOf(instructions: readonly Instruction[]): Stage {
  const of = (keyword: string): Instruction[] =>
    instructions.filter((instruction) => instruction.getKeyword() === keyword)
  const only = (keyword: string): Instruction => {
    const found = of(keyword)
    if (found.length !== 1) throw new Error(`${found.length} of ${keyword}`)
    return found[0]!
  }
  return {
    from: textOf(only('FROM')).split(' ')[0]!,
    environment: Object.fromEntries(
      of('ENV').flatMap((each) => each.getArguments().map((word) => pairOf(word.getValue()))),
    ),
    all: (keyword) => of(keyword).map(textOf),
    one: (keyword) => textOf(only(keyword)),
    list(keyword) {
      const text = textOf(only(keyword))
      return JSON.parse(text.slice(text.indexOf('['))) as string[]
    },
  }
}

/** As it is written, flags first; lines that a backslash joins are one. */
function textOf(instruction: Instruction): string {
  const flags = 'getFlags' in instruction ? (instruction as ModifiableInstruction).getFlags() : []
  const text = [...flags.map(String), instruction.getRawArgumentsContent() ?? ''].join(' ')
  return text.replaceAll(/\\\n\s*/g, '')
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=')
  return [text.slice(0, at), text.slice(at + 1)]
}
