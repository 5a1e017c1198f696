"""`homeward`: runs the platform, and looks after it."""

import asyncio
import gc
import importlib
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from typer.core import TyperGroup

from cli.embedded import StartError
from cli.machine import CannotRun, Machine
from cli.roles import ROLES


class Commands(TyperGroup):
    """Tells the person at the terminal why something could not be done. Exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except (CannotRun, StartError) as error:
            said = str(error)
        except ConnectionRefusedError as error:
            said = f"{error.strerror}. Is the platform running?"
        typer.echo(said, err=True)
        raise typer.Exit(1)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=__doc__,
)
events = typer.Typer(no_args_is_help=True, help="What a service has heard from the others.")
dead_letters = typer.Typer(no_args_is_help=True, help="Events that could not be applied.")
timeline = typer.Typer(no_args_is_help=True, help="The timelines of the gateway.")
referrals = typer.Typer(no_args_is_help=True, help="Referrals of a host-country service.")
audit = typer.Typer(no_args_is_help=True, help="The audit trail.")
ledger = typer.Typer(no_args_is_help=True, help="The books of grants.")
simulate = typer.Typer(
    no_args_is_help=True, help="Play what happens at an airport against the running platform."
)
for name, group in (
    ("events", events),
    ("dead-letters", dead_letters),
    ("timeline", timeline),
    ("audit", audit),
    ("ledger", ledger),
    ("simulate", simulate),
    ("referrals", referrals),
):
    app.add_typer(group, name=name)


def known_role(name: str) -> str:
    """A role by its name.

    Raises:
        typer.BadParameter: There is no such role.
    """
    if name not in ROLES:
        raise typer.BadParameter(f"the roles are {', '.join(ROLES)}")
    return name


RoleName = Annotated[
    str, typer.Argument(help=f"One of {', '.join(ROLES)}.", callback=known_role, metavar="ROLE")
]
Home = Annotated[
    Path,
    typer.Option(envvar="HOMEWARD_HOME", help="Folder of what one machine keeps between runs."),
]
HERE = Path(".homeward")
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
TABLET_PATIENCE = 300
"""Seconds for which a simulated tablet sends its log again; a busy machine is no reason to give
up.
"""
STOPS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@app.command()
def up(home: Home = HERE) -> None:
    """Run everything on this machine: PostgreSQL, a broker, the services and the gateway."""
    from cli.up import up as run_everything  # noqa: PLC0415 - see settings_of

    run_everything(Machine(home), lambda line: print(line, flush=True))


@app.command(hidden=True)
def prepare(home: Home = HERE) -> None:
    """Make the databases of one machine ready; `up` runs it."""
    from cli.prepare import prepare as make_ready  # noqa: PLC0415 - see settings_of

    Machine.existing(home)
    asyncio.run(make_ready(Machine(home)))


@app.command()
def serve(
    role: RoleName,
    with_worker: Annotated[
        bool, typer.Option(help="Run relay, consumer and jobs in the same process.")
    ] = False,
    home: Home = HERE,
) -> None:
    """Serve a role over HTTP."""
    from chassis.app import create_app  # noqa: PLC0415 - see settings_of

    settings = settings_of(role, home)
    run_http(create_app(ROLES[role].service(), settings, with_worker=with_worker), settings)


@app.command()
def work(role: RoleName, home: Home = HERE) -> None:
    """Run only the relay, consumer and jobs of a role. HOMEWARD_PORT serves its health and
    metrics.
    """
    from chassis.app import create_app  # noqa: PLC0415 - see settings_of

    settings = settings_of(role, home)
    service = replace(ROLES[role].service(), routers=(), middleware=(), lifespan=None)
    run_http(create_app(service, settings, with_worker=True), settings)


@app.command()
def migrate(
    role: Annotated[
        str | None, typer.Argument(help="All roles of this machine when left out.")
    ] = None,
    home: Home = HERE,
) -> None:
    """Bring a database up to date, as the role that owns its tables
    (HOMEWARD_MIGRATION_DATABASE_URL).
    """
    from chassis.migrations import upgrade  # noqa: PLC0415 - see settings_of

    for each in [known_role(role)] if role else ROLES:
        settings = settings_of(each, home)
        address = settings.migration_database_url or settings.database_url
        service = ROLES[each].service()
        asyncio.run(upgrade(address.get_secret_value(), service.migrations, service.metadata))
        print(f"{each}: up to date")


@app.command(hidden=True)
def migration(
    role: Annotated[str, typer.Argument(help=f"chassis, or one of {', '.join(ROLES)}.")],
    message: Annotated[str, typer.Argument(help="What it does, in a few words.")],
) -> None:
    """Draft the next revision from what the models have and a migrated database lacks; for
    developers.
    """
    from cli.migration import CHASSIS, draft  # noqa: PLC0415 - see settings_of

    draft(role if role == CHASSIS else known_role(role), message)


@app.command()
def bootstrap(home: Home = HERE) -> None:
    """Register the services' own clients with the gateway, with the secrets in
    HOMEWARD_<ROLE>_CLIENT_SECRET.

    Also `operator`, who may register everybody else, with the secret in HOMEWARD_OPERATOR_SECRET.
    """
    from cli.development import register_operators  # noqa: PLC0415 - see settings_of

    wanted = {f"service-{role}": f"HOMEWARD_{role.upper()}_CLIENT_SECRET" for role in ROLES}
    wanted["operator"] = "HOMEWARD_OPERATOR_SECRET"
    missing = [variable for variable in wanted.values() if not os.environ.get(variable)]
    if missing:
        typer.echo(f"Set {', '.join(missing)}.", err=True)
        raise typer.Exit(1)
    clients = {client: os.environ[variable] for client, variable in wanted.items()}
    in_database("gateway", home, lambda session: register_operators(session, clients))


@app.command()
def token(
    client: Annotated[
        str | None, typer.Argument(help="An organisation of this machine; all, if left out.")
    ] = None,
    home: Home = HERE,
) -> None:
    """Print a token of one of this machine's organisations, from the running gateway."""
    import httpx  # noqa: PLC0415 - see settings_of

    machine, settings = Machine.existing(home), settings_of("gateway", home)
    if client is None or client not in machine.clients():
        said = "Say whose." if client is None else f"{client} is no organisation of this machine."
        typer.echo(f"{said} There are:\n{known_clients(machine, settings)}", err=True)
        raise typer.Exit(1)
    try:
        answer = httpx.post(
            settings.service_url("gateway") + "/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(client, machine.client_secret(client)),
        )
    except httpx.TransportError:
        typer.echo("The gateway is not running; start it with `make run`.", err=True)
        raise typer.Exit(1) from None
    if answer.is_error:
        typer.echo(f"The gateway gives {client} no token ({answer.status_code}).", err=True)
        raise typer.Exit(1)
    print(answer.json()["access_token"])


