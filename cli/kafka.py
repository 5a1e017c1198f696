"""Apache Kafka (KRaft, one node) as a child process, on the jars that `make kafka` fetched."""

import base64
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

from cli.embedded import Child, StartError, accepts, free_port

LIBS = Path(__file__).resolve().parent.parent / ".homeward" / "kafka" / "libs"


class ApacheKafka(Child):
    """A single Apache Kafka node on 127.0.0.1 that is broker and controller. What it holds survives
    a restart.

    Args:
        data: Directory for its log and configuration.
        port: TCP port.
        log: File for its output.
    """

    stop_timeout = 30.0

    def __init__(self, data: Path, port: int, *, log: Path | None = None) -> None:
        super().__init__("Apache Kafka", log, death_signal=signal.SIGKILL)
        self.data = data.absolute()
        self.port = port

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"127.0.0.1:{self.port}"

    def spawn(self) -> None:
        """Start it without waiting; the first time its storage is formatted.

        Raises:
            StartError: The jars are not there, or the storage could not be formatted.
        """
        if not LIBS.is_dir():
            raise StartError(f"Apache Kafka is not in {LIBS}: run `make kafka`")
        if not (self.data / "storage" / "meta.properties").exists():
            self._format()
        self.run(java("kafka.Kafka", str(self.data / "server.properties")))

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        return accepts(self.port)

    def restart_empty(self) -> None:
        """End it at once and start it again without anything it held."""
        self.kill()
        shutil.rmtree(self.data / "storage")
        self.start()

    def _format(self) -> None:
        controller = free_port()
        self.data.mkdir(parents=True, exist_ok=True)
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.data / "storage"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "3",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "broker.session.timeout.ms": "3000",  # how long a killed broker's successor has to wait
            "broker.heartbeat.interval.ms": "500",
            "group.initial.rebalance.delay.ms": "0",
        }
        properties = self.data / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        named = f"--cluster-id={cluster}"  # in one word, as an id may begin with a dash
        command = java("kafka.tools.StorageTool", "format", named, "--config", str(properties))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StartError(
                f"Apache Kafka's storage could not be formatted: "
                f"{done.stderr.strip() or done.stdout.strip()}"
            )


def java(main: str, *arguments: str) -> list[str]:
    """Command that runs a class of Kafka's.

    Raises:
        StartError: There is no Java.
    """
    program = shutil.which("java")
    if program is None:
        raise StartError("Apache Kafka needs Java 17 or newer on PATH")
    options = ["-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return [program, *options, "-cp", f"{LIBS}/*", main, *arguments]
