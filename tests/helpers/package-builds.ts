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

const install = (packages: string, before = ''): string =>
  `FROM debian:trixie-slim\nRUN ${before}apt-get update && apt-get install -y --no-install-recommends ${packages}\nWORKDIR /src\nCOPY . .\n`;

/** The other clients, most from Debian's package of it: that comes through the gateway too. */
export const clientBuilds: Readonly<Record<'pip' | 'npm' | 'cargo' | 'rustup' | 'maven', PackageBuild>> = {
  pip: {
    images: ['debian:trixie-slim'],
    prints: 'xn--bcher-kva',
    files: {
      Dockerfile: `${install('python3-pip')}RUN pip install --break-system-packages -r requirements.txt\nRUN python3 app.py\n`,
      'requirements.txt': 'idna==3.10\n',
      'app.py': 'import idna\nprint(idna.encode("b\\u00fccher").decode())\n',
    },
  },
  npm: {
    images: ['debian:trixie-slim'],
    prints: '00042',
    files: {
      Dockerfile: `${install('npm')}RUN npm install --package-lock-only && npm ci\nRUN node app.js\n`,
      'package.json': '{ "name": "app", "version": "1.0.0", "dependencies": { "left-pad": "1.3.0" } }\n',
      'app.js': "console.log(require('left-pad')(42, 5, '0'));\n",
    },
  },
  cargo: {
    images: ['debian:trixie-slim'],
    prints: 'number 128',
    files: {
      Dockerfile: `${install('cargo gcc libc6-dev ca-certificates')}RUN cargo fetch\nRUN cargo run --offline\n`,
      'Cargo.toml': '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nitoa = "1"\n',
      'src/main.rs': 'fn main() {\n    println!("number {}", itoa::Buffer::new().format(128));\n}\n',
    },
  },
  rustup: {
    images: ['rust:1.85-slim'],
    prints: 'statically linked',
    files: {
      Dockerfile:
        'FROM rust:1.85-slim\nRUN rustup target add "$(uname -m)-unknown-linux-musl"\nWORKDIR /src\nCOPY main.rs .\n' +
        'RUN rustc --target "$(uname -m)-unknown-linux-musl" main.rs && ./main && ldd ./main\n',
      'main.rs': 'fn main() {\n    println!("built for {}", std::env::consts::ARCH);\n}\n',
    },
  },
  maven: {
    images: ['debian:trixie-slim'],
    prints: 'BUILD SUCCESS',
    files: {
      // Debian's slim images are without the folders of the manual, which a JDK's set-up wants to link in.
      Dockerfile: `${install('maven default-jdk-headless', 'mkdir -p /usr/share/man/man1 && ')}RUN mvn -B dependency:go-offline\nRUN mvn -B -o compile\n`,
      'pom.xml': `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>app</groupId>
  <artifactId>app</artifactId>
  <version>1</version>
  <properties>
    <maven.compiler.release>21</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency>
      <groupId>org.apache.commons</groupId>
      <artifactId>commons-lang3</artifactId>
      <version>3.14.0</version>
    </dependency>
  </dependencies>
</project>
`,
      'src/main/java/App.java':
        'import org.apache.commons.lang3.StringUtils;\n\nclass App {\n  String text = StringUtils.reverse("abc");\n}\n',
    },
  },
};
