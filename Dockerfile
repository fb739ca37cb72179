# The relay as an image: `docker build -t asbru .`, then `docker run --read-only -p 8080:8080 asbru`.
# Events are on 8080. The API is on 127.0.0.1:7070 inside the container, until ASBRU_INTERNAL_HOST
# says otherwise and ASBRU_API_TOKEN holds a token.

# Not Alpine: the compiler and pnpm are native programs. Nothing of this stage is in the image but
# the folder `image`, which is laid out as the image's root.
FROM node:24.21.0-slim AS build
WORKDIR /src
COPY . .
RUN npx --yes "pnpm@$(node -p "require('./package.json').devDependencies.pnpm")" install \
    --frozen-lockfile --filter asbru-workspace --filter '@asbru/server...'
RUN node_modules/.bin/tsc -b packages/server
# With injected packages, the versions are those of the lockfile here too.
RUN node_modules/.bin/pnpm --filter @asbru/server deploy --prod \
    --config.inject-workspace-packages=true image/app
RUN mkdir -p image/usr/local/bin && ln -s ../../../app/bin/asbru.js image/usr/local/bin/asbru

FROM node:24.21.0-alpine
COPY --from=build /src/image /
ENV NODE_ENV=production ASBRU_HOST=0.0.0.0
# The user `node`, by its number, from which an orchestrator can tell that it is not root.
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.ASBRU_INTERNAL_PORT || 7070}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["asbru"]
CMD ["serve"]
