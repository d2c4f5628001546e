/** A plain Dockerfile that fetches a third party's package, and what its last step prints when it has. */
export interface PackageBuild {
  readonly images: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly prints: string;
}

export const goBuild: PackageBuild = {
  images: ['golang:1.24'],
  prints: '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  files: {
    Dockerfile:
      'FROM golang:1.24\nWORKDIR /src\nCOPY go.mod go.sum ./\nRUN go mod download\nCOPY main.go .\nRUN go build -o /app . && /app\n',
    'go.mod': 'module example.com/app\n\ngo 1.24\n\nrequire github.com/google/uuid v1.6.0\n',
    'go.sum':
      'github.com/google/uuid v1.6.0 h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=\n' +
      'github.com/google/uuid v1.6.0/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=\n',
    'main.go':
      'package main\n\nimport (\n\t"fmt"\n\n\t"github.com/google/uuid"\n)\n\nfunc main() { fmt.Println(uuid.NameSpaceDNS) }\n',
  },
};

export const aptBuild: PackageBuild = {
  images: ['debian:trixie-slim'],
  prints: 'Hello, world!',
  files: {
    Dockerfile:
      'FROM debian:trixie-slim\nRUN apt-get update && apt-get install -y --no-install-recommends hello && hello\n',
  },
};