def known_clients(machine: Machine, settings: Any) -> str:
    """A line for each kind of organisation, with those of this machine, and one for our own
    processes.
    """
    from cli.development import everybody  # noqa: PLC0415 - see settings_of
    from contracts.programmes import load_programmes  # noqa: PLC0415 - see settings_of

    rest = machine.clients()
    kinds: dict[str, list[str]] = {}
    for organisation in everybody(load_programmes(settings.programmes_path)):
        if organisation.slug in rest:
            kinds.setdefault(organisation.kind.replace("_", " "), []).append(organisation.slug)
            rest.remove(organisation.slug)
    kinds["internal"] = sorted(rest)
    return "\n".join(f"  {kind}: {', '.join(slugs)}" for kind, slugs in kinds.items() if slugs)


@app.command()
def demo(
    file: Annotated[
        Path,
        typer.Option(help="Referrals, one JSON object a line.", exists=True, dir_okay=False),
    ] = EXAMPLES / "referrals.jsonl",
    home: Home = HERE,
) -> None:
    """Lead referrals through the running platform, to the last payment, and print one returnee's
    timeline.
    """
    from rich.console import Console  # noqa: PLC0415 - see settings_of

    from cli.client import GatewayClient, Refused  # noqa: PLC0415 - see settings_of
    from cli.demo import Stuck  # noqa: PLC0415 - see settings_of
    from cli.demo import demo as walk  # noqa: PLC0415 - see settings_of
    from contracts.programmes import load_programmes  # noqa: PLC0415 - see settings_of

    settings, machine = settings_of("gateway", home), Machine.existing(home)
    clients: dict[tuple[str, str | None], GatewayClient] = {}

    def client(client_id: str, person: str | None) -> GatewayClient:
        key = client_id, person
        if key not in clients:
            secret = machine.client_secret(client_id)
            clients[key] = GatewayClient(settings.service_url("gateway"), client_id, secret, person)
        return clients[key]

    programmes = load_programmes(settings.programmes_path)
    offices = {programme.id: programme.office for programme in programmes.values()}
    today = datetime.now(UTC).date()
    running = [
        programme.id for programme in programmes.values() if programme.version_at(today) is not None
    ]
    try:
        asyncio.run(walk(client, offices, running, file, Console()))
    except (Refused, Stuck) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@simulate.command("flight")
