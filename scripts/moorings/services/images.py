"""Base images from Debian's packages, where no registry is reachable; made once, kept by content.

The engine keeps them: the tag is a digest of all that they are made from.
"""

import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from moorings import packages, ui, users
from moorings.errors import BuildError, CommandError, NeedError
from moorings.packages import Supply
from moorings.services import compose
from moorings.services.engine import Engine, machine_sources
from moorings.services.jaeger_build import Build
from moorings.target import Need

#: Which Debian, and what the smallest of it gets beside: Python, as the public Python image has it.
SUITE, INCLUDED = "bookworm", ("python3", "python3-venv", "ca-certificates")

#: Seconds; debootstrap takes 42 on two cores, a build less.
DEADLINE = 900.0

#: What of a fresh Debian is only about how it was made, or is read by nobody in a container.
LEFT_OUT = (
    "./etc/apt/sources.list", "./var/cache/apt/*", "./var/lib/apt/lists/*", "./var/log/*",
    "./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*", "./dev/*", "./tmp/*",
    "./etc/resolv.conf", "./etc/hostname",
)  # fmt: skip


#: Debian's certificate authorities, those of a company among them.
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Bases:
    """Makes the images that stand for the public ones."""

    engine: Engine
    supply: Supply
    jaeger: Build
    key: str
    """The setting by which the public images are taken instead."""

    def needs(self) -> list[Need]:
        """Want what makes the first of them, unless that is there."""
        if self._has(self._first):
            return []
        instead = f'{self.key} = "public" takes the public images, where the engine reaches them'
        if not (users.is_root() and packages.find("apt-get")):
            what = "base images are made from Debian's packages by root, on Debian"
            return [Need(what, False, instead)]
        if not self._mirror:
            return [Need(f"this machine has no source of Debian {SUITE}", False, instead)]
        need = packages.need("debootstrap", "debootstrap")
        return [need if need.there else replace(need, how=f"{need.how}; or {instead}")]

    @property
    def files(self) -> Path:
        """The folder of what they are made from."""
        return self.engine.layout.root / "deploy" / "parts" / "images"

    def make(self) -> dict[str, str]:
        """Return the image of each part, by its build argument, making what is not there.

        :raises BuildError: with the last lines of what failed.
        """
        try:
            base = self._debian()
            nginx = self._image("nginx", base)
            postgres = self._image("postgres", base)
            jaeger = self._jaeger(base)
        except CommandError as problem:
            hint = problem.hint or "mend what is named above, then try again: what was made is kept"
            raise BuildError(problem.fact, log=problem.log, hint=hint) from None
        return {"BASE_IMAGE": base, "NGINX_IMAGE": nginx, "POSTGRES_IMAGE": postgres,
                "JAEGER_IMAGE": jaeger}  # fmt: skip

    def _has(self, image: str) -> bool:
        said = self.engine.ask("image", "inspect", "--format", "{{.Id}}", image)
        if said.status != 0 and "no such image" not in said.output.lower():
            fact = f"the engine does not say whether it has the image {image}"
            raise CommandError(fact, log=said.output.strip(), hint="./moor docker up")
        return said.status == 0

    @property
    def _first(self) -> str:
        return f"moorings/debian:{SUITE}-{digest(SUITE, *INCLUDED, *LEFT_OUT)}"

    @property
    def _mirror(self) -> str:
        """Where this machine has that Debian from; empty where it has another."""
        return next((place for place, suite in self._sources() if suite == SUITE), "")

    def _debian(self) -> str:
        image = self._first
        if self._has(image):
            return image
        for need in self.needs():
            # A deploy has asked before it began.
            if not need.there and not self.supply(need):
                raise NeedError(need.what, hint=need.how)
        title = "Making a base image from Debian's packages (once, about a minute)"
        with tempfile.TemporaryDirectory(prefix="moorings-debian-") as name, ui.working(title):
            self._bootstrap(Path(name), image)
        ui.good(f"made {image}")
        return image

    def _bootstrap(self, folder: Path, image: str) -> None:
        run = self.engine.runner.run
        root, archive = folder / "root", folder / "root.tar"
        argv = ["debootstrap", "--variant=minbase", f"--include={','.join(INCLUDED)}",
                SUITE, str(root), self._mirror]  # fmt: skip
        # The command names the machine's mirror: it is for this machine alone, and not printed.
        run(argv, timeout=DEADLINE, log=folder / "log", quiet=True)
        out = [f"--exclude={pattern}" for pattern in LEFT_OUT]
        pack = ["tar", "--directory", str(root), *out, "--anchored", "--numeric-owner"]
        run([*pack, "--sort=name", "--create", "--file", str(archive), "."], timeout=120)
        change = ["--change", "ENV LANG=C.UTF-8", "--change", 'CMD ["python3"]']
        self.engine.do("import", *change, str(archive), image, timeout=300)

    def _sources(self) -> list[tuple[str, str]]:
        lines = machine_sources(self.engine.runner).splitlines()
        pairs = [line.split() for line in lines]
        return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]

    def secrets(self) -> list[str]:
        """Lend a build what this machine reaches packages by; it is in no layer of the image.

        The files stay, for nobody else to read, so that what is printed can be repeated by hand.
        """
        pairs = dict.fromkeys(self._sources())
        lent = {
            "sources": "".join(f"deb {place} {suite} main\n" for place, suite in pairs),
            "apt": self._said("apt-config", "dump", "Acquire"),
            "pip": pip_settings(self._said(sys.executable, "-m", "pip", "config", "list")),
        }
        folder = self.engine.layout.home / "lent"
        if not self.engine.runner.dry:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for part, text in lent.items():
                (folder / part).write_text(text)
        files = {part: str(folder / part) for part in lent} | authorities(os.environ)
        return [word for one in files.items() for word in ("--secret", "id={},src={}".format(*one))]

    def _said(self, *argv: str) -> str:
        return self.engine.runner.run(argv, timeout=60, quiet=True).output

    def _image(self, name: str, base: str) -> str:
        recipe = self.files / f"{name}.Dockerfile"
        made_from = [file.read_text() for file in sorted(self.files.glob(f"{name}*"))]
        image = f"moorings/{name}:{digest(base, *made_from)}"
        if self._has(image):
            return image
        title = f"Making the image of {name} from Debian's packages (once)"
        with ui.working(title):
            more = ["--build-arg", f"BASE={base}", *self.secrets()]
            self._build(recipe, image, self.files, more)
        ui.good(f"made {image}")
        return image

    def _build(self, recipe: Path, image: str, context: Path, more: Sequence[str]) -> None:
        argv = [*self.engine.build, "--network", "host", "--progress", "plain"]
        which = ["--file", str(recipe), "--tag", image, *more]
        self.engine.do(*argv, *which, str(context), timeout=DEADLINE)

    def _jaeger(self, base: str) -> str:
        recipe = self.files / "jaeger.Dockerfile"
        program = self.jaeger.make()
        mark = hashlib.sha256(program.read_bytes()).hexdigest()
        image = f"moorings/jaeger:{digest(base, recipe.read_text(), mark)}"
        if not self._has(image):
            more = ["--build-arg", f"BASE={base}", *self.secrets()]
            self._build(recipe, image, program.parent, more)
            ui.good(f"made {image}")
        return image


def pip_settings(listed: str) -> str:
    """Return pip.conf for a build: where packages come from, of what `pip config list` says."""
    pairs = (line.partition("=") for line in listed.splitlines())
    told = {name.rpartition(".")[2]: value.strip("'") for name, _, value in pairs}
    wanted = ("index-url", "extra-index-url", "trusted-host", "proxy")
    return "\n".join(["[global]", *(f"{one} = {told[one]}" for one in wanted if one in told), ""])


def authorities(env: Mapping[str, str]) -> dict[str, str]:
    """Return the file of the certificate authorities that this machine believes, as a secret."""
    named = [env.get(name, "") for name in ("PIP_CERT", "SSL_CERT_FILE")]
    found = [file for file in (*named, BUNDLE) if file and Path(file).is_file()]
    return {"ca": found[0]} if found else {}


def digest(*parts: str) -> str:
    """Return twelve digits that tell contents, and machines' kinds, apart."""
    return compose.digest(platform.machine(), *parts)
