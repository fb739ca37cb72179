import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cachedProgram } from '../program-cache.ts'
import { findProgram, mustRun } from '../run.ts'
import { say } from '../say.ts'

/** The folder with the jars of an Apache Kafka release, which Maven fetches once. */
export async function kafkaJars(version: string): Promise<string> {
  const dir = await cachedProgram(`kafka-${version}`, async (target) => {
    const maven = findProgram('mvn')
    if (maven === undefined) throw new Error('it needs Docker, or Maven to get it')
    say(`fetching Kafka ${version} with Maven`)
    writeFileSync(join(target, 'pom.xml'), project(version))
    await mustRun(
      maven,
      [
        '--batch-mode',
        '--quiet',
        'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies',
        '-DincludeScope=runtime',
        '-DoutputDirectory=jars',
      ],
      { cwd: target },
    )
  })
  return join(dir, 'jars')
}

function project(version: string): string {
  // The tools are left out: the broker does not need them, and not every release has them.
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>asbru</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${version}</version>
      <exclusions>
        <exclusion>
          <groupId>org.apache.kafka</groupId>
          <artifactId>kafka-tools-api</artifactId>
        </exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`
}