def simulate_flight(
    passengers: Annotated[
        int, typer.Option(min=1, max=1000, help="How many are on the flight.")
    ] = 430,
    devices: Annotated[
        int, typer.Option(min=1, max=50, help="How many tablets receive them.")
    ] = 10,
    duplicates: Annotated[
        float, typer.Option(min=0, max=1, help="Share of entries that are sent twice.")
    ] = 0.3,
    shuffle: Annotated[bool, typer.Option(help="Send the logs in no order.")] = False,
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Entries in a request.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 1,
    home: Home = HERE,
) -> None:
    """Receive a charter with tablets that have no connection, send their logs, and count what is on
    record.
    """
    from rich.console import Console  # noqa: PLC0415 - see settings_of

    from cli.client import GatewayClient, Refused  # noqa: PLC0415 - see settings_of
    from cli.demo import Stuck  # noqa: PLC0415 - see settings_of
    from cli.simulate import Flight, Simulation, feed, show  # noqa: PLC0415 - see settings_of

    machine, console = Machine.existing(home), Console()
    settings = settings_of("gateway", home)
    gateway, reception = settings.service_url("gateway"), settings.service_url("reception")

    def client(client_id: str, person: str | None) -> GatewayClient:
        return GatewayClient(
            gateway, client_id, machine.client_secret(client_id), person, patience=TABLET_PATIENCE
        )

    flight = Flight(passengers, devices, duplicates, shuffle, batch, seed)
    simulation = Simulation(
        client, lambda: feed(client("service-gateway", None), reception), flight
    )
    try:
        report = asyncio.run(simulation.run(console))
    except (Refused, Stuck) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    show(report, console)
    if not report.whole:
        raise typer.Exit(1)


@app.command()
def kafka(
    port: Annotated[int, typer.Option(help="TCP port on 127.0.0.1.")] = 19093,
    home: Home = HERE,
) -> None:
    """Run an Apache Kafka on this machine that `make kafka` fetched; HOMEWARD_KAFKA_BOOTSTRAP makes
    `up` use it.
    """
    from cli.kafka import ApacheKafka  # noqa: PLC0415 - see settings_of

    machine = Machine(home)
    broker = ApacheKafka(machine.home / "kafka" / "data", port, log=machine.log("kafka"))
    try:
        broker.start()
        print(
            f"Apache Kafka is ready: HOMEWARD_KAFKA_BOOTSTRAP={broker.bootstrap} make run",
            flush=True,
        )
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        signal.sigwait(STOPS)
    finally:
        broker.stop()


