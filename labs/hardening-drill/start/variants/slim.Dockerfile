FROM golang:1.24 AS build
WORKDIR /src
COPY go.mod *.go ./
RUN --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/kiosk . \
    && install -d -m 1777 /out/tmp

FROM debian:trixie-slim
COPY --from=build /out/kiosk /kiosk
COPY pages /pages
EXPOSE 8080
ENTRYPOINT ["/kiosk"]
