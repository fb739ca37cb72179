# Any program that publishes: it has the client of its broker, and nothing of Asbru.
FROM node:24.21.0-alpine
WORKDIR /app
COPY package.json ./
RUN npm install --omit=dev --no-audit --no-fund
COPY src src
USER 1000:1000
CMD ["node", "src/publish.ts"]