@referrals.command("submit")
def referrals_submit(
    file: Annotated[
        Path,
        typer.Argument(help="JSON lines or CSV, as in examples/.", exists=True, dir_okay=False),
    ],
    client: Annotated[str, typer.Option(help="The sender's client.", envvar="HOMEWARD_CLIENT_ID")],
    secret: Annotated[
        str | None,
        typer.Option(
            help="Its secret; on this machine it is known.", envvar="HOMEWARD_CLIENT_SECRET"
        ),
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            help="The gateway; this machine's if left out.", envvar="HOMEWARD_GATEWAY_URL"
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Have a file taken that was taken before.")
    ] = False,
    home: Home = HERE,
) -> None:
    """Submit a file of up to 5,000 referrals and write the results beside it. Exit status 2: some
    were refused.
    """
    from rich.console import Console  # noqa: PLC0415 - see settings_of

    from cli.client import GatewayClient, Refused  # noqa: PLC0415 - see settings_of
    from cli.submit import UnknownFile, submit  # noqa: PLC0415 - see settings_of

    address = gateway or settings_of("gateway", home).service_url("gateway")
    secret = secret or Machine.existing(home).client_secret(client)
    caller = GatewayClient(address, client, secret)
    try:
        all_taken = asyncio.run(submit(caller, file, Console(), again=again))
    except (Refused, UnknownFile) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    if not all_taken:
        raise typer.Exit(2)


@events.command("replay")
def events_replay(
    role: RoleName,
    source: Annotated[str, typer.Argument(help="The service whose events are applied again.")],
    after: Annotated[int, typer.Option(help="From the position after this one.")] = 0,
    home: Home = HERE,
) -> None:
    """Have a service apply the events of another again; its running worker fetches them."""
    from chassis.inbox import rewind  # noqa: PLC0415 - see settings_of

    in_database(role, home, lambda session: rewind(session, source, after))
    print(f"{role} applies what {source} published after position {after} again")


@events.command("new-epoch")
def events_new_epoch(role: RoleName, home: Home = HERE) -> None:
    """Say that a service's database was set back to an earlier copy in a way that PostgreSQL cannot
    know of.

    A restored dump or a point-in-time recovery is noticed without this; a disk that was rolled back
    in place is not.
    """
    from chassis.relay import new_epoch  # noqa: PLC0415 - see settings_of

    base = in_database(role, home, new_epoch)
    print(f"{role} begins a new epoch; it shares positions up to {base} with the one before")


@dead_letters.command("list")
def dead_letters_list(role: RoleName, home: Home = HERE) -> None:
    """List what a service could not apply and why."""
    from chassis.inbox import list_dead_letters  # noqa: PLC0415 - see settings_of

    letters = in_database(role, home, list_dead_letters)
    for letter in letters:
        where = (
            f"{letter.source} {letter.position}" if letter.position is not None else letter.source
        )
        print(
            f"{letter.id}  {letter.failed_at:%Y-%m-%d %H:%M:%S}  {where}  "
            f"{letter.type or 'malformed'}  {letter.error}"
        )
    print(f"{len(letters)} dead letters")


@dead_letters.command("replay")
def dead_letters_replay(
    role: RoleName, letter: Annotated[UUID, typer.Argument()], home: Home = HERE
) -> None:
    """Have a dead letter tried again by the running worker."""
    from chassis.inbox import replay_dead_letter  # noqa: PLC0415 - see settings_of

    try:
        in_database(role, home, lambda session: replay_dead_letter(session, letter))
    except LookupError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    print(f"{letter} is tried again")


@dead_letters.command("discard")
def dead_letters_discard(
    role: RoleName,
    letter: Annotated[UUID, typer.Argument()],
    reason: Annotated[
        str, typer.Option(help="Why; kept in the audit trail. No word about a person.")
    ],
    home: Home = HERE,
) -> None:
    """Give up a dead letter that can never be applied, so that what waits for it follows."""
    from chassis import audit as trail  # noqa: PLC0415 - see settings_of
    from chassis.auth import OPERATOR  # noqa: PLC0415 - see settings_of
    from chassis.inbox import discard_dead_letter  # noqa: PLC0415 - see settings_of

    async def discard(session: Any) -> None:
        row = await discard_dead_letter(session, letter)
        about = {"reason": reason, "source": row.source, "position": row.position, "type": row.type}
        trail.record(session, OPERATOR, "discard", "dead-letter", letter, about)

    try:
        in_database(role, home, discard)
    except LookupError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    print(f"{letter} is given up")


