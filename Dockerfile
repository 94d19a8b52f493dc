# Builds the services and the verifier, and copies them into a small image that runs as an unprivileged user.
ARG DEBIAN=bookworm

FROM rust:1-${DEBIAN} AS build
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked --bin rollcall-api --bin rollcall-worker --bin rollcall-verify

FROM debian:${DEBIAN}-slim
# The health check needs curl, and pushing events needs the certificates.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home rollcall && install -d -o rollcall /demo /signer
COPY --from=build /src/target/dist/rollcall-api /src/target/dist/rollcall-worker \
    /src/target/dist/rollcall-verify /src/demo.sh /usr/local/bin/
USER 10001
EXPOSE 8080
CMD ["rollcall-api"]
