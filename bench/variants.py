"""What is compared: what stands around the app, and how much of it is sampled."""

from dataclasses import dataclass

VIEW, CATALOGUE = "view", "catalogue"
PATHS = {VIEW: "/items/7", CATALOGUE: "/api/products"}
SPECS = {VIEW: "bench.view:app", CATALOGUE: "store:create_app()"}
BARE, TRACING, FULL = "bare", "tracing", "full"
CONTRIB, CONTRIB_FULL = "contrib", "contrib+"


@dataclass(frozen=True)
class Variant:
    """One way to run the app; `percent` of its requests are sampled."""

    kind: str
    percent: int = 100

    def __str__(self) -> str:
        return self.kind if self.kind == BARE else f"{self.kind} {self.percent} %"

    @property
    def is_ours(self) -> bool:
        """Whether our runtime is around the app."""
        return self.kind in (TRACING, FULL)

    def environ(self, workload: str, collector: str) -> dict[str, str]:
        """Return the variables of a process that runs it."""
        sampler = "parentbased_always_on" if self.percent == 100 else "parentbased_traceidratio"
        return {
            "BENCH_KIND": self.kind,
            "BENCH_APP": SPECS[workload],
            "APP": SPECS[workload],
            "SERVER": "bench",
            "RELEASE": "bench",
            "LOG_FORMAT": "json",
            "OTEL_SERVICE_NAME": "bench",
            "OTEL_TRACES_SAMPLER": sampler,
            "OTEL_TRACES_SAMPLER_ARG": str(self.percent / 100),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
            # What contrib says by default is no longer a convention.
            "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
        }


NAKED = Variant(BARE)
#: In one process: all that the figures need.
IN_PROCESS = (
    NAKED,
    *(Variant(kind, percent) for percent in (100, 10, 0)
      for kind in (TRACING, FULL, CONTRIB, CONTRIB_FULL)),
)  # fmt: skip
#: On a server, against bare before and after each.
ON_SYNC = (
    *(Variant(FULL, percent) for percent in (100, 10, 0)), Variant(CONTRIB), Variant(CONTRIB_FULL),
)  # fmt: skip
ON_SERVERS = (Variant(FULL), Variant(CONTRIB_FULL))