@timeline.command("rebuild")
def timeline_rebuild(home: Home = HERE) -> None:
    """Build every timeline anew from the services' own logs; the running worker fetches them."""
    in_database("gateway", home, importlib.import_module("gateway.timeline.service").rebuild)
    print("the timelines are built anew")


@audit.command("verify")
def audit_verify(role: RoleName, home: Home = HERE) -> None:
    """Check every seal over a service's audit trail. Exit status 1: something was changed, removed
    or left unsealed.
    """
    from chassis.audit import audit_key, verify  # noqa: PLC0415 - see settings_of

    secret = settings_of(role, home).audit_key
    if secret is None:
        typer.echo("HOMEWARD_AUDIT_KEY is not set.", err=True)
        raise typer.Exit(1)
    key = audit_key(secret)
    verdict = in_database(role, home, lambda session: verify(session, key))
    print(
        f"{role}: {verdict.rows} rows under {verdict.seals} seals, the newest "
        f"{verdict.newest or 'none'}"
    )
    for problem in verdict.problems:
        print(f"  {problem}")
    if not verdict.intact:
        raise typer.Exit(1)


@ledger.command("verify")
def ledger_verify(home: Home = HERE) -> None:
    """Prove the books from their postings, against grants, payments and floats. Exit status 1: they
    are not right.
    """
    verify = importlib.import_module("services.grants.books.verify").verify
    proof = in_database("grants", home, verify)
    print(
        f"{proof.entries} entries with {proof.postings} postings: "
        f"{'right' if not proof.findings else 'not right'}"
    )
    for finding in proof.findings:
        print(f"  {finding}")
    if proof.findings:
        raise typer.Exit(1)


def settings_of(role: str, home: Path) -> Any:
    """The settings of a role: of the environment; where it names no database, of the platform that
    is on this machine.

    Like the commands it imports what it needs when it runs: the supervisor would otherwise hold
    every library's memory.
    """
    from chassis.settings import Settings  # noqa: PLC0415 - as said above

    if "HOMEWARD_DATABASE_URL" in os.environ:
        return Settings()
    machine, before = Machine.existing(home), dict(os.environ)
    os.environ.update(machine.environment(role))
    os.environ["HOMEWARD_MIGRATION_DATABASE_URL"] = machine.database_url(role, owner=True)
    if "HOMEWARD_PORT" in before:  # a second process of a role needs another port than the first
        os.environ["HOMEWARD_PORT"] = before["HOMEWARD_PORT"]
    try:
        return Settings()
    finally:
        os.environ.clear()
        os.environ.update(before)


def in_database(role: str, home: Path, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """Do something in one transaction of a role's database."""
    from chassis.db import Database  # noqa: PLC0415 - see settings_of

    async def run() -> Any:
        database = Database.from_settings(settings_of(role, home), "homeward-cli")
        try:
            async with database.transaction() as session:
                return await work(session)
        finally:
            await database.close()

    return asyncio.run(run())


def http_config(application: Any, settings: Any) -> Any:
    """How an application is served: a `uvicorn.Config`."""
    import uvicorn  # noqa: PLC0415 - see settings_of

    return uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=10,
    )


def run_http(application: Any, settings: Any) -> None:
    """Serve an application until told to stop. Exit status 3: it could not start."""
    import uvicorn  # noqa: PLC0415 - see settings_of

    gc.collect()
    # What is there from the start stays: looking through it again and again is only a pause.
    gc.freeze()
    server = uvicorn.Server(http_config(application, settings))
    server.run()
    if not server.started:
        raise typer.Exit(3)


if __name__ == "__main__":
    app()
