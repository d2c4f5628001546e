FROM golang:1.24
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /kiosk . \
    && cp -r pages /pages
EXPOSE 8080
ENTRYPOINT ["/kiosk"]
