# One image for all services: `docker run octet` is `octet up`, `docker run octet cache` is the cache alone.
FROM node:26-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN node scripts/build.ts

FROM node:26-slim
ENV NODE_ENV=production
WORKDIR /octet
COPY --from=build /build/dist ./dist
COPY --from=build /build/web ./web
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
ENV OCTET_DATA_DIR=/data OCTET_HOST=0.0.0.0 OCTET_ADMIN_PORT=8901
# Half of the container's memory for the JavaScript heap; buffers and caches need the rest.
ENV NODE_OPTIONS=--max-old-space-size-percentage=50
HEALTHCHECK --interval=5s --timeout=2s --start-period=5s CMD ["node", "-e", "fetch('http://127.0.0.1:8901/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/octet.mjs"]
CMD ["up"]
